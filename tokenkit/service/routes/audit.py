"""``/v1/audit``: records of the audit log."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from tokenkit.access.resources import NOTHING
from tokenkit.service.administration import read, require_new
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.pages import Page, PageQuery, Text, cursor_of, read_cursor
from tokenkit.service.routes.documentation import example, problems
from tokenkit.store.audit import Place, page

router = APIRouter(prefix="/v1/audit", tags=["audit"])
_FILTERS = ("actor", "action", "outcome", "object", "run", "key", "reason")


class AuditQuery(PageQuery):
    """Which records are listed; filters are compared as they stand."""

    actor: Text | None = None
    action: Text | None = None
    outcome: Text | None = Field(
        default=None, description="`complete`, `failed`, `refused` or `prepared`."
    )
    object: Text | None = None
    run: Text | None = None
    key: Text | None = None
    reason: Text | None = None
    since: AwareDatetime | None = Field(default=None, description="From this moment on.")
    until: AwareDatetime | None = Field(default=None, description="Before this moment.")


class AuditFacts(BaseModel):
    """A record of the audit log."""

    batch: int
    position: int
    at: datetime
    actor: str
    action: str
    outcome: str
    object: str | None
    run: str | None
    key: str | None
    key_id: int | None
    count: int | None
    reason: str | None
    token_hash: str | None = Field(
        description="A keyed hash of the token, where one value is meant."
    )
    detail: dict[str, Any] | None


_RECORD = {
    "batch": 12,
    "position": 1,
    "at": "2026-11-23T09:00:00Z",
    "actor": "ann",
    "action": "detokenize",
    "outcome": "refused",
    "object": "policy:orders column:orders/card key:payments domain:credit-card",
    "run": None,
    "key": None,
    "key_id": None,
    "count": None,
    "reason": "step_up_required",
    "token_hash": None,
    "detail": None,
}


@router.get(
    "",
    summary="Read the audit log",
    response_model=Page[AuditFacts],
    responses=example(200, {"items": [_RECORD], "next": None})
    | problems(401, 403, 422, 429, 500, 503),
)
async def list_(
    query: Annotated[AuditQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[AuditFacts]:
    """List records, the latest first; `tokenkit audit verify` says whether they are genuine.

    A page looks at 20,000 records at most, so that one may hold few or none that fit, and still
    have a next one.
    """
    before = None
    if query.cursor is not None:
        batch, position = read_cursor(query.cursor, "audit", int, int)
        before = Place(int(batch), int(position))
    await require_new(state, principal, "audit.read", NOTHING)
    given = {name: getattr(query, name) for name in _FILTERS}
    found = await read(
        state,
        lambda connection: page(
            connection,
            query.limit,
            before=before,
            since=query.since,
            until=query.until,
            equal={name: value for name, value in given.items() if value is not None},
        ),
    )
    return Page(
        items=[_facts(record) for record in found.records],
        next=None if found.before is None else cursor_of("audit", *found.before),
    )


def _facts(record: dict[str, Any]) -> AuditFacts:
    token_hash, detail = record.pop("token_hash"), record.pop("detail")
    return AuditFacts(
        **record,
        token_hash=None if token_hash is None else token_hash.hex(),
        detail=_read(detail),
    )


def _read(detail: str | None) -> dict[str, Any] | None:
    if detail is None:
        return None
    try:
        found = json.loads(detail)
    except ValueError:
        # What was altered in the database isn't what was written; verifying tells.
        return None
    return found if isinstance(found, dict) else None
