"""``/v1/tokens``: records of tokens, and whether tokens are what they should be."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.access.tables.changes import utc_now
from tokenkit.errors import InvalidRequest, TokenkitError
from tokenkit.lineage import AuditRecord
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.authorization import audit_refusal, forbidden, unknown
from tokenkit.service.bodies.json import TokenBody
from tokenkit.service.columns import ResolvedColumn
from tokenkit.service.guards import ManyValues, OneValue
from tokenkit.service.operations import named_for_refusal
from tokenkit.service.routes.documentation import problems
from tokenkit.service.routes.token_cursors import next_cursor, place_of
from tokenkit.service.state import ServiceState
from tokenkit.service.token_records import State, TokenRecord

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])

_SEALED = "AES-SIV"


class RecordBody(BaseModel):
    """A record of a token. It never has the value."""

    id: UUID
    token: str
    key: str = Field(description="The key's name.")
    key_id: int = Field(description="The id of the key version that made the token.")
    domain: str
    scheme: str
    metadata: dict[str, Any] | None = None
    state: State
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    version: int = Field(description="1 at first, counted up by each change.")


class RecordPage(BaseModel):
    """Some records, and where the next ones are."""

    items: list[RecordBody]
    next: str | None = Field(default=None, description="The cursor of the next page, if any.")


class ValidityBody(BaseModel):
    """What can be said of a token without turning it back."""

    well_formed: bool = Field(description="Whether the scheme could have made it.")
    reason: str | None = Field(default=None, description="Why it isn't well-formed.")
    domain: Literal["confirmed", "unconfirmed", "other"] = Field(
        description="Whether it is of this key version and domain: a sealed token and one with a "
        "record say so themselves; others can't be told apart."
    )
    record: Literal["none", "active", "expired", "revoked"] = Field(
        description="The state of the caller's record of it."
    )


class ValidityAnswer(BaseModel):
    """The same of each token, in their order."""

    results: list[ValidityBody]


@router.get(
    "",
    summary="List one's records",
    response_model=RecordPage,
    responses=problems(401, 403, 422, 429, 503),
)
async def list_records(
    principal: CurrentPrincipal,
    state: CurrentState,
    cursor: Annotated[str | None, Query(max_length=128)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> RecordPage:
    """List the caller's records that it may read, in the order in which they were made."""
    after = None if cursor is None else place_of(cursor)
    found = await state.run(state.records.listed, principal.user_id, after=after, count=limit)
    seen = [record for record in found if _may(state, principal, "tokens.read", record)]
    if found and not seen:
        await audit_refusal(state, principal.actor, "tokens.read", None, "not_granted")
        raise forbidden("not_granted")
    await _write(state, principal, "tokens.read", "token:*", count=len(seen))
    last = found[-1] if len(found) == limit else None
    return RecordPage(
        items=[_body(state, record) for record in seen],
        next=None if last is None else next_cursor(last.created, last.id),
    )


@router.get(
    "/{record_id}",
    summary="Read a record",
    response_model=RecordBody,
    responses=problems(401, 404, 422, 429, 503),
)
async def read_record(
    record_id: UUID, principal: CurrentPrincipal, state: CurrentState
) -> RecordBody:
    """Give a record of the caller's own, or of a user whose records it may read."""
    record = await _found(state, principal, "tokens.read", record_id)
    await _write(state, principal, "tokens.read", f"token:{record.id}")
    return _body(state, record)


@router.post(
    "/{record_id}/revoke",
    summary="Revoke a token for its caller",
    response_model=RecordBody,
    responses=problems(401, 404, 422, 429, 503),
)
async def revoke_record(
    record_id: UUID, principal: CurrentPrincipal, state: CurrentState
) -> RecordBody:
    """Revoke a token, for good, for the caller whose record it is; done again, nothing changes."""
    record = await _found(state, principal, "tokens.write", record_id)

    def revoke(connection: Connection) -> None:
        state.records.revoke(connection, record.id)

    try:
        await state.audit.write(
            [_audited(principal, "token.revoke", f"token:{record.id}", key=record.key)], [revoke]
        )
    finally:
        state.records.forget()
    return _body(state, await state.run(state.records.find, record.id))


