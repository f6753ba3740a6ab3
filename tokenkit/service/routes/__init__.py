"""The endpoints, a module a group; each has a ``router``."""

from fastapi import APIRouter

from tokenkit.service.routes import (
    account,
    api_keys,
    audit,
    batches,
    grants,
    health,
    keys,
    metrics,
    policies,
    roles,
    sessions,
    token_records,
    users,
)

ROUTERS: tuple[APIRouter, ...] = (
    sessions.router,
    account.router,
    users.router,
    roles.router,
    grants.router,
    api_keys.router,
    keys.router,
    policies.router,
    audit.router,
    health.router,
    metrics.router,
    token_records.router,
    batches.router,
)
"""Every group of endpoints, but for the two that have a way of their own, see ``tokens``."""
