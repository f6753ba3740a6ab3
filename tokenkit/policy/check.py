"""What a policy comes down to: facts of columns, which of them join, and what to think twice of.

Everything here follows from the policy alone; what a look at the input adds is given as warnings
from outside.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tokenkit.policy.joins import Join, Member, Separation, find_joins
from tokenkit.policy.model import Fate, Policy
from tokenkit.policy.rule import ColumnRule
from tokenkit.schemes import Characters
from tokenkit.schemes.method import STANDARD_DOMAIN

Reversible: TypeAlias = Literal["yes", "no", "lossy"]
"""Whether values come back: as they were, not at all, or as they were normalized."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """How many tokens a value of the shortest accepted length can have: ``radix ** free``.

    Attributes
    ----------
    radix
        How many characters the alphabet has.
    free
        How many characters of the shortest value are neither kept nor a check digit.
    """

    radix: int
    free: int

    @property
    def size(self) -> int | None:
        """The number; None where it has more than 18 digits."""
        return self.radix**self.free if self.digits <= 18 else None

    @property
    def digits(self) -> int:
        """About how many digits the number has."""
        return math.ceil(self.free * math.log10(self.radix))

    def __str__(self) -> str:
        size = self.size
        return f"{self.radix}^{self.free}" if size is None else f"{size:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """What a policy comes down to for one column, or for all that a pattern fits.

    Attributes
    ----------
    column
        The column's name, or the policy's entry where there is no input.
    fate
        Its rule, or ``"keep"`` or ``"drop"``.
    domain_size
        The number of possible tokens at the shortest length; None for sealed tokens and columns
        that aren't tokenized.
    shortest
        The shortest accepted length, in characters; None where there is none.
    reversible
        Whether values come back.
    """

    column: str
    fate: Fate
    domain_size: Domain | None = None
    shortest: int | None = None
    reversible: Reversible = "yes"

    @classmethod
    def of(cls, column: str, fate: Fate) -> "ColumnFacts":
        """Work out the facts of a column."""
        if not isinstance(fate, ColumnRule):
            return cls(column=column, fate=fate, reversible="no" if fate == "drop" else "yes")
        method = fate.method
        domain = shortest = None
        if isinstance(method, Characters):
            domain = Domain(radix=len(method.alphabet), free=method.min_length - method.fixed)
            shortest = method.min_length
        return cls(
            column=column,
            fate=fate,
            domain_size=domain,
            shortest=shortest,
            reversible="lossy" if fate.normalize else "yes",
        )

    def to_json(self) -> dict[str, Any]:
        """Give the facts as JSON has them."""
        rule = self.fate
        if not isinstance(rule, ColumnRule):
            return {"column": self.column, "action": rule}
        return {
            "column": self.column,
            "action": "tokenize",
            "scheme": rule.scheme.name,
            "algorithm": rule.scheme.algorithm.value,
            "key": rule.key,
            "domain": rule.domain,
            "domain_size": self.domain_size and (self.domain_size.size or str(self.domain_size)),
            "shortest": self.shortest,
            "reversible": self.reversible,
            "on_invalid": rule.on_invalid,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWarning:
    """Something in a policy, or in its input, to think twice of.

    Attributes
    ----------
    kind
        A stable word: ``small_domain``, ``keep``, ``normalize``, ``sorted``, ``type``.
    column
        The column concerned.
    message
        What it is, and what it means.
    """

    kind: str
    column: str
    message: str

    def to_json(self) -> dict[str, str]:
        """Give it as JSON has it."""
        return {"kind": self.kind, "column": self.column, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCheck:
    """What the check of one policy, or of two, found.

    Attributes
    ----------
    columns
        The facts of each column.
    joins
        The columns whose tokens join.
    apart
        Columns that look joinable, and why they aren't.
    warnings
        What to think twice of.
    """

    columns: tuple[ColumnFacts, ...]
    joins: tuple[Join, ...]
    apart: tuple[Separation, ...]
    warnings: tuple[PolicyWarning, ...]

    def to_json(self) -> dict[str, Any]:
        """Give all of it as JSON has it."""
        return {
            "columns": [facts.to_json() for facts in self.columns],
            "joins": [join.to_json() for join in self.joins],
            "apart": [separation.to_json() for separation in self.apart],
            "warnings": [warning.to_json() for warning in self.warnings],
        }


def check_policy(
    fates: Policy | Sequence[tuple[str, Fate]],
    other: Policy | None = None,
    *,
    warnings: Iterable[PolicyWarning] = (),
) -> PolicyCheck:
    """Say what a policy comes down to.

    Parameters
    ----------
    fates
        The policy, or what it says of each column of an input.
    other
        Another policy: only the joins between the two are told then.
    warnings
        What a look at the input found.

    Examples
    --------
    >>> phone = {"scheme": "digits", "key": "people"}
    >>> found = check_policy(Policy.from_mapping({"columns": {"home": phone, "work": phone}}))
    >>> str(found.columns[0].domain_size), [member.column for member in found.joins[0].members]
    ('1,000,000', ['home', 'work'])
    """
    pairs = list(fates.columns.items()) if isinstance(fates, Policy) else list(fates)
    columns = tuple(ColumnFacts.of(name, fate) for name, fate in pairs)
    members = [Member(0, name, fate) for name, fate in pairs if isinstance(fate, ColumnRule)]
    if other is not None:
        members += [Member(1, name, rule) for name, rule in other.rules.items()]
    joins, apart = find_joins(members, across=other is not None)
    found = [warning for facts in columns for warning in _warnings(facts)]
    return PolicyCheck(columns=columns, joins=joins, apart=apart, warnings=(*found, *warnings))


def _warnings(facts: ColumnFacts) -> list[PolicyWarning]:
    rule = facts.fate
    if not isinstance(rule, ColumnRule):
        return []
    found: list[tuple[str, str]] = []
    domain, method = facts.domain_size, rule.method
    if domain is not None and domain.size is not None and domain.size < STANDARD_DOMAIN:
        text = "whoever may tokenize can try them all"
        found.append(("small_domain", f"{domain} possible tokens at the shortest length: {text}"))
    if isinstance(method, Characters) and method.keep is not None:
        kept, least = method.keep.count, method.min_length
        if 2 * kept >= least:
            text = "with other columns they may say whose it is"
            found.append(
                ("keep", f"{kept} of the shortest value's {least} characters stay: {text}")
            )
    if rule.normalize:
        steps = ", ".join(rule.normalize)
        found.append(("normalize", f"{steps}: values come back normalized, not as they were"))
        if "lower" in rule.normalize and _has_capitals_only(method.shape.get("alphabet", "")):
            found.append(("normalize", "the alphabet has no small letters: no letter fits"))
    return [
        PolicyWarning(kind=kind, column=facts.column, message=message) for kind, message in found
    ]


def _has_capitals_only(alphabet: str) -> bool:
    return alphabet != alphabet.lower() and not any(char.islower() for char in alphabet)