@router.post(
    "/validate",
    summary="Say whether tokens are well-formed, known, expired or revoked",
    response_model=ValidityAnswer,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def validate(
    body: TokenBody, principal: CurrentPrincipal, state: CurrentState
) -> ValidityAnswer:
    """Look at one token or a list, named as for detokenizing; nothing is turned back."""
    if body.store or body.metadata is not None or body.expires_at is not None:
        raise InvalidRequest("nothing is kept here", location="body.store", reason="tokenize_only")
    column = await _readable(state, principal, body)
    tokens, reasons = await state.run(_looked_at, column, body.given(state.settings.most_values))
    place = (column.version.id, column.rule.domain)
    states: dict[int, State] = await state.run(
        state.records.states_of, principal.user_id, *place, tokens
    )
    sealed = column.rule.scheme.algorithm == _SEALED
    results = [
        _validity(reason, states.get(position), sealed=sealed)
        for position, reason in enumerate(reasons)
    ]
    await _write(
        state,
        principal,
        "tokens.validate",
        column.named,
        key=column.version.name,
        key_id=column.version.id,
        count=len(results),
    )
    return ValidityAnswer(results=results)


def _looked_at(
    column: ResolvedColumn, given: OneValue | ManyValues
) -> tuple[list[str | int | None], list[str | None]]:
    """Give the tokens, and why those that aren't well-formed aren't."""
    if isinstance(given, OneValue):
        return [given.value], [column.call.run_one(given.value, given.tweak)[1]]
    _, reasons = column.call.run(given.values, given.tweaks)
    return given.values.to_pylist(), reasons.to_pylist()


def _validity(reason: str | None, record: State | None, *, sealed: bool) -> ValidityBody:
    wrong = reason in _NOT_OURS
    return ValidityBody(
        well_formed=reason is None or wrong,
        reason=reason,
        domain="other"
        if wrong
        else "confirmed"
        if record is not None or (sealed and reason is None)
        else "unconfirmed",
        record="none" if record is None else record,
    )


_NOT_OURS = frozenset({"integrity"})
"""Reasons of sealed tokens that another key version or domain has made."""


async def _readable(state: ServiceState, principal: Principal, body: TokenBody) -> ResolvedColumn:
    """Resolve what a request names, for whoever may read its tokens."""
    target = body.target()
    column: ResolvedColumn | None = None
    failure: TokenkitError | None = None
    try:
        column = state.columns.resolve("detokenize", target)
    except TokenkitError as error:
        failure = error
    resource = target.resource() if column is None else column.resource
    decision = state.rights.decide(principal, "tokens.read", resource, body.purpose)
    if decision.allowed and column is not None:
        return column
    # Names of what isn't there were made up by the caller, and may be values.
    named = None if column is None else named_for_refusal(state, target)
    if not decision.allowed or failure is None:
        failure = forbidden(decision.reason)
    await audit_refusal(
        state, principal.actor, "tokens.validate", named, failure.reason or failure.code
    )
    raise failure


async def _found(
    state: ServiceState, principal: Principal, action: str, record_id: UUID
) -> TokenRecord:
    """Find a record that may be read or changed; what may not be isn't there."""
    refused = True
    record: TokenRecord | None = None
    try:
        record = await state.run(state.records.find, record_id)
    except LookupError:
        refused = False
    if record is not None and _may(state, principal, action, record):
        return record
    reason = "not_granted" if refused else "unknown"
    named = f"token:{record_id}" if refused else None
    await audit_refusal(state, principal.actor, action, named, reason)
    raise unknown()


def _may(state: ServiceState, principal: Principal, action: str, record: TokenRecord) -> bool:
    resource = Resource(key=record.key, domain=record.domain)
    if record.caller_id == principal.user_id:
        return state.rights.decide(principal, action, resource).allowed
    # A right to a key's tokens isn't one to other callers' records; that one names the user.
    owner = state.rights.name_of(record.caller_id)
    return (
        owner is not None
        and state.rights.decide(principal, action, Resource(user=owner)).allowed
        and state.rights.decide(principal, action, resource._replace(user=owner)).allowed
    )


def _body(state: ServiceState, record: TokenRecord) -> RecordBody:
    return RecordBody(
        id=record.id,
        token=record.token,
        key=record.key,
        key_id=record.key_id,
        domain=record.domain,
        scheme=record.scheme,
        metadata=record.metadata,
        state=record.state(state.records.now()),
        created_at=record.created,
        expires_at=record.expires,
        revoked_at=record.revoked,
        version=record.version,
    )


async def _write(
    state: ServiceState, principal: Principal, action: str, named: str, **facts: Any
) -> None:
    await state.audit.write([_audited(principal, action, named, **facts)])


def _audited(principal: Principal, action: str, named: str, **facts: Any) -> AuditRecord:
    return AuditRecord(
        at=utc_now(),
        actor=principal.actor,
        action=action,
        outcome="complete",
        object=named,
        **facts,
    )
