"""What a request names: a policy's column, or a scheme and key; resolved once and held ready."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tokenkit.access.resources import Resource
from tokenkit.engines.column import ColumnCall, choose_version
from tokenkit.engines.prepared import PreparedColumn
from tokenkit.errors import InvalidRequest, KeyVersionUnknown, UnknownResource
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.policy import ColumnRule, Policy

Operation: TypeAlias = Literal["tokenize", "detokenize"]

RESERVED = "tokenkit."
"""Domains that begin so seal what tokenkit itself keeps, and are no caller's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request names, as it names it.

    Examples
    --------
    >>> Target(policy="orders", column="card").resource().named()
    'policy:orders column:orders/card'
    """

    policy: str | None = None
    column: str | None = None
    scheme: str | None = None
    key: str | None = None
    domain: str | None = None
    version: int | Literal["primary"] | None = None
    parameters: tuple[tuple[str, Hashable], ...] = ()
    with_tweak: bool = False

    def resource(self) -> Resource:
        """Give what can be said of it without looking anything up."""
        return Resource(
            policy=self.policy, column=self.column, key=self.key, domain=self.domain or self.scheme
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedColumn:
    """A column that can be called.

    Attributes
    ----------
    call
        Runs it.
    rule
        Its scheme, domain and the rest.
    version
        The key version.
    resource, named
        What rights are about, and the same in words for the audit log.
    """

    call: PreparedColumn
    rule: ColumnRule
    version: KeyVersion
    resource: Resource
    named: str


class ColumnCalls:
    """Resolves what requests name, and holds the latest of it.

    Parameters
    ----------
    keyring, policies
        Give the keyring and the policies as they are now.
    most
        How many are held.
    """

    def __init__(
        self,
        keyring: Callable[[], Keyring],
        policies: Callable[[], Mapping[str, Policy]],
        most: int,
    ) -> None:
        self._keyring = keyring
        self._policies = policies
        self._most = most
        self._held: OrderedDict[tuple[Operation, Target], ResolvedColumn] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def resolve(self, operation: Operation, target: Target) -> ResolvedColumn:
        """Resolve what a request names.

        Raises
        ------
        UnknownResource
            If there is no such policy or column.
        InvalidRequest, SchemeError, KeyringError
            If it can't be called.
        """
        question = (operation, target)
        found = self._held.get(question)
        if found is not None:
            self.hits += 1
            self._held.move_to_end(question)
            return found
        self.misses += 1
        found = self._resolved(operation, target)
        self._held[question] = found
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return found

    def forget(self) -> None:
        """Drop everything: keys or policies have changed."""
        self._held.clear()

    def __len__(self) -> int:
        return len(self._held)

    def _resolved(self, operation: Operation, target: Target) -> ResolvedColumn:
        keyring = self._keyring()
        rule = self._rule(target, keyring)
        if rule.key not in keyring:
            raise UnknownResource("there is no such key", reason="key")
        if rule.domain.startswith(RESERVED):
            raise InvalidRequest(
                f"domains that begin with {RESERVED} are kept for tokenkit itself",
                location="body.domain",
                reason="reserved",
            )
        version = _version(rule, operation, keyring, target.version)
        if rule.tweak is not None and not target.with_tweak:
            raise InvalidRequest(
                "the column needs a tweak for each value", location="body.tweaks", reason="missing"
            )
        if rule.tweak is None and target.with_tweak and target.policy is not None:
            raise InvalidRequest(
                "the column has no tweak", location="body.tweaks", reason="unexpected"
            )
        call = ColumnCall(
            rule=rule,
            version=version,
            operation=operation,
            output="outcome",
            has_tweak_column=target.with_tweak,
        )
        resource = Resource(
            policy=target.policy, column=target.column, key=rule.key, domain=rule.domain
        )
        return ResolvedColumn(
            call=PreparedColumn(call),
            rule=rule,
            version=version,
            resource=resource,
            named=resource.named(),
        )

    def _rule(self, target: Target, keyring: Keyring) -> ColumnRule:
        if target.policy is None:
            parameters: dict[str, Any] = dict(target.parameters)
            if isinstance(keep := parameters.get("keep"), tuple):
                parameters["keep"] = dict(keep)
            return ColumnRule.build(
                target.scheme, key=target.key, domain=target.domain, **parameters
            )
        policy = self._policies().get(target.policy)
        fate = None if policy is None or target.column is None else policy.fate(target.column)
        if policy is None or not isinstance(fate, ColumnRule):
            raise UnknownResource(
                "there is no such policy, or it tokenizes no such column",
                hint="GET /v1/policies lists them",
            )
        if policy.pins.check_values:
            keyring.check_pins(policy.pins)
        return fate


def _version(
    rule: ColumnRule,
    operation: Operation,
    keyring: Keyring,
    asked: int | Literal["primary"] | None,
) -> KeyVersion:
    try:
        return choose_version(rule, operation, keyring=keyring, version=asked)
    except KeyVersionUnknown:
        many = asked is None
    raise InvalidRequest(
        "the key has had several versions, and nothing says which one made the tokens"
        if many
        else "the key has no such version",
        location="body.version",
        reason="version",
        hint='name the version: its number, or "primary"',
    )
