"""``/v1/users``: people who sign in, and services."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from tokenkit.access.names import checked_user_name
from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.access.sign_in import unlock
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.roles import roles_of
from tokenkit.access.tables.second_factor import remove_second_factor
from tokenkit.access.tables.users import (
    User,
    create_user,
    disable_user,
    enable_user,
    find_user,
    list_users,
    set_password,
)
from tokenkit.errors import InvalidRequest, PasswordRefused
from tokenkit.service.administration import (
    change,
    read,
    require_existing,
    require_new,
    require_something,
    sealer,
    user_named,
    user_resource,
)
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.authorization import audit_refusal
from tokenkit.service.bodies.strict import StrictBody, TypedName, TypedSecret
from tokenkit.service.idempotent_route import IdempotentRoute
from tokenkit.service.pages import Page, PageQuery, cursor_of, filled, read_cursor
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/users", tags=["users"], route_class=IdempotentRoute)
_READ, _WRITE = "users.read", "users.write"
_ON_ONE = problems(401, 403, 404, 422, 429, 500, 503)
_NO_STORE = {"cache-control": "no-store"}

UserName = Annotated[str, Path(description="The user's name.", examples=["ann"])]


class UserFacts(BaseModel):
    """A user, without any secret."""

    name: str
    kind: Literal["person", "service"]
    roles: list[str]
    created: datetime
    disabled: datetime | None = Field(description="Since when the user is disabled.")


class NewUser(StrictBody):
    """A user to make."""

    name: TypedName
    kind: Literal["person", "service"] = Field(
        default="person", description="A service has API keys, and no password."
    )
    password: TypedSecret | None = Field(
        default=None, description="A person's; by default one is made. It is to be changed."
    )


class CreatedUser(UserFacts):
    """A user that was made."""

    password: str | None = Field(
        default=None, description="The password, if it was made here; shown this once."
    )


class UserChange(StrictBody):
    """What is to change."""

    disabled: bool = Field(
        description="A disabled user's sessions end, and API keys don't work until it is enabled."
    )


class NewPassword(StrictBody):
    """A password for somebody else."""

    password: TypedSecret | None = Field(default=None, description="By default one is made.")


class GivenPassword(BaseModel):
    """A password that was given to a user, who has to change it."""

    password: str | None = Field(
        default=None, description="The password, if it was made here; shown this once."
    )


_ANN = {
    "name": "ann",
    "kind": "person",
    "roles": ["auditor"],
    "created": "2026-11-23T09:00:00Z",
    "disabled": None,
}


@router.get(
    "",
    summary="List users",
    response_model=Page[UserFacts],
    responses=example(200, {"items": [_ANN], "next": None})
    | problems(401, 403, 422, 429, 500, 503),
)
async def list_(
    query: Annotated[PageQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[UserFacts]:
    """List the users that the caller may read, by name."""
    after = None if query.cursor is None else str(read_cursor(query.cursor, "users", str)[0])

    def listing(connection: Connection) -> Page[UserFacts]:
        users, place = filled(
            lambda place, most: list_users(connection, after=place, most=most),
            lambda user: user.name,
            lambda user: state.rights.decide(principal, _READ, Resource(user=user.name)).allowed,
            after,
            query.limit,
        )
        roles = roles_of(connection, [user.id for user in users])
        return Page(
            items=[_facts(user, roles.get(user.id, [])) for user in users],
            next=None if place is None else cursor_of("users", place),
        )

    page = await read(state, listing)
    await require_something(state, principal, _READ, page.items)
    return page


@router.post(
    "",
    summary="Make a user",
    status_code=201,
    response_model=CreatedUser,
    responses=example(201, _ANN | {"roles": [], "password": "..."})
    | problems(400, 401, 403, 409, 413, 422, 429, 500, 503),
)
async def create(
    body: NewUser, response: Response, principal: CurrentPrincipal, state: CurrentState
) -> CreatedUser:
    """Make a person, who has to change the password at first, or a service."""
    await require_new(state, principal, _WRITE, user_resource(body.name))
    name = checked_user_name(body.name)
    if body.kind == "service" and body.password is not None:
        raise InvalidRequest(
            "a service has no password", location="body.password", reason="service"
        )
    hashed, made = None, None
    if body.kind == "person":
        made, hashed = await _chosen(state, principal, f"user:{name}", body.password, name)

    def creating(work: Work) -> User:
        create_user(work, name, kind=body.kind, password_hash=hashed, must_change_password=True)
        return find_user(work.connection, name)

    user = await change(state, principal, _WRITE, None, creating)
    response.headers.update(_NO_STORE)
    response.headers["location"] = f"/v1/users/{user.name}"
    shown = made if body.password is None else None
    return CreatedUser(**_facts(user, []).model_dump(), password=shown)


@router.get(
    "/{name}",
    summary="Read a user",
    response_model=UserFacts,
    responses=example(200, _ANN) | _ON_ONE,
)
async def show(name: UserName, principal: CurrentPrincipal, state: CurrentState) -> UserFacts:
    """Read a user, with the names of the roles."""
    user, roles = await read(state, lambda connection: _with_roles(connection, name))
    await require_existing(state, principal, _READ, user_resource(name), exists=user is not None)
    assert user is not None  # noqa: S101 - it was required
    return _facts(user, roles)


@router.patch(
    "/{name}",
    summary="Disable or enable a user",
    response_model=UserFacts,
    responses=example(200, _ANN) | problems(400, 413) | _ON_ONE,
)
async def change_(
    name: UserName, body: UserChange, principal: CurrentPrincipal, state: CurrentState
) -> UserFacts:
    """Disable a user, or enable one again. The last administrator can't be disabled."""
    user = await _writable(state, principal, name)

    def changing(work: Work) -> tuple[User | None, list[str]]:
        (disable_user if body.disabled else enable_user)(work, user)
        return _with_roles(work.connection, user.name)

    found, roles = await change(state, principal, _WRITE, f"user:{user.name}", changing)
    return _facts(found or user, roles)


