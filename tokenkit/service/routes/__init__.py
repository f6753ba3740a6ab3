"""The endpoints, a module a group; each has a ``router``."""

from fastapi import APIRouter

from tokenkit.service.routes import health, metrics, token_records

ROUTERS: tuple[APIRouter, ...] = (health.router, metrics.router, token_records.router)
"""Every group of endpoints, but for the two that have a way of their own, see ``tokens``."""
