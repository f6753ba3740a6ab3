"""``/v1/api-keys``: issued, rotated with an overlap, revoked."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from tokenkit.access.bearer import Bearer
from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.access.tables.api_keys import (
    ApiKey,
    find_api_key,
    issue_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.users import User, list_users, user_with_id
from tokenkit.errors import UnknownAccount
from tokenkit.service.administration import (
    change,
    read,
    require_existing,
    require_own,
    require_something,
    user_named,
    user_resource,
)
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.bodies.strict import StrictBody, TypedName
from tokenkit.service.idempotent_route import IdempotentRoute
from tokenkit.service.pages import (
    Page,
    PageQuery,
    Text,
    cursor_of,
    filled,
    moment_part,
    read_cursor,
    read_id,
    read_moment,
)
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/api-keys", tags=["api-keys"], route_class=IdempotentRoute)
_READ, _WRITE = "api-keys.read", "api-keys.write"
_ON_ONE = problems(401, 403, 404, 422, 429, 500, 503)
_NO_STORE = {"cache-control": "no-store"}


class ApiKeyFacts(BaseModel):
    """An API key, without the key."""

    id: UUID
    user: str
    name: str
    starts_with: str = Field(description="Its first characters, to tell it from others.")
    scopes: list[str]
    created: datetime
    ends: datetime | None
    last_used: datetime | None = Field(description="Written down once a minute.")
    revoked: datetime | None
    successor: UUID | None = Field(description="The key that took its place.")


class IssuedApiKey(ApiKeyFacts):
    """An API key that was made, with the key, which is shown this once."""

    key: str = Field(description="Goes into the header Authorization: Bearer.")


class NewApiKey(StrictBody):
    """An API key to issue."""

    user: TypedName = Field(description="Whose rights it has.")
    name: TypedName = Field(description="What people call it.")
    scopes: list[TypedName] = Field(
        min_length=1,
        max_length=64,
        description="What it is bound to, of those rights: `ACTION` or `ACTION@RESOURCE`.",
    )
    expires_after_days: int | None = Field(
        default=None, ge=1, le=3650, description="By default it works until it is revoked."
    )


class Rotation(StrictBody):
    """How an API key is rotated."""

    overlap_hours: int = Field(
        default=24, ge=0, le=720, description="How long the old key still works."
    )


class ApiKeyQuery(PageQuery):
    """Which API keys are listed."""

    user: Text | None = Field(default=None, description="Only those of this user.")


_KEY = {
    "id": "0b0f6a52-6a0c-4c43-9c3e-0a3f3a6d2f11",
    "user": "billing",
    "name": "Production",
    "starts_with": "tkk_0Ab9xY",
    "scopes": ["tokenize@policy:orders"],
    "created": "2026-11-23T09:00:00Z",
    "ends": None,
    "last_used": None,
    "revoked": None,
    "successor": None,
}


@router.get(
    "",
    summary="List API keys",
    response_model=Page[ApiKeyFacts],
    responses=example(200, {"items": [_KEY], "next": None}) | _ON_ONE,
)
async def list_(
    query: Annotated[ApiKeyQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[ApiKeyFacts]:
    """List the API keys that the caller may read, and one's own, in the order of their making."""
    after = None
    if query.cursor is not None:
        moment, key_id = read_cursor(query.cursor, "api-keys", str, str)
        after = read_moment(moment), read_id(key_id)
    user: User | None = None
    if query.user is not None:
        user = await _user(state, principal, _READ, query.user)

    def listing(connection: Connection) -> Page[ApiKeyFacts]:
        names = {each.id: each.name for each in list_users(connection)}

        def visible(key: ApiKey) -> bool:
            resource = Resource(user=names[key.user_id], api_key=str(key.id))
            decision = state.rights.decide(principal, _READ, resource)
            return key.user_id == principal.user_id or decision.allowed

        keys, place = filled(
            lambda place, most: list_api_keys(connection, user, after=place, most=most),
            lambda key: (key.created, key.id),
            visible,
            after,
            query.limit,
        )
        return Page(
            items=[_facts(key, names[key.user_id]) for key in keys],
            next=None
            if place is None
            else cursor_of("api-keys", moment_part(place[0]), str(place[1])),
        )

    page = await read(state, listing)
    if user is None:
        await require_something(state, principal, _READ, page.items)
    return page