@router.post(
    "/{name}/password",
    summary="Give a user another password",
    response_model=GivenPassword,
    responses=example(200, {"password": "..."}) | problems(400, 409, 413) | _ON_ONE,
)
async def password(
    name: UserName,
    body: NewPassword,
    response: Response,
    principal: CurrentPrincipal,
    state: CurrentState,
) -> GivenPassword:
    """Give a user a password, who has to change it; the user's sessions end."""
    user = await _writable(state, principal, name)
    named = f"user:{user.name}"
    made, hashed = await _chosen(state, principal, named, body.password, user.name)
    await change(
        state,
        principal,
        _WRITE,
        named,
        lambda work: set_password(work, user, hashed, must_change=True),
    )
    response.headers.update(_NO_STORE)
    return GivenPassword(password=made if body.password is None else None)


@router.post(
    "/{name}/unlock",
    summary="Forget failed attempts to sign in",
    status_code=204,
    responses=problems(409) | _ON_ONE,
)
async def unlock_(name: UserName, principal: CurrentPrincipal, state: CurrentState) -> None:
    """Forget what was counted for a user's name and codes."""
    user = await _writable(state, principal, name)
    await change(
        state,
        principal,
        _WRITE,
        f"user:{user.name}",
        lambda work: unlock(work, user, sealer(state)),
    )


@router.delete(
    "/{name}/second-factor",
    summary="Take a second factor away",
    status_code=204,
    responses=_ON_ONE,
)
async def reset_second_factor(
    name: UserName, principal: CurrentPrincipal, state: CurrentState
) -> None:
    """Take the second factor from a user who has lost it; the user's sessions end."""
    user = await _writable(state, principal, name)
    named = f"user:{user.name}"
    await change(state, principal, _WRITE, named, lambda work: remove_second_factor(work, user))


async def _writable(state: ServiceState, principal: Principal, name: str) -> User:
    user = await read(state, lambda connection: user_named(connection, name))
    await require_existing(state, principal, _WRITE, user_resource(name), exists=user is not None)
    assert user is not None  # noqa: S101 - it was required
    return user


async def _chosen(
    state: ServiceState, principal: Principal, named: str, password: str | None, user: str
) -> tuple[str, str]:
    try:
        return await state.signing.run(state.signing.chosen, password, user)
    except PasswordRefused as error:
        refused = error
    await audit_refusal(state, principal.actor, _WRITE, named, refused.reason)
    raise refused


def _with_roles(connection: Connection, name: str) -> tuple[User | None, list[str]]:
    user = user_named(connection, name)
    return user, [] if user is None else roles_of(connection, [user.id]).get(user.id, [])


def _facts(user: User, roles: list[str]) -> UserFacts:
    return UserFacts(
        name=user.name,
        kind="person" if user.is_person else "service",
        roles=roles,
        created=user.created,
        disabled=user.disabled,
    )
