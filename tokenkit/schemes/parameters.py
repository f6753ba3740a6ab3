"""What a user may say about a scheme for one column."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, TypeAlias

from tokenkit.errors import SchemeError

CheckDigit: TypeAlias = Literal["ignore", "valid", "invalid"]
"""What a token's check digit is: any digit, one that holds, or one that is off by one."""

CHECK_DIGITS: tuple[CheckDigit, ...] = ("ignore", "valid", "invalid")
MOST_KEPT = 15
"""Most characters kept at either end: the contract counts each in four bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Characters that stay as they are, separators not counted.

    Kept characters go into the tweak, so that values which differ in them get unrelated tokens.

    Attributes
    ----------
    first, last
        How many at the start and at the end, 0 to 15 each.

    Raises
    ------
    SchemeError
        If a number is out of range.

    Examples
    --------
    >>> Keep(last=4)
    Keep(first=0, last=4)
    """

    first: int = 0
    last: int = 0

    def __post_init__(self) -> None:
        for name in ("first", "last"):
            count = getattr(self, name)
            if type(count) is not int or not 0 <= count <= MOST_KEPT:
                raise SchemeError(
                    f"keep: {name} is a number from 0 to {MOST_KEPT}", hint="keep: {last: 4}"
                )

    @property
    def count(self) -> int:
        """How many characters are kept in all."""
        return self.first + self.last

    @classmethod
    def of(cls, given: object) -> Self | None:
        """Read a mapping such as ``{"last": 4}``; keeping nothing is None.

        Raises
        ------
        SchemeError
            If it has other fields, or a number out of range.
        """
        if given is None:
            return None
        if isinstance(given, Keep):
            read = cls(first=given.first, last=given.last)
        elif isinstance(given, Mapping) and set(given) <= {"first", "last"}:
            read = cls(**{str(name): count for name, count in given.items()})
        else:
            raise SchemeError("keep takes first and last", hint="keep: {first: 6, last: 4}")
        return read if read.count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of a scheme for one column; those not given take the scheme's defaults.

    Attributes
    ----------
    keep
        Characters that stay as they are.
    check_digit
        What the token's check digit is, for schemes that have one.
    alphabet
        The characters of values and tokens, in the order of their numerals, for ``custom``.
    separators
        Characters that stay where they are; each stands alone, between two others.
    min_length, max_length
        Shortest and longest value that is accepted, in characters (bytes for sealed tokens);
        others don't fit the scheme.
    width
        The one length that is accepted, for ``digits``: integers are written with that many
        digits, leading zeros added, so that they join with text of the same width.
    allow_small_domain
        Accept fewer than 1,000,000 possible tokens at the shortest length, which makes guessing
        easier. Below 100 is always refused.
    """

    keep: Keep | None = None
    check_digit: CheckDigit | None = None
    alphabet: str | None = None
    separators: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    width: int | None = None
    allow_small_domain: bool = False

    def __post_init__(self) -> None:
        if self.check_digit is not None and self.check_digit not in CHECK_DIGITS:
            raise SchemeError(
                "check_digit is ignore, valid or invalid",
                hint="invalid (the default for cards) makes tokens that are no live numbers",
            )
        for name in ("min_length", "max_length", "width"):
            length = getattr(self, name)
            if length is not None and (type(length) is not int or length < 1):
                raise SchemeError(f"{name} is a number of characters, 1 or more")
        if self.width is not None and (self.min_length, self.max_length) != (None, None):
            raise SchemeError(
                "width is the shortest and the longest length at once",
                hint="leave min_length and max_length out, or width",
            )
        if not isinstance(self.allow_small_domain, bool):
            raise SchemeError("allow_small_domain is true or false")
        for name in ("alphabet", "separators"):
            characters = getattr(self, name)
            if characters is not None and not isinstance(characters, str):
                raise SchemeError(f"{name} is a text of its characters")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Read parameters by name, as an expression or a policy gives them.

        Raises
        ------
        SchemeError
            If a name is unknown or a value out of range.

        Examples
        --------
        >>> Parameters.of({"keep": {"last": 4}}).keep
        Keep(first=0, last=4)
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise SchemeError(
                f"no scheme has the parameter {unknown[0]!r}",
                hint=f"parameters are {', '.join(sorted(known))}",
            )
        return cls(**{**given, "keep": Keep.of(given.get("keep"))})

    def given(self) -> frozenset[str]:
        """Name the parameters that differ from their defaults."""
        return frozenset(
            field.name for field in fields(self) if getattr(self, field.name) != field.default
        )
