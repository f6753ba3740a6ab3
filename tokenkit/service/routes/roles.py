"""``/v1/roles``: roles, and who has them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from tokenkit.access.names import checked_role_name
from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.roles import (
    Role,
    assign_role,
    change_role,
    create_role,
    delete_role,
    list_members,
    list_roles,
    unassign_role,
)
from tokenkit.access.tables.users import User
from tokenkit.service.administration import (
    change,
    read,
    require_existing,
    require_new,
    require_something,
    role_named,
    role_resource,
    user_named,
    user_resource,
)
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.bodies.strict import StrictBody, TypedName
from tokenkit.service.idempotent_route import IdempotentRoute
from tokenkit.service.pages import Page, PageQuery, cursor_of, filled, read_cursor
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.routes.users import UserName
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/roles", tags=["roles"], route_class=IdempotentRoute)
_READ, _WRITE = "roles.read", "roles.write"
_ON_ONE = problems(401, 403, 404, 422, 429, 500, 503)

RoleName = Annotated[str, Path(description="The role's name.", examples=["support"])]


class RoleFacts(BaseModel):
    """A role."""

    name: str
    description: str
    requires_mfa: bool = Field(
        description="Whether its members need a second factor for whatever they do."
    )


class NewRole(StrictBody):
    """A role to make; it has no grants at first."""

    name: TypedName
    description: str = Field(
        default="", max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$", description="What it is for."
    )
    requires_mfa: bool = False


class RoleChange(StrictBody):
    """What is to change."""

    requires_mfa: bool


class Member(BaseModel):
    """Somebody who has a role."""

    user: str


_SUPPORT = {"name": "support", "description": "Sees last fours.", "requires_mfa": False}


@router.get(
    "",
    summary="List roles",
    response_model=Page[RoleFacts],
    responses=example(200, {"items": [_SUPPORT], "next": None})
    | problems(401, 403, 422, 429, 500, 503),
)
async def list_(
    query: Annotated[PageQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[RoleFacts]:
    """List the roles that the caller may read, by name."""
    after = None if query.cursor is None else str(read_cursor(query.cursor, "roles", str)[0])

    def listing(connection: Connection) -> Page[RoleFacts]:
        roles, place = filled(
            lambda place, most: list_roles(connection, after=place, most=most),
            lambda role: role.name,
            lambda role: state.rights.decide(principal, _READ, Resource(role=role.name)).allowed,
            after,
            query.limit,
        )
        return Page(
            items=[_facts(role) for role in roles],
            next=None if place is None else cursor_of("roles", place),
        )

    page = await read(state, listing)
    await require_something(state, principal, _READ, page.items)
    return page


@router.post(
    "",
    summary="Make a role",
    status_code=201,
    response_model=RoleFacts,
    responses=example(201, _SUPPORT) | problems(400, 401, 403, 409, 413, 422, 429, 500, 503),
)
async def create(
    body: NewRole, response: Response, principal: CurrentPrincipal, state: CurrentState
) -> RoleFacts:
    """Make a role without grants and members."""
    await require_new(state, principal, _WRITE, role_resource(body.name))
    name = checked_role_name(body.name)
    role = await change(
        state,
        principal,
        _WRITE,
        None,
        lambda work: create_role(
            work, name, description=body.description, requires_mfa=body.requires_mfa
        ),
    )
    response.headers["location"] = f"/v1/roles/{role.name}"
    return _facts(role)


@router.get(
    "/{role}",
    summary="Read a role",
    response_model=RoleFacts,
    responses=example(200, _SUPPORT) | _ON_ONE,
)
async def show(role: RoleName, principal: CurrentPrincipal, state: CurrentState) -> RoleFacts:
    """Read a role."""
    return _facts(await _found(state, principal, _READ, role))


@router.patch(
    "/{role}",
    summary="Change a role",
    response_model=RoleFacts,
    responses=example(200, _SUPPORT) | problems(400, 413) | _ON_ONE,
)
async def change_(
    role: RoleName, body: RoleChange, principal: CurrentPrincipal, state: CurrentState
) -> RoleFacts:
    """Say whether a role asks for a second factor."""
    found = await _found(state, principal, _WRITE, role)

    def changing(work: Work) -> Role | None:
        change_role(work, found, requires_mfa=body.requires_mfa)
        return role_named(work.connection, found.name)

    changed = await change(state, principal, _WRITE, f"role:{found.name}", changing)
    return _facts(changed or found)


@router.delete("/{role}", summary="Delete a role", status_code=204, responses=_ON_ONE)
async def delete(role: RoleName, principal: CurrentPrincipal, state: CurrentState) -> None:
    """Delete a role with its grants; its members lose them. The administrator's role stays."""
    found = await _found(state, principal, _WRITE, role)
    named = f"role:{found.name}"
    await change(state, principal, _WRITE, named, lambda work: delete_role(work, found))


@router.get(
    "/{role}/members",
    summary="List who has a role",
    response_model=Page[Member],
    responses=example(200, {"items": [{"user": "ann"}], "next": None}) | _ON_ONE,
)
async def members(
    role: RoleName,
    query: Annotated[PageQuery, Query()],
    principal: CurrentPrincipal,
    state: CurrentState,
) -> Page[Member]:
    """List the users who have a role, by name."""
    after = None if query.cursor is None else str(read_cursor(query.cursor, "members", str)[0])
    found = await _found(state, principal, _READ, role)
    most = query.limit + 1
    names = await read(
        state, lambda connection: list_members(connection, found, after=after, most=most)
    )
    shown = names[: query.limit]
    return Page(
        items=[Member(user=name) for name in shown],
        next=cursor_of("members", shown[-1]) if len(names) > query.limit else None,
    )


@router.put(
    "/{role}/members/{name}", summary="Give a user a role", status_code=204, responses=_ON_ONE
)
async def assign(
    role: RoleName, name: UserName, principal: CurrentPrincipal, state: CurrentState
) -> None:
    """Give a user a role; one that the user has stays. The caller must be able to read the user."""
    found, user = await _both(state, principal, role, name)
    named = f"role:{found.name}"
    await change(state, principal, _WRITE, named, lambda work: assign_role(work, found, user))


@router.delete(
    "/{role}/members/{name}", summary="Take a role away", status_code=204, responses=_ON_ONE
)
async def unassign(
    role: RoleName, name: UserName, principal: CurrentPrincipal, state: CurrentState
) -> None:
    """Take a role from a user; the last administrator keeps it."""
    found, user = await _both(state, principal, role, name)
    named = f"role:{found.name}"
    await change(state, principal, _WRITE, named, lambda work: unassign_role(work, found, user))


async def _found(state: ServiceState, principal: Principal, action: str, name: str) -> Role:
    role = await read(state, lambda connection: role_named(connection, name))
    await require_existing(state, principal, action, role_resource(name), exists=role is not None)
    assert role is not None  # noqa: S101 - it was required
    return role


async def _both(
    state: ServiceState, principal: Principal, role: str, name: str
) -> tuple[Role, User]:
    found = await _found(state, principal, _WRITE, role)
    user = await read(state, lambda connection: user_named(connection, name))
    resource = user_resource(name)
    await require_existing(state, principal, "users.read", resource, exists=user is not None)
    assert user is not None  # noqa: S101 - it was required
    return found, user


def _facts(role: Role) -> RoleFacts:
    return RoleFacts(name=role.name, description=role.description, requires_mfa=role.requires_mfa)
