"""``/v1/policies``: what happens to which column, as far as the caller may read it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.policy import ColumnRule, Policy
from tokenkit.service.administration import require_existing, require_something
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.pages import Page, PageQuery, cursor_of, filled, read_cursor
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/policies", tags=["policies"])
_READ = "policies.read"

PolicyName = Annotated[
    str, Path(min_length=1, max_length=256, description="The policy's name.", examples=["orders"])
]


class PolicyColumn(BaseModel):
    """What happens to a column, or to those that a pattern means."""

    name: str
    action: Literal["tokenize", "keep", "drop"]
    scheme: str | None = None
    key: str | None = None
    domain: str | None = None
    tweak: str | None = Field(default=None, description="The column that separates equal values.")


class PolicyFacts(BaseModel):
    """A policy."""

    name: str
    digest: str = Field(description="SHA-256 of its canonical JSON.")
    unlisted: Literal["error", "keep", "drop"] = Field(
        description="What happens to columns that it doesn't name."
    )
    columns: list[PolicyColumn] = Field(description="Those that the caller may read.")


_POLICY = {
    "name": "orders",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "unlisted": "error",
    "columns": [
        {
            "name": "card",
            "action": "tokenize",
            "scheme": "credit-card",
            "key": "payments",
            "domain": "credit-card",
            "tweak": None,
        }
    ],
}


@router.get(
    "",
    summary="List policies",
    response_model=Page[PolicyFacts],
    responses=example(200, {"items": [_POLICY], "next": None})
    | problems(401, 403, 422, 429, 500, 503),
)
async def list_(
    query: Annotated[PageQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[PolicyFacts]:
    """List the policies that the caller may read, or of which a column, by name."""
    after = None if query.cursor is None else str(read_cursor(query.cursor, "policies", str)[0])
    policies = state.policies
    names = sorted(policies)
    found, place = filled(
        lambda place, most: [name for name in names if place is None or name > place][:most],
        lambda name: name,
        lambda name: _visible(state, principal, name, policies[name]) is not None,
        after,
        query.limit,
    )
    await require_something(state, principal, _READ, found)
    shown = [_visible(state, principal, name, policies[name]) for name in found]
    return Page(
        items=[facts for facts in shown if facts is not None],
        next=None if place is None else cursor_of("policies", place),
    )


@router.get(
    "/{name}",
    summary="Read a policy",
    response_model=PolicyFacts,
    responses=example(200, _POLICY) | problems(401, 403, 404, 422, 429, 500, 503),
)
async def show(name: PolicyName, principal: CurrentPrincipal, state: CurrentState) -> PolicyFacts:
    """Read a policy: its digest, and those of its columns that the caller may read."""
    policy = state.policies.get(name)
    found = None if policy is None else _visible(state, principal, name, policy)
    if found is None:
        resource = Resource(policy=None if "/" in name else name)
        await require_existing(state, principal, _READ, resource, exists=policy is not None)
    assert found is not None  # noqa: S101 - who may read the policy sees it
    return found


def _visible(
    state: ServiceState, principal: Principal, name: str, policy: Policy
) -> PolicyFacts | None:
    """Give what may be read of a policy; None for nothing."""

    def may(resource: Resource) -> bool:
        return state.rights.decide(principal, _READ, resource).allowed

    columns = [
        _column(column, fate)
        for column, fate in policy.columns.items()
        if may(_resource(name, column, fate))
    ]
    if not columns and not may(Resource(policy=name)):
        return None
    return PolicyFacts(name=name, digest=policy.digest, unlisted=policy.unlisted, columns=columns)


def _resource(policy: str, column: str, fate: ColumnRule | str) -> Resource:
    if isinstance(fate, ColumnRule):
        return Resource(policy=policy, column=column, key=fate.key, domain=fate.domain)
    return Resource(policy=policy, column=column)


def _column(name: str, fate: ColumnRule | Literal["keep", "drop"]) -> PolicyColumn:
    if not isinstance(fate, ColumnRule):
        return PolicyColumn(name=name, action=fate)
    return PolicyColumn(
        name=name,
        action="tokenize",
        scheme=fate.scheme.name,
        key=fate.key,
        domain=fate.domain,
        tweak=fate.tweak,
    )
