"""Who may have a file done by a policy: whoever has the right to each column that it turns."""

from typing import TYPE_CHECKING

from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.policy import ColumnRule, Policy
from tokenkit.service.authorization import audit_refusal, forbidden
from tokenkit.service.columns import Operation
from tokenkit.service.state import ServiceState

if TYPE_CHECKING:
    from tokenkit.errors import TokenkitError


async def require_policy(
    state: ServiceState,
    principal: Principal,
    operation: Operation,
    name: str,
    purpose: str | None,
) -> Policy:
    """Let a file be done by a policy, or refuse it; the refusal is in the audit log first.

    Who has no right to it learns nothing of a policy: one that isn't there is refused like one that
    is.

    Raises
    ------
    Forbidden
        If there is no right to a column that it turns.
    AccessStale, AuditUnavailable
        If the rights couldn't be read again in time, or the refusal not be written.
    """
    policy = state.policies.get(name)
    resources = [Resource(policy=None if "/" in name else name)]
    if policy is not None:
        turned = {
            column: fate for column, fate in policy.columns.items() if isinstance(fate, ColumnRule)
        }
        resources = [
            Resource(policy=name, column=column, key=rule.key, domain=rule.domain)
            for column, rule in turned.items()
        ] or resources
    failure: TokenkitError | None = None
    for resource in resources:
        decision = state.rights.decide(principal, operation, resource, purpose)
        if not decision.allowed:
            failure = forbidden(decision.reason)
        if failure is not None:
            break
    if policy is None and failure is None:
        failure = forbidden("not_granted")
    if policy is None or failure is not None:
        assert failure is not None  # noqa: S101 - one of the two is there
        named = None if policy is None else f"policy:{name}"
        await audit_refusal(state, principal.actor, operation, named, failure.reason)
        raise failure
    return policy
