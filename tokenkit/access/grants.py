"""Grants, and the scopes of API keys: rules that say what may be done with what."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias, get_args

from tokenkit.access.actions import DETOKENIZE, checked_action, matching_actions
from tokenkit.access.names import checked_purpose
from tokenkit.access.resources import Resource, ResourcePattern
from tokenkit.errors import InvalidAccess

Effect: TypeAlias = Literal["allow", "masked", "deny"]
EFFECTS: tuple[Effect, ...] = get_args(Effect)


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule of a role.

    Attributes
    ----------
    effect
        ``allow``, ``masked`` (of plaintext the last four characters) or ``deny``.
    action
        An action, ``AREA.*`` or ``*``.
    resource
        What it covers.
    purposes
        None if no purpose need be stated; else those of which one must be, or, if it is empty, any.

    Examples
    --------
    >>> grant = Grant.build("allow", "detokenize", "key:payments", purposes=["fraud-review"])
    >>> print(grant)
    allow detokenize on key:payments for fraud-review
    """

    effect: Effect
    action: str
    resource: ResourcePattern
    purposes: frozenset[str] | None = None

    @classmethod
    def build(
        cls,
        effect: str,
        action: str,
        resource: str | ResourcePattern,
        *,
        purposes: Iterable[str] | None = None,
    ) -> Self:
        """Check the parts and put them together.

        Raises
        ------
        InvalidAccess
            If there is no such effect or action, the resource or a purpose can't be read, a masked
            view is of something else than plaintext, or a denial depends on a purpose: it would
            not hold for who states another.
        """
        known = next((each for each in EFFECTS if each == effect), None)
        if known is None:
            raise InvalidAccess("a grant allows, masks or denies", reason="effect")
        if known == "masked" and action != DETOKENIZE:
            raise InvalidAccess(
                "a masked view is one of plaintext", reason="masked", hint="grant detokenize masked"
            )
        named = None if purposes is None else frozenset(map(checked_purpose, purposes))
        if known == "deny" and named is not None:
            raise InvalidAccess("a denial holds for every purpose", reason="purpose")
        pattern = ResourcePattern.parse(resource) if isinstance(resource, str) else resource
        return cls(known, checked_action(action), pattern, named)

    def __str__(self) -> str:
        text = f"{self.effect} {self.action} on {self.resource}"
        if self.purposes is None:
            return text
        return f"{text} for {', '.join(sorted(self.purposes)) or 'a stated purpose'}"


@dataclass(frozen=True, slots=True)
class Scope:
    """A bound on what an API key may do of what its owner may: ``ACTION`` or ``ACTION@RESOURCE``.

    Examples
    --------
    >>> scope = Scope.parse("tokenize@policy:orders")
    >>> scope.covers("tokenize", Resource(policy="orders")), scope.covers("tokenize", Resource())
    (True, False)
    """

    action: str
    resource: ResourcePattern

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a scope; raises :class:`~tokenkit.errors.InvalidAccess` if it can't be read."""
        action, at, resource = text.partition("@")
        return cls(checked_action(action), ResourcePattern.parse(resource if at else "*"))

    def covers(self, action: str, resource: Resource) -> bool:
        """Whether it covers an action on a resource."""
        return action in matching_actions(self.action) and self.resource.matches(resource)

    def __str__(self) -> str:
        return self.action if str(self.resource) == "*" else f"{self.action}@{self.resource}"


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    """Read the scopes of an API key; there must be one.

    Examples
    --------
    >>> [str(scope) for scope in parse_scopes(["tokenize", "detokenize@key:payments"])]
    ['tokenize', 'detokenize@key:payments']
    """
    scopes = tuple(Scope.parse(text) for text in texts)
    if not scopes:
        raise InvalidAccess("an API key needs a scope", reason="scope", hint="such as tokenize")
    return scopes