@router.post(
    "",
    summary="Issue an API key",
    status_code=201,
    response_model=IssuedApiKey,
    responses=example(201, _KEY | {"key": "tkk_..."}) | problems(400, 409, 413) | _ON_ONE,
)
async def issue(
    body: NewApiKey, response: Response, principal: CurrentPrincipal, state: CurrentState
) -> IssuedApiKey:
    """Give a user an API key, which is shown in this answer and nowhere else.

    One's own needs the right too: an API key shows no second factor.
    """
    user = await read(state, lambda connection: user_named(connection, body.user))
    resource = user_resource(body.user)
    await require_existing(state, principal, _WRITE, resource, exists=user is not None)
    assert user is not None  # noqa: S101 - it was required
    days = body.expires_after_days
    ends = None if days is None else timedelta(days=days)

    def issuing(work: Work) -> tuple[ApiKey, Bearer]:
        key_id, made = issue_api_key(work, user, body.name, body.scopes, expires_after=ends)
        return find_api_key(work.connection, key_id), made

    key, made = await change(state, principal, _WRITE, f"user:{user.name}", issuing)
    return _issued(response, key, made, user.name)


@router.get(
    "/{key_id}",
    summary="Read an API key's facts",
    response_model=ApiKeyFacts,
    responses=example(200, _KEY) | _ON_ONE,
)
async def show(key_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> ApiKeyFacts:
    """Read what there is to know of an API key, but for the key."""
    found = await read(state, lambda connection: _found(connection, key_id))
    if found is None or found[0].user_id != principal.user_id:
        await _require_others(state, principal, _READ, key_id, found)
    assert found is not None  # noqa: S101 - it was required
    return _facts(found[0], found[1].name)


@router.post(
    "/{key_id}/rotate",
    summary="Rotate an API key",
    status_code=201,
    response_model=IssuedApiKey,
    responses=example(201, _KEY | {"key": "tkk_..."}) | problems(400, 409, 413) | _ON_ONE,
)
async def rotate(
    key_id: UUID,
    body: Rotation,
    response: Response,
    principal: CurrentPrincipal,
    state: CurrentState,
) -> IssuedApiKey:
    """Put a fresh key in the place of one, which works on for a while; of one's own, too."""
    user = await _writable(state, principal, key_id)
    overlap = timedelta(hours=body.overlap_hours)

    def rotating(work: Work) -> tuple[ApiKey, Bearer]:
        new_id, made = rotate_api_key(work, key_id, overlap=overlap)
        return find_api_key(work.connection, new_id), made

    key, made = await change(state, principal, _WRITE, f"api-key:{key_id}", rotating)
    return _issued(response, key, made, user.name)


@router.delete("/{key_id}", summary="Revoke an API key", status_code=204, responses=_ON_ONE)
async def revoke(key_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> None:
    """End an API key, of one's own, too; every worker knows within five seconds."""
    await _writable(state, principal, key_id)
    named = f"api-key:{key_id}"
    await change(state, principal, _WRITE, named, lambda work: revoke_api_key(work, key_id))


async def _writable(state: ServiceState, principal: Principal, key_id: UUID) -> User:
    found = await read(state, lambda connection: _found(connection, key_id))
    if found is not None and found[0].user_id == principal.user_id:
        await require_own(state, principal, _WRITE)
    else:
        await _require_others(state, principal, _WRITE, key_id, found)
    assert found is not None  # noqa: S101 - it was required
    return found[1]


async def _require_others(
    state: ServiceState,
    principal: Principal,
    action: str,
    key_id: UUID,
    found: tuple[ApiKey, User] | None,
) -> None:
    owner = None if found is None else found[1].name
    resource = Resource(user=owner, api_key=str(key_id))
    await require_existing(state, principal, action, resource, exists=found is not None)


async def _user(state: ServiceState, principal: Principal, action: str, typed: str) -> User:
    user = await read(state, lambda connection: user_named(connection, typed))
    if user is None or user.id != principal.user_id:
        resource = user_resource(typed)
        await require_existing(state, principal, action, resource, exists=user is not None)
    assert user is not None  # noqa: S101 - it was required
    return user


def _found(connection: Connection, key_id: UUID) -> tuple[ApiKey, User] | None:
    try:
        key = find_api_key(connection, key_id)
        return key, user_with_id(connection, key.user_id)
    except UnknownAccount:
        return None


def _facts(key: ApiKey, user: str) -> ApiKeyFacts:
    return ApiKeyFacts(
        id=key.id,
        user=user,
        name=key.name,
        starts_with=key.shown,
        scopes=[str(scope) for scope in key.scopes],
        created=key.created,
        ends=key.ends,
        last_used=key.last_used,
        revoked=key.revoked,
        successor=key.successor_id,
    )


def _issued(response: Response, key: ApiKey, made: Bearer, user: str) -> IssuedApiKey:
    response.headers.update(_NO_STORE)
    response.headers["location"] = f"/v1/api-keys/{key.id}"
    return IssuedApiKey(**_facts(key, user).model_dump(), key=made.text)
