"""Decisions: grants, compiled so that a question is answered in about a microsecond.

Nothing is allowed that no grant allows; a denial wins over every permission. Of several
permissions the widest counts: the plaintext over the masked view.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from tokenkit.access.actions import matching_actions
from tokenkit.access.grants import Effect, Grant, Scope
from tokenkit.access.resources import ANYTHING, Resource

Outcome: TypeAlias = Literal["allow", "masked", "deny"]
Reason: TypeAlias = Literal[
    "granted",
    "not_granted",
    "denied",
    "purpose_required",
    "purpose_not_granted",
    "outside_scope",
    "unknown_user",
    "second_factor_required",
    "step_up_required",
    "password_change_required",
    "person_required",
    "not_authenticated",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be done, and why.

    Attributes
    ----------
    outcome
        ``allow``, ``masked`` or ``deny``.
    reason
        A stable word.

    Examples
    --------
    >>> MASKED.allowed, refusal("not_granted").allowed
    (True, False)
    """

    outcome: Outcome
    reason: Reason

    @property
    def allowed(self) -> bool:
        """Whether it may be done at all, be it masked."""
        return self.outcome != "deny"


ALLOWED = Decision("allow", "granted")
MASKED = Decision("masked", "granted")
_REFUSALS: dict[Reason, Decision] = {}


def refusal(reason: Reason) -> Decision:
    """Give the decision that refuses for a reason.

    Examples
    --------
    >>> refusal("denied")
    Decision(outcome='deny', reason='denied')
    """
    return _REFUSALS.setdefault(reason, Decision("deny", reason))


class _Purposes(NamedTuple):
    """For which purposes something is permitted, by all grants together."""

    without: bool
    stated: bool
    named: frozenset[str]

    def cover(self, purpose: str | None) -> bool:
        return self.without or (
            purpose is not None and bool(purpose) and (self.stated or purpose in self.named)
        )


class _Verdict(NamedTuple):
    denied: bool
    plain: _Purposes | None
    masked: _Purposes | None


def _merged(grants: list[Grant]) -> _Purposes | None:
    if not grants:
        return None
    stated = [grant.purposes for grant in grants if grant.purposes is not None]
    return _Purposes(
        without=any(grant.purposes is None for grant in grants),
        stated=any(not purposes for purposes in stated),
        named=frozenset().union(*stated),
    )


@dataclass(slots=True)
class _Rules:
    """The grants that concern one action, by what they are about."""

    everywhere: list[Grant] = field(default_factory=list)
    exact: dict[tuple[str, str], list[Grant]] = field(default_factory=dict)
    patterns: dict[str, list[tuple[re.Pattern[str], Grant]]] = field(default_factory=dict)

    def add(self, grant: Grant) -> None:
        pattern = grant.resource
        if pattern.kind == ANYTHING:
            self.everywhere.append(grant)
        elif pattern.is_exact:
            self.exact.setdefault((pattern.kind, pattern.name), []).append(grant)
        else:
            found = (pattern.expression(), grant)
            self.patterns.setdefault(pattern.kind, []).append(found)

    def verdict(self, resource: Resource) -> _Verdict:
        found = list(self.everywhere)
        for kind, name in resource.facets():
            found += self.exact.get((kind, name), ())
            found += [
                grant
                for expression, grant in self.patterns.get(kind, ())
                if expression.fullmatch(name)
            ]
        by_effect: dict[Effect, list[Grant]] = {"allow": [], "masked": [], "deny": []}
        for grant in found:
            by_effect[grant.effect].append(grant)
        return _Verdict(
            bool(by_effect["deny"]), _merged(by_effect["allow"]), _merged(by_effect["masked"])
        )


_NO_RULES = _Rules()
_MOST_REMEMBERED = 4096


class Rights:
    """What the grants of some roles come to. Answers are remembered, and bounded in number.

    Examples
    --------
    >>> rights = Rights([
    ...     Grant.build("allow", "tokenize", "policy:orders"),
    ...     Grant.build("deny", "*", "column:orders/ssn"),
    ... ])
    >>> rights.decide("tokenize", Resource(policy="orders", column="card")).outcome
    'allow'
    >>> rights.decide("tokenize", Resource(policy="orders", column="ssn")).reason
    'denied'
    """

    __slots__ = ("_remembered", "_rules")

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._rules: dict[str, _Rules] = {}
        self._remembered: dict[tuple[str, Resource], _Verdict] = {}
        for grant in grants:
            for action in matching_actions(grant.action, denied=grant.effect == "deny"):
                self._rules.setdefault(action, _Rules()).add(grant)

    def decide(self, action: str, resource: Resource, purpose: str | None = None) -> Decision:
        """Decide on an action.

        Parameters
        ----------
        action
            One of :data:`~tokenkit.access.actions.ACTIONS`; any other is refused.
        resource
            What it is about.
        purpose
            What it is for, where a grant asks for that.
        """
        denied, plain, masked = self._verdict(action, resource)
        if denied:
            return refusal("denied")
        if plain is not None and plain.cover(purpose):
            return ALLOWED
        if masked is not None and masked.cover(purpose):
            return MASKED
        if plain is None and masked is None:
            return refusal("not_granted")
        return refusal("purpose_not_granted" if purpose else "purpose_required")

    def _verdict(self, action: str, resource: Resource) -> _Verdict:
        question = (action, resource)
        found = self._remembered.get(question)
        if found is None:
            found = self._rules.get(action, _NO_RULES).verdict(resource)
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[question] = found
        return found


class Scopes:
    """What an API key may do at most, remembered like rights.

    Examples
    --------
    >>> from tokenkit.access.grants import parse_scopes
    >>> Scopes(parse_scopes(["tokenize"])).cover("detokenize", Resource(key="payments"))
    False
    """

    __slots__ = ("_remembered", "_scopes")

    def __init__(self, scopes: tuple[Scope, ...]) -> None:
        self._scopes = scopes
        self._remembered: dict[tuple[str, Resource], bool] = {}

    def cover(self, action: str, resource: Resource) -> bool:
        """Whether a scope covers an action on a resource."""
        question = (action, resource)
        found = self._remembered.get(question)
        if found is None:
            found = any(scope.covers(action, resource) for scope in self._scopes)
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[question] = found
        return found
