"""The endpoints, a module a group; each has a ``router``."""

from fastapi import APIRouter

from tokenkit.service.routes import health

ROUTERS: tuple[APIRouter, ...] = (health.router,)
"""Every group of endpoints, but for the two that have a way of their own, see ``tokens``."""
