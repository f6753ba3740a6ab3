"""Which columns' tokens join, and why others that look so don't."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice, product
from typing import Any, Final

from tokenkit.policy.model import joins_apart
from tokenkit.policy.rule import ColumnRule
from tokenkit.schemes import Characters

MOST_SEPARATIONS: Final = 100
"""How many pairs that don't join are told."""


@dataclass(frozen=True, slots=True)
class Member:
    """A tokenized column.

    Attributes
    ----------
    policy
        0 for a column of the first policy, 1 for one of the other.
    column
        Its name, or the policy's entry.
    rule
        How it is tokenized.
    """

    policy: int
    column: str
    rule: ColumnRule

    def to_json(self) -> dict[str, Any]:
        """Give policy and name."""
        return {"policy": self.policy, "column": self.column}


@dataclass(frozen=True, slots=True)
class Join:
    """Columns that have the same token for the same value.

    Attributes
    ----------
    members
        The columns.
    provisos
        What the values must fulfil besides.
    """

    members: tuple[Member, ...]
    provisos: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        members = [member.to_json() for member in self.members]
        return {"columns": members, "provided": list(self.provisos)}


@dataclass(frozen=True, slots=True)
class Separation:
    """Two columns of one scheme or name that don't join.

    Attributes
    ----------
    members
        The two; each stands for all that join with it.
    reasons
        What differs.
    """

    members: tuple[Member, Member]
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        members = [member.to_json() for member in self.members]
        return {"columns": members, "reasons": list(self.reasons)}


def find_joins(
    members: Sequence[Member], *, across: bool
) -> tuple[tuple[Join, ...], tuple[Separation, ...]]:
    """Sort columns into those that join, and name what keeps others apart.

    Parameters
    ----------
    members
        The tokenized columns.
    across
        Tell only what is between two policies.
    """
    alike: dict[object, list[Member]] = {}
    for member in members:
        alike.setdefault(_identity(member.rule), []).append(member)
    groups = [group for found in alike.values() for group in _of_common_length(found)]
    joins = tuple(
        Join(tuple(group), _provisos(group))
        for group in groups
        if len(group) > 1 and (not across or len({member.policy for member in group}) > 1)
    )
    pairs = _between(groups) if across else combinations(groups, 2)
    seen = (_lookalikes(one, other, across=across) for one, other in pairs)
    apart = (
        Separation(pair, reasons)
        for pair in seen
        if pair is not None and (reasons := _reasons(*pair))
    )
    return joins, tuple(islice(apart, MOST_SEPARATIONS))


def _identity(rule: ColumnRule) -> object:
    shape = tuple(sorted((name, repr(value)) for name, value in rule.method.shape.items()))
    return (
        rule.key,
        rule.domain,
        rule.scheme.name,
        shape,
        rule.tweak is None,
        rule.shaping_literals,
        rule.version,
    )


def _of_common_length(group: list[Member]) -> list[list[Member]]:
    if _overlap([member.rule for member in group]):
        return [group]
    by_length: dict[tuple[int, int], list[Member]] = {}
    for member in group:
        by_length.setdefault(_lengths(member.rule), []).append(member)
    return list(by_length.values())


def _overlap(rules: list[ColumnRule]) -> bool:
    lengths = [_lengths(rule) for rule in rules]
    return max(least for least, _ in lengths) <= min(most for _, most in lengths)


def _between(groups: list[list[Member]]) -> Iterator[tuple[list[Member], list[Member]]]:
    sides = [
        [group for group in groups if any(member.policy == side for member in group)]
        for side in (0, 1)
    ]
    return ((one, other) for one, other in product(*sides) if one is not other)


def _lookalikes(
    one: list[Member], other: list[Member], *, across: bool
) -> tuple[Member, Member] | None:
    """Give a pair that stands for two groups which look joinable, if they do."""
    named = {member.column: member for member in one}
    pairs: Iterator[tuple[Member, Member]] = (
        (named[member.column], member) for member in other if member.column in named
    )
    if one[0].rule.scheme.name == other[0].rule.scheme.name or _labels(one) == _labels(other):
        pairs = chain(pairs, product(one, other))
    told = (pair for pair in pairs if not across or (pair[0].policy, pair[1].policy) == (0, 1))
    return next(told, None)


def _labels(group: list[Member]) -> tuple[str, str]:
    return group[0].rule.key, group[0].rule.domain


def _reasons(one: Member, other: Member) -> tuple[str, ...]:
    found = []
    for name in ("key", "domain"):
        values = getattr(one.rule, name), getattr(other.rule, name)
        if values[0] != values[1]:
            found.append(f"the {name} ({values[0]} and {values[1]})")
    found.extend(joins_apart(one.rule, other.rule))
    if not found and not _overlap([one.rule, other.rule]):
        found.append("the lengths that they accept")
    return tuple(found)


def _provisos(group: list[Member]) -> tuple[str, ...]:
    rules = [member.rule for member in group]
    found = []
    if rules[0].tweak is not None:
        found.append("beside equal tweaks only")
    if len({rule.normalize for rule in rules}) > 1:
        found.append("normalized differently, so writings of one value may not join")
    if len({rule.output for rule in rules}) > 1:
        found.append("tokens of integers are strings in some and integers in others")
    if len({_lengths(rule) for rule in rules}) > 1:
        found.append("at lengths that all of them accept")
    return tuple(found)


def _lengths(rule: ColumnRule) -> tuple[int, int]:
    method = rule.method
    return (method.min_length if isinstance(method, Characters) else 0), method.max_length
