"""A token operation from its rights to its audit record: the way that every body takes."""

import json
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import pyarrow as pa
from starlette.requests import Request

from tokenkit.access.decisions import Decision
from tokenkit.access.masking import mask, masked
from tokenkit.access.principals import Principal
from tokenkit.access.tables.changes import utc_now
from tokenkit.errors import AccessStale, AuditUnavailable, Forbidden, TokenkitError
from tokenkit.lineage import AuditRecord
from tokenkit.policy import ColumnRule
from tokenkit.schemes import all_schemes
from tokenkit.service.authorization import audit_refusal, forbidden
from tokenkit.service.columns import Operation, ResolvedColumn, Target
from tokenkit.service.guards import ManyValues, OneValue, TokenCall, TokenResult
from tokenkit.service.state import ServiceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """That something may be done: with which column, and whether in plain."""

    column: ResolvedColumn
    decision: Decision
    purpose: str | None


async def permit(
    state: ServiceState,
    principal: Principal,
    operation: Operation,
    target: Target,
    purpose: str | None,
) -> Permission:
    """Let a target be called, or refuse it; the refusal is in the audit log first.

    Who has no right learns nothing: what isn't there is refused like what is.

    Raises
    ------
    Forbidden
        If there is no right.
    UnknownResource, InvalidRequest, SchemeError, KeyringError
        If there is a right, but no such thing, or it can't be called.
    AccessStale, AuditUnavailable
        If the rights couldn't be read, or the refusal not be written.
    """
    failure: TokenkitError | None = None
    column: ResolvedColumn | None = None
    try:
        column = state.columns.resolve(operation, target)
        resource = column.resource
    except TokenkitError as error:
        failure, resource = error, target.resource()
    decision = state.rights.decide(principal, operation, resource, purpose)
    if not decision.allowed:
        failure = forbidden(decision.reason)
    if column is None or failure is not None:
        assert failure is not None  # noqa: S101 - one of the two is there
        await refuse(state, principal, operation, target, failure)
        raise failure
    return Permission(column=column, decision=decision, purpose=purpose)


async def refuse(
    state: ServiceState,
    principal: Principal,
    operation: Operation,
    target: Target,
    failure: TokenkitError,
) -> None:
    """Write down that a request was refused, by names that are known only."""
    if isinstance(failure, AuditUnavailable | AccessStale):
        return
    # Names of what isn't there were made up by the caller, and may be values.
    known = isinstance(failure, Forbidden) and _is_known(state, target)
    named = named_for_refusal(state, target) if known else None
    reason = failure.reason or failure.code
    await audit_refusal(state, principal.actor, operation, named, reason)


def named_for_refusal(state: ServiceState, target: Target) -> str:
    """Name a target whose key or policy is there; without a domain that the caller made up.

    Whoever may make a call has its domain in the log, which is then part of what was done.
    """
    resource = target.resource()
    if target.domain is None:
        return resource.named()
    domains = {scheme.name for scheme in all_schemes()} | {
        fate.domain
        for policy in state.policies.values()
        for fate in policy.columns.values()
        if isinstance(fate, ColumnRule)
    }
    return (resource if target.domain in domains else resource._replace(domain=None)).named()


def _is_known(state: ServiceState, target: Target) -> bool:
    if target.policy is not None:
        policy = state.policies.get(target.policy)
        return policy is not None and target.column in policy.columns
    if target.key not in state.keyring:
        return False
    try:
        state.columns.resolve("tokenize", replace(target, version=None))
    except TokenkitError:
        return False
    return True


async def perform(
    state: ServiceState,
    request: Request,
    body: bytes,
    principal: Principal,
    operation: Operation,
    permission: Permission,
    given: OneValue | ManyValues,
    *,
    extra: dict[str, Any] | None = None,
) -> TokenResult:
    """Make a call, and write it down before anything of it is given out.

    Raises
    ------
    TokenkitError
        If it can't be made, a guard refuses it, or it can't be written down.
    """
    column = permission.column
    call = TokenCall(
        operation=operation,
        request=request,
        body=body,
        principal=principal,
        column=column,
        decision=permission.decision,
        purpose=permission.purpose,
        given=given,
        extra=extra or {},
    )
    failure: TokenkitError
    try:
        with state.traces.span(operation, **_told(call)):
            for guard in state.guards:
                await guard.before(call)
            result = await _run(state, call)
            for guard in state.guards:
                await guard.after(call, result)
        record = audit_record(state, call, result)
    except TokenkitError as error:
        failure = error
    else:
        try:
            with state.traces.span("audit"):
                await state.audit.write([record], result.within)
        except TokenkitError:
            await _tell_failed(state, call)
            raise
        return result
    await _tell_failed(state, call)
    if not isinstance(failure, AuditUnavailable | AccessStale):
        reason = failure.reason or failure.code
        await audit_refusal(state, principal.actor, operation, column.named, reason)
    raise failure


def _told(call: TokenCall) -> dict[str, str | int]:
    rule = call.column.rule
    return {"scheme": rule.scheme.name, "key": rule.key, "values": call.count}


async def _run(state: ServiceState, call: TokenCall) -> TokenResult:
    column, given = call.column.call, call.given
    hidden = call.decision.outcome == "masked"
    if isinstance(given, OneValue):
        found, reason = column.run_one(given.value, given.tweak)
        return TokenResult(mask(found) if hidden else found, reason)
    if len(given.values) > _INLINE:
        values, reasons = await state.run(column.run, given.values, given.tweaks)
    else:
        values, reasons = column.run(given.values, given.tweaks)
    return TokenResult(_masked(values) if hidden else values, reasons)


async def _tell_failed(state: ServiceState, call: TokenCall) -> None:
    for guard in state.guards:
        await guard.failed(call)


_INLINE = 4_096
"""Values up to which a call costs less than handing it to a thread."""


def _masked(values: pa.Array) -> pa.Array:
    shown = pl.select(masked(pl.lit(pl.Series(values)))).to_series()
    return shown.to_arrow().cast(pa.string())


def audit_record(state: ServiceState, call: TokenCall, result: TokenResult) -> AuditRecord:
    """Say what was done; a single value is named by the keyed hash of its token."""
    column, count, failed = call.column, call.count, result.failed
    detail: dict[str, Any] = {}
    if call.purpose is not None:
        detail["purpose"] = call.purpose
    if call.decision.outcome == "masked":
        detail["masked"] = True
    token_hash = reason = None
    if isinstance(call.given, OneValue):
        made, reason = result.first
        token = made if call.operation == "tokenize" else call.given.value
        if token is not None and not failed:
            token_hash = state.audit.token_hash(column.rule.domain, str(token))
    elif failed:
        counted = pl.Series(result.reasons).drop_nulls().value_counts()
        detail["reasons"] = dict(sorted(counted.iter_rows()))
    return AuditRecord(
        at=utc_now(),
        actor=call.principal.actor,
        action=call.operation,
        outcome="failed" if failed == count and count else "complete",
        object=column.named,
        key=column.version.name,
        key_id=column.version.id,
        count=count,
        reason=reason,
        token_hash=token_hash,
        detail=json.dumps(detail, sort_keys=True) if detail else None,
    )
