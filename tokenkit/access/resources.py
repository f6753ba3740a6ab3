"""What rights are about: resources by name, and patterns of such names."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

from tokenkit.errors import InvalidAccess

Kind: TypeAlias = Literal["policy", "column", "key", "domain", "user", "role", "api-key", "session"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ANYTHING: Literal["*"] = "*"

MOST_WILDCARDS = 4
"""More would make a name slow to match."""
LONGEST_PATTERN = 256


class Resource(NamedTuple):
    """What one call touches. A tokenization touches a column, its policy, key and domain at once.

    Attributes
    ----------
    policy, key, domain
        Their names; None where there is none.
    column
        Its name within the policy, which must then be named too.
    user, role, api_key, session
        For administration: what is changed or read.

    Examples
    --------
    >>> Resource(policy="orders", column="card", key="payments", domain="credit-card").named()
    'policy:orders column:orders/card key:payments domain:credit-card'
    """

    policy: str | None = None
    column: str | None = None
    key: str | None = None
    domain: str | None = None
    user: str | None = None
    role: str | None = None
    api_key: str | None = None
    session: str | None = None

    def facets(self) -> list[tuple[Kind, str]]:
        """Give the kinds and names that patterns are held against.

        Raises
        ------
        InvalidAccess
            If the policy's name has a stroke: its columns could pass for another policy's.
        """
        if self.policy is not None and "/" in self.policy:
            raise InvalidAccess("a policy's name has no stroke", reason="policy")
        return [
            (kind, f"{self.policy or ''}/{name}" if kind == "column" else name)
            for kind, name in zip(KINDS, self, strict=True)
            if name is not None
        ]

    def named(self) -> str:
        """Put it into words, for the audit log."""
        return " ".join(f"{kind}:{name}" for kind, name in self.facets()) or ANYTHING


NOTHING = Resource()
"""For actions that are about nothing in particular, such as reading the audit log."""


@dataclass(frozen=True, slots=True)
class ResourcePattern:
    """A kind and a name in which ``*`` stands for anything; ``*`` alone is every resource.

    A column is named ``POLICY/COLUMN``; a wildcard doesn't reach across that stroke, so that
    ``orders/*`` is no column of another policy. Everything else is taken literally.

    Examples
    --------
    >>> ResourcePattern.parse("column:orders/*").matches(Resource("orders", "card"))
    True
    >>> ResourcePattern.parse("key:pay*").matches(Resource(key="people"))
    False
    """

    kind: Kind | Literal["*"]
    name: str

    @classmethod
    def parse(cls, text: str) -> "ResourcePattern":
        """Read ``KIND:NAME`` or ``*``.

        Raises
        ------
        InvalidAccess
            If it isn't of that form.
        """
        if text == ANYTHING:
            return cls(ANYTHING, ANYTHING)
        kind, _, name = text.partition(":")
        return cls.checked(kind, name)

    @classmethod
    def checked(cls, kind: str, name: str) -> "ResourcePattern":
        """Make a pattern of its parts, as tables hold them; raises as :meth:`parse` does."""
        if kind == ANYTHING and name == ANYTHING:
            return cls(ANYTHING, ANYTHING)
        known = next((each for each in KINDS if each == kind), None)
        if known is None:
            raise InvalidAccess(
                "a resource is * or KIND:NAME", reason="kind", hint=f"the kinds are: {_listed()}"
            )
        policy, stroke, column = name.partition("/")
        if known == "column" and not (stroke and policy and column):
            raise InvalidAccess(
                "a column is named with its policy",
                reason="column",
                hint="column:POLICY/COLUMN, such as column:orders/* or column:*/card",
            )
        if not name or len(name) > LONGEST_PATTERN or name.count("*") > MOST_WILDCARDS:
            raise InvalidAccess(
                f"a resource's name has 1 to {LONGEST_PATTERN} characters, "
                f"and at most {MOST_WILDCARDS} wildcards",
                reason="name",
            )
        return cls(known, name)

    @property
    def is_exact(self) -> bool:
        """Whether it has no wildcard."""
        return "*" not in self.name

    def expression(self) -> re.Pattern[str]:
        """Give the regular expression of the name."""
        run = "[^/]*" if self.kind == "column" else ".*"
        first, stroke, rest = self.name.partition("/")
        if self.kind == "column":
            # A column's own name may hold strokes; only the first one parts it from the policy.
            return re.compile(_translated(first, run) + stroke + _translated(rest, ".*"), re.DOTALL)
        return re.compile(_translated(self.name, run), re.DOTALL)

    def matches(self, resource: Resource) -> bool:
        """Whether it covers a resource, by any of its names."""
        if self.kind == ANYTHING:
            return True
        expression = self.expression()
        return any(
            kind == self.kind and expression.fullmatch(name) for kind, name in resource.facets()
        )

    def __str__(self) -> str:
        return ANYTHING if self.kind == ANYTHING else f"{self.kind}:{self.name}"


def _translated(name: str, run: str) -> str:
    return run.join(re.escape(part) for part in name.split("*"))


def _listed() -> str:
    return ", ".join(KINDS)
