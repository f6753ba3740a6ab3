"""``/v1/grants``: what roles may do with which resources."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from tokenkit.access.grants import Effect, Grant
from tokenkit.access.principals import Principal
from tokenkit.access.resources import NOTHING, Resource
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.grants import (
    RoleGrant,
    add_grant,
    find_grant,
    list_grants,
    remove_grant,
)
from tokenkit.access.tables.roles import Role, list_roles
from tokenkit.errors import UnknownAccount
from tokenkit.service.administration import (
    change,
    read,
    require_existing,
    require_something,
    role_named,
    role_resource,
)
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.bodies.strict import StrictBody, TypedName
from tokenkit.service.idempotent_route import IdempotentRoute
from tokenkit.service.pages import Page, PageQuery, Text, cursor_of, filled, read_cursor
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/grants", tags=["grants"], route_class=IdempotentRoute)
_READ, _WRITE = "grants.read", "grants.write"
_ON_ONE = problems(401, 403, 404, 422, 429, 500, 503)

GrantId = Annotated[int, Path(ge=1, lt=2**63, description="The grant's number.", examples=[7])]


class GrantFacts(BaseModel):
    """A rule of a role."""

    id: int
    role: str
    effect: Effect
    action: str
    resource: str
    purposes: list[str] | None = Field(
        description="Those of which one must be stated; none: any; null: none need be."
    )


class NewGrant(StrictBody):
    """A rule to add to a role."""

    role: TypedName
    effect: Literal["allow", "masked", "deny"] = Field(
        default="allow",
        description="`masked` shows the last four characters; `deny` wins over everything.",
    )
    action: TypedName = Field(description="An action, `AREA.*` or `*`.")
    resource: TypedName = Field(description="`KIND:NAME`, with `*` in the name, or `*` alone.")
    purposes: list[TypedName] | None = Field(
        default=None,
        max_length=64,
        description="Those of which one must be stated; an empty list: any.",
    )


class GrantQuery(PageQuery):
    """Which grants are listed."""

    role: Text | None = Field(default=None, description="Only those of this role.")


_GRANT = {
    "id": 7,
    "role": "app",
    "effect": "allow",
    "action": "tokenize",
    "resource": "policy:orders",
    "purposes": None,
}


@router.get(
    "",
    summary="List grants",
    response_model=Page[GrantFacts],
    responses=example(200, {"items": [_GRANT], "next": None}) | _ON_ONE,
)
async def list_(
    query: Annotated[GrantQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[GrantFacts]:
    """List the grants that the caller may read, by number."""
    after = None if query.cursor is None else int(read_cursor(query.cursor, "grants", int)[0])
    role: Role | None = None
    if query.role is not None:
        role = await _role(state, principal, _READ, query.role)

    def listing(connection: Connection) -> Page[GrantFacts]:
        names = {each.id: each.name for each in list_roles(connection)}
        grants, place = filled(
            lambda place, most: list_grants(connection, role, after=place, most=most),
            lambda found: found.id,
            lambda found: (
                state.rights.decide(principal, _READ, Resource(role=names[found.role_id])).allowed
            ),
            after,
            query.limit,
        )
        return Page(
            items=[_facts(found, names[found.role_id]) for found in grants],
            next=None if place is None else cursor_of("grants", place),
        )

    page = await read(state, listing)
    if role is None:
        await require_something(state, principal, _READ, page.items)
    return page


@router.post(
    "",
    summary="Add a grant",
    status_code=201,
    response_model=GrantFacts,
    responses=example(201, _GRANT) | problems(400, 409, 413) | _ON_ONE,
)
async def add(
    body: NewGrant, response: Response, principal: CurrentPrincipal, state: CurrentState
) -> GrantFacts:
    """Let a role do something, or forbid it."""
    role = await _role(state, principal, _WRITE, body.role)
    grant = Grant.build(body.effect, body.action, body.resource, purposes=body.purposes)
    named = f"role:{role.name}"
    grant_id = await change(
        state, principal, _WRITE, named, lambda work: add_grant(work, role, grant)
    )
    response.headers["location"] = f"/v1/grants/{grant_id}"
    return _facts(RoleGrant(grant_id, role.id, grant), role.name)


@router.get(
    "/{grant_id}",
    summary="Read a grant",
    response_model=GrantFacts,
    responses=example(200, _GRANT) | _ON_ONE,
)
async def show(grant_id: GrantId, principal: CurrentPrincipal, state: CurrentState) -> GrantFacts:
    """Read a grant."""
    return _facts(*await _found(state, principal, _READ, grant_id))


@router.delete("/{grant_id}", summary="Remove a grant", status_code=204, responses=_ON_ONE)
async def remove(grant_id: GrantId, principal: CurrentPrincipal, state: CurrentState) -> None:
    """Remove a grant; every worker knows within five seconds."""
    _, role = await _found(state, principal, _WRITE, grant_id)

    def removing(work: Work) -> None:
        remove_grant(work, grant_id)

    await change(state, principal, _WRITE, f"role:{role}", removing)


async def _role(state: ServiceState, principal: Principal, action: str, typed: str) -> Role:
    role = await read(state, lambda connection: role_named(connection, typed))
    await require_existing(state, principal, action, role_resource(typed), exists=role is not None)
    assert role is not None  # noqa: S101 - it was required
    return role


async def _found(
    state: ServiceState, principal: Principal, action: str, grant_id: int
) -> tuple[RoleGrant, str]:
    def finding(connection: Connection) -> tuple[RoleGrant, str] | None:
        try:
            grant = find_grant(connection, grant_id)
        except UnknownAccount:
            return None
        names = {role.id: role.name for role in list_roles(connection)}
        return grant, names[grant.role_id]

    found = await read(state, finding)
    resource = NOTHING if found is None else Resource(role=found[1])
    await require_existing(state, principal, action, resource, exists=found is not None)
    assert found is not None  # noqa: S101 - it was required
    return found


def _facts(found: RoleGrant, role: str) -> GrantFacts:
    purposes = found.grant.purposes
    return GrantFacts(
        id=found.id,
        role=role,
        effect=found.grant.effect,
        action=found.grant.action,
        resource=str(found.grant.resource),
        purposes=None if purposes is None else sorted(purposes),
    )
