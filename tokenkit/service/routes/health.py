"""``/health``: whether the process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from tokenkit.errors import TokenkitError
from tokenkit.service.authentication import CurrentState
from tokenkit.service.problems import Problem, problem_of
from tokenkit.service.routes.documentation import problems
from tokenkit.service.state import ServiceState
from tokenkit.store.audit import audit_key

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """That it is well."""

    status: Literal["ok"] = "ok"


@router.get("/live", summary="Whether the process lives", response_model=Health)
async def live() -> Health:
    """Answer; whoever gets no answer may start the process anew."""
    return Health()


@router.get(
    "/ready",
    summary="Whether requests can be answered",
    response_model=Health,
    responses=problems(503),
)
async def ready(state: CurrentState) -> Health | Response:
    """Look at the database, the rights and the audit log's key."""
    if state.stopping:
        return Problem(503, "the service is being stopped", code="TK903", retry_after=1)
    try:
        await state.run(_look, state)
    except TokenkitError as error:
        return problem_of(error)
    return Health()


def _look(state: ServiceState) -> None:
    audit_key(state.keyring)
    state.rights.require_current()
    with state.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
