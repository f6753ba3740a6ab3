"""Administration: what is looked up, who may change it, and changes that are in the audit log."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from tokenkit.access.names import checked_role_name, checked_user_name
from tokenkit.access.principals import Principal
from tokenkit.access.resources import NOTHING, Resource
from tokenkit.access.sealing import Sealer, access_key
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.roles import Role, find_role
from tokenkit.access.tables.users import User, find_user
from tokenkit.errors import (
    AccessBusy,
    AccessStale,
    InvalidAccess,
    ServiceError,
    StoreError,
    TokenkitError,
    UnknownAccount,
)
from tokenkit.service.authorization import UNSEEN, audit_refusal, forbidden, unknown
from tokenkit.service.state import ServiceState

_T = TypeVar("_T")
_OUTAGES = (StoreError, AccessStale, AccessBusy, ServiceError)
"""What keeps a change from being made and says nothing of who asked for it."""


async def read(state: ServiceState, function: Callable[[Connection], _T]) -> _T:
    """Read the tables, in a thread."""

    def reading() -> _T:
        with state.database.read() as connection:
            return function(connection)

    return await state.run(reading)


async def change(
    state: ServiceState,
    principal: Principal,
    action: str,
    named: str | None,
    function: Callable[[Work], _T],
) -> _T:
    """Make a change, in a transaction that its audit records are in too.

    Parameters
    ----------
    state, principal
        Where, and who asks.
    action, named
        What the audit log calls it, and what it is about, if it is refused.
    function
        Makes it.

    Raises
    ------
    TokenkitError
        If it can't be made. What isn't the database's fault is in the audit log as refused.
    """

    def changing() -> _T:
        with state.database.begin() as connection:
            work = Work(connection=connection, actor=principal.actor, auditor=state.audit)
            found = function(work)
        notice(state)
        return found

    try:
        return await state.run(changing)
    except _OUTAGES:
        raise
    except TokenkitError as error:
        failure = error
    await audit_refusal(state, principal.actor, action, named, failure.reason or failure.code)
    raise failure


def notice(state: ServiceState) -> None:
    """Let this worker see a change of rights at once, as the others do within seconds."""
    try:
        state.rights.refresh()
    except TokenkitError:
        # The change has been made; this worker learns of it like the others.
        return


async def require_existing(
    state: ServiceState,
    principal: Principal,
    action: str,
    resource: Resource,
    *,
    exists: bool = True,
) -> None:
    """Let something with an id be read or changed, or refuse it.

    What isn't there is answered like what the caller has no right to. A name that the caller made
    up is in no audit record.

    Raises
    ------
    UnknownResource
        If there is no such thing, or no right to it.
    Forbidden
        If there is a right, and something else is missing, such as a second factor.
    AccessStale, AuditUnavailable
        If the rights couldn't be read again in time, or the refusal not be written down.
    """
    decision = state.rights.decide(principal, action, resource)
    if decision.allowed and exists:
        return
    named = resource.named() if exists else None
    reason = "unknown" if decision.allowed else decision.reason
    await audit_refusal(state, principal.actor, action, named, reason)
    unseen = decision.allowed or decision.reason in UNSEEN
    raise unknown() if unseen else forbidden(decision.reason)


async def require_new(
    state: ServiceState, principal: Principal, action: str, resource: Resource
) -> None:
    """Let something be made, or refuse it; as :func:`require_existing`, but with 403."""
    decision = state.rights.decide(principal, action, resource)
    if not decision.allowed:
        await audit_refusal(state, principal.actor, action, None, decision.reason)
        raise forbidden(decision.reason)


async def require_own(state: ServiceState, principal: Principal, action: str) -> None:
    """Let somebody change what is his own, or refuse it; see :meth:`RightsCache.decide_own`."""
    decision = state.rights.decide_own(principal)
    if not decision.allowed:
        named = f"user:{principal.name}"
        await audit_refusal(state, principal.actor, action, named, decision.reason)
        raise forbidden(decision.reason)


async def require_something(
    state: ServiceState, principal: Principal, action: str, shown: Sequence[object]
) -> None:
    """Refuse a list to whom nothing of it may be shown, and who has no right to all of it."""
    decision = state.rights.decide(principal, action, NOTHING)
    if decision.allowed or (shown and decision.reason in UNSEEN):
        return
    await audit_refusal(state, principal.actor, action, None, decision.reason)
    raise forbidden(decision.reason)


def user_named(connection: Connection, typed: str) -> User | None:
    """Find a user by a name that somebody typed; None if there is none."""
    try:
        return find_user(connection, typed)
    except (InvalidAccess, UnknownAccount):
        return None


def role_named(connection: Connection, typed: str) -> Role | None:
    """Find a role by a name that somebody typed; None if there is none."""
    try:
        return find_role(connection, checked_role_name(typed))
    except (InvalidAccess, UnknownAccount):
        return None


def user_resource(typed: str) -> Resource:
    """Give what rights to a user are about; a name that can't be one's is about nothing."""
    try:
        return Resource(user=checked_user_name(typed))
    except InvalidAccess:
        return NOTHING


def role_resource(typed: str) -> Resource:
    """Give what rights to a role are about; a name that can't be one's is about nothing."""
    try:
        return Resource(role=checked_role_name(typed))
    except InvalidAccess:
        return NOTHING


def sealer(state: ServiceState) -> Sealer:
    """Give what seals second factors, under the key as it is now."""
    return Sealer(access_key(state.keyring))
