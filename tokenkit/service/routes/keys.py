"""``/v1/keys``: names, versions and states; never bytes."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.access.tables.changes import utc_now
from tokenkit.errors import TokenkitError
from tokenkit.keys import Key, KeyVersion
from tokenkit.lineage import AuditRecord
from tokenkit.service.administration import require_existing, require_something
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.idempotent_route import IdempotentRoute
from tokenkit.service.pages import Page, PageQuery, cursor_of, filled, read_cursor
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=IdempotentRoute)
_READ, _WRITE = "keys.read", "keys.write"
_ROTATE = "key.rotate"

KeyName = Annotated[
    str, Path(min_length=1, max_length=256, description="The key's name.", examples=["payments"])
]


class KeyVersionFacts(BaseModel):
    """A version of a key."""

    version: int
    id: int = Field(description="By which tokens and plans name it.")
    check_value: str = Field(description="Tells a right key from a wrong one, and nothing else.")
    kind: str
    state: Literal["enabled", "disabled", "destroyed"]
    created: datetime
    primary_since: datetime | None
    disabled: datetime | None
    destroyed: datetime | None


class KeyFacts(BaseModel):
    """A key, without its bytes."""

    name: str
    primary: int = Field(description="The version that makes new tokens.")
    rotation_due: datetime | None = Field(description="When its cryptoperiod ends.")
    versions: list[KeyVersionFacts]


_VERSION = {
    "version": 1,
    "id": 3015827117,
    "check_value": "6f0a...",
    "kind": "tokenkit",
    "state": "enabled",
    "created": "2026-11-23T09:00:00Z",
    "primary_since": "2026-11-23T09:00:00Z",
    "disabled": None,
    "destroyed": None,
}
_KEY = {"name": "payments", "primary": 1, "rotation_due": None, "versions": [_VERSION]}


@router.get(
    "",
    summary="List keys",
    response_model=Page[KeyFacts],
    responses=example(200, {"items": [_KEY], "next": None})
    | problems(401, 403, 422, 429, 500, 503),
)
async def list_(
    query: Annotated[PageQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[KeyFacts]:
    """List the keys that the caller may read, by name."""
    after = None if query.cursor is None else str(read_cursor(query.cursor, "keys", str)[0])
    keyring = state.keyring
    names = sorted(keyring.names)
    found, place = filled(
        lambda place, most: [name for name in names if place is None or name > place][:most],
        lambda name: name,
        lambda name: state.rights.decide(principal, _READ, Resource(key=name)).allowed,
        after,
        query.limit,
    )
    await require_something(state, principal, _READ, found)
    return Page(
        items=[_facts(keyring[name]) for name in found],
        next=None if place is None else cursor_of("keys", place),
    )


@router.get(
    "/{name}",
    summary="Read a key's facts",
    response_model=KeyFacts,
    responses=example(200, _KEY) | problems(401, 403, 404, 422, 429, 500, 503),
)
async def show(name: KeyName, principal: CurrentPrincipal, state: CurrentState) -> KeyFacts:
    """Read a key's versions and their states."""
    exists = name in state.keyring
    await require_existing(state, principal, _READ, Resource(key=name), exists=exists)
    return _facts(state.keyring[name])


@router.post(
    "/{name}/rotate",
    summary="Rotate a key",
    status_code=201,
    response_model=KeyFacts,
    responses=example(201, _KEY) | problems(401, 403, 404, 409, 413, 422, 429, 500, 503),
)
async def rotate(
    name: KeyName, response: Response, principal: CurrentPrincipal, state: CurrentState
) -> KeyFacts:
    """Give a key a fresh primary version; older versions still detokenize.

    The keyring's file is saved before the answer. Other workers take the version up within
    seconds; until then they make tokens with the one before.
    """
    exists = name in state.keyring
    await require_existing(state, principal, _WRITE, Resource(key=name), exists=exists)
    # Written first: a version that is saved and in no record would be worse than the reverse.
    await _record(state, principal, name, "prepared")
    try:
        made = await state.run(state.keys.rotate, name)
    except TokenkitError as error:
        failure = error
    else:
        await _record(state, principal, name, "complete", made)
        response.headers["location"] = f"/v1/keys/{name}"
        return _facts(state.keyring[name])
    await _record(state, principal, name, "failed", reason=failure.reason or failure.code)
    raise failure


async def _record(
    state: ServiceState,
    principal: Principal,
    name: str,
    outcome: str,
    made: KeyVersion | None = None,
    reason: str | None = None,
) -> None:
    record = AuditRecord(
        at=utc_now(),
        actor=principal.actor,
        action=_ROTATE,
        outcome=outcome,
        object=f"key:{name}",
        key=name,
        key_id=None if made is None else made.id,
        reason=reason,
    )
    await state.audit.write([record])


def _facts(key: Key) -> KeyFacts:
    return KeyFacts(
        name=key.name,
        primary=key.primary_number,
        rotation_due=key.rotation_due,
        versions=[_version(version) for version in key.versions],
    )


def _version(version: KeyVersion) -> KeyVersionFacts:
    return KeyVersionFacts(
        version=version.number,
        id=version.id,
        check_value=version.check_value.hex(),
        kind=version.kind.value,
        state=version.state.value,
        created=version.created,
        primary_since=version.primary_since,
        disabled=version.disabled,
        destroyed=version.destroyed,
    )
