"""Who acts, as far as decisions need to know, and the snapshot that they are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

from tokenkit.access.actions import ADMINISTRATIVE, STEP_UP
from tokenkit.access.decisions import ALLOWED, Decision, Rights, Scopes, refusal
from tokenkit.access.grants import Grant
from tokenkit.access.resources import Resource

UserKind: TypeAlias = Literal["person", "service"]
"""A person signs in; a service has API keys only."""

FRESH_FOR = timedelta(minutes=10)
"""How long a second factor counts as fresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who has shown a session token or an API key.

    Attributes
    ----------
    user_id, name
        The user.
    via, id
        ``session`` or ``api-key``, and its id.
    stepped_up
        When the session last saw a second factor, in UTC.
    scopes
        What an API key is bound to.

    Examples
    --------
    >>> ann = Principal(user_id=UUID(int=1), name="ann", via="session", id=UUID(int=2))
    >>> ann.actor
    'ann'
    """

    user_id: UUID
    name: str
    via: Literal["session", "api-key"]
    id: UUID
    stepped_up: datetime | None = None
    scopes: Scopes | None = None

    @property
    def actor(self) -> str:
        """How the audit log names it."""
        return self.name if self.via == "session" else f"{self.name} api-key:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFacts:
    """What decisions need of a user who isn't disabled.

    Attributes
    ----------
    name, kind
        The user.
    roles
        The ids of the user's roles.
    has_second_factor
        Whether a second factor is set up.
    must_change_password
        Whether the password was given by somebody else.

    Examples
    --------
    >>> UserFacts(name="ann", roles=frozenset({1})).kind
    'person'
    """

    name: str
    kind: UserKind = "person"
    roles: frozenset[int] = frozenset()
    has_second_factor: bool = False
    must_change_password: bool = False


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What decisions need of a role: its grants, and whether it asks for a second factor.

    Examples
    --------
    >>> RoleFacts(True, (Grant.build("allow", "audit.read", "*"),)).requires_mfa
    True
    """

    requires_mfa: bool
    grants: tuple[Grant, ...] = ()


@dataclass(slots=True)
class Snapshot:
    """Users, roles and grants as they were at one version of the tables.

    Examples
    --------
    >>> role = RoleFacts(False, (Grant.build("allow", "tokenize", "key:payments"),))
    >>> ann = Principal(user_id=UUID(int=1), name="ann", via="session", id=UUID(int=2))
    >>> facts = {ann.user_id: UserFacts(name="ann", roles=frozenset({7}))}
    >>> snapshot = Snapshot(1, facts, {7: role})
    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> snapshot.decide(ann, "tokenize", Resource(key="payments"), now=now).outcome
    'allow'
    """

    version: int
    users: Mapping[UUID, UserFacts]
    roles: Mapping[int, RoleFacts]
    fresh_for: timedelta = FRESH_FOR
    _rights: dict[frozenset[int], tuple[Rights, bool]] = field(default_factory=dict, repr=False)

    def decide(
        self,
        principal: Principal,
        action: str,
        resource: Resource,
        purpose: str | None = None,
        *,
        now: datetime,
    ) -> Decision:
        """Decide whether somebody may do something.

        Parameters
        ----------
        principal, action, resource, purpose
            Who, what, with what, and what for.
        now
            The moment, in UTC.

        Returns
        -------
        Decision
            Refusals of the rights come before those that a code would lift, so that nobody is
            asked for a code in vain.
        """
        user = self.users.get(principal.user_id)
        if user is None:
            return refusal("unknown_user")
        if principal.scopes is not None and not principal.scopes.cover(action, resource):
            return refusal("outside_scope")
        rights, requires_mfa = self._rights_of(user.roles)
        decision = rights.decide(action, resource, purpose)
        if decision.outcome == "deny":
            return decision
        if principal.via == "api-key":
            return refusal("person_required") if action in ADMINISTRATIVE else decision
        return self._of_session(principal, user, requires_mfa, action, now) or decision

    def decide_own(self, principal: Principal, *, now: datetime) -> Decision:
        """Decide whether somebody may change what is his own: password, second factor, sessions.

        Whoever has a second factor must have shown it lately; who has none may set one up.
        """
        user = self.users.get(principal.user_id)
        if user is None:
            return refusal("unknown_user")
        if principal.via == "api-key":
            return refusal("person_required")
        if user.has_second_factor and not self._fresh(principal, now):
            return refusal("step_up_required")
        return ALLOWED

    def _of_session(
        self, principal: Principal, user: UserFacts, required: bool, action: str, now: datetime
    ) -> Decision | None:
        if user.must_change_password:
            return refusal("password_change_required")
        if required and principal.stepped_up is None:
            return refusal("second_factor_required")
        if action in STEP_UP and not self._fresh(principal, now):
            return refusal("step_up_required")
        return None

    def _fresh(self, principal: Principal, now: datetime) -> bool:
        since = principal.stepped_up
        return since is not None and now - since <= self.fresh_for

    def _rights_of(self, roles: frozenset[int]) -> tuple[Rights, bool]:
        found = self._rights.get(roles)
        if found is None:
            known = [self.roles[role] for role in roles if role in self.roles]
            rights = Rights(grant for role in known for grant in role.grants)
            found = rights, any(role.requires_mfa for role in known)
            self._rights[roles] = found
        return found
