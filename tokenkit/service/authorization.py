"""Whether it may be done: decisions, and refusals that are in the audit log before the answer."""

from tokenkit.access.decisions import Decision
from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.access.tables.changes import utc_now
from tokenkit.errors import Forbidden, TokenkitError, UnknownResource
from tokenkit.lineage import AuditRecord
from tokenkit.service.state import ServiceState

_HINTS = {
    "not_granted": "ask whoever manages rights for a grant",
    "purpose_required": "say what it is for: the field purpose",
    "purpose_not_granted": "this purpose isn't one that is granted",
    "outside_scope": "the API key has no scope for it; use another one",
    "second_factor_required": "sign in with a second factor",
    "step_up_required": "show a second factor again",
    "password_change_required": "change the password first",
    "person_required": "sign in: API keys can't do this",
}
UNSEEN = {"not_granted", "denied", "outside_scope", "unknown_user"}
"""Reasons for which a resource with an id of its own is kept unseen."""


async def require(
    state: ServiceState,
    principal: Principal,
    action: str,
    resource: Resource,
    purpose: str | None = None,
    *,
    hidden: bool = False,
) -> Decision:
    """Let something be done, or refuse it.

    Parameters
    ----------
    state, principal, action, resource, purpose
        Who, what, with what, and what for.
    hidden
        Whether who has no right to it isn't to learn that it exists.

    Raises
    ------
    Forbidden
        If there is no right to do it.
    UnknownResource
        The same, where it is hidden.
    AccessStale
        If the rights couldn't be read again in time.
    AuditUnavailable
        If the refusal couldn't be written down.
    """
    decision = state.rights.decide(principal, action, resource, purpose)
    if decision.allowed:
        return decision
    unseen = hidden and decision.reason in UNSEEN
    await audit_refusal(state, principal.actor, action, resource.named(), decision.reason)
    raise unknown() if unseen else forbidden(decision.reason)


async def audit_refusal(
    state: ServiceState, actor: str, action: str, named: str | None, reason: str | None
) -> None:
    """Write a refusal down; raises :class:`~tokenkit.errors.AuditUnavailable` if that fails."""
    record = AuditRecord(
        at=utc_now(), actor=actor, action=action, outcome="refused", object=named, reason=reason
    )
    await state.audit.write([record])


def forbidden(reason: str) -> TokenkitError:
    """Say that there is no right to it, and what would help."""
    return Forbidden("no right to do this", reason=reason, hint=_HINTS.get(reason))


def unknown() -> TokenkitError:
    """Say that there is no such thing, which is all that one without rights learns."""
    return UnknownResource("there is no such thing, or no right to it", reason="unknown")
