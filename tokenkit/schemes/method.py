"""What a scheme comes down to for one column: the method that the native module runs."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from tokenkit.errors import DomainTooSmall, SchemeError
from tokenkit.schemes.check_digit import luhn_residue
from tokenkit.schemes.parameters import CheckDigit, Keep

STANDARD_DOMAIN = 1_000_000
"""The fewest values that SP 800-38G rev. 1, section 5.1, allows."""
SMALL_DOMAIN = 100
"""The fewest values that are ever accepted, which is what the 2016 standard allowed."""
LONGEST_VALUE = 65_536
LONGEST_SEALED = 1 << 30
"""String views count bytes in 32 bits."""
DIGITS = "0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Characters:
    """Format-preserving: FF1 over the characters of a value.

    Attributes
    ----------
    alphabet
        The characters, in the order of their numerals.
    separators
        Characters that stay where they are, between two characters of the alphabet.
    min_length, max_length
        Accepted lengths, counting the alphabet's characters only, kept ones included.
    keep
        Characters at either end that stay as they are.
    check_digit
        ``valid`` or ``invalid`` for values whose last digit is a Luhn check digit that holds.
    allow_small_domain
        Whether fewer than 1,000,000 possible tokens are accepted.

    Raises
    ------
    SchemeError
        If the parameters contradict each other.
    DomainTooSmall
        If the shortest accepted value has too few possible tokens.
    """

    alphabet: str
    separators: str = ""
    min_length: int
    max_length: int
    keep: Keep | None = None
    check_digit: CheckDigit | None = None
    allow_small_domain: bool = False

    def __post_init__(self) -> None:
        if not 2 <= len(self.alphabet) <= LONGEST_VALUE:
            raise SchemeError("an alphabet has 2 to 65536 characters")
        if len(set(self.alphabet)) != len(self.alphabet):
            raise SchemeError("an alphabet has each character once")
        if any("\ud800" <= character <= "\udfff" for character in self.alphabet + self.separators):
            raise SchemeError("alphabet and separators have no lone surrogates")
        if set(self.separators) & set(self.alphabet):
            raise SchemeError("a separator can't be a character of the alphabet too")
        if self.max_length < self.min_length:
            raise SchemeError("max_length is below min_length")
        if self.max_length > LONGEST_VALUE:
            raise SchemeError(f"FF1 takes values of at most {LONGEST_VALUE} characters")
        self._check_domain()

    @property
    def fixed(self) -> int:
        """How many characters of a value FF1 doesn't choose: the kept ones and a check digit."""
        kept = self.keep.count if self.keep else 0
        return kept + (self.check_digit in ("valid", "invalid"))

    @property
    def domain_size(self) -> int:
        """How many tokens a value of the shortest accepted length can have."""
        return int(len(self.alphabet) ** max(self.min_length - self.fixed, 0))

    @property
    def shape(self) -> dict[str, Any]:
        """The parameters that shape tokens: columns that are to join must agree on them."""
        return {
            "alphabet": self.alphabet,
            "separators": self.separators,
            "keep": {"first": self.keep.first, "last": self.keep.last} if self.keep else None,
            "check_digit": None if self.check_digit == "ignore" else self.check_digit,
        }

    def fits(self, value: str) -> bool:
        """Say whether a value is one that gets a format-preserving token.

        Examples
        --------
        >>> method = Characters(alphabet=DIGITS, separators="-", min_length=6, max_length=9)
        >>> method.fits("123-456"), method.fits("N/A"), method.fits("123--456")
        (True, False, False)
        """
        return self.has_form(value) and (
            self.check_digit not in ("valid", "invalid") or self.residue(value) == 0
        )

    def has_form(self, value: str) -> bool:
        """Say whether length, characters and separators are a value's, check digit aside."""
        characters, after_separator, count = frozenset(self.alphabet), True, 0
        for character in value:
            if character in characters:
                after_separator, count = False, count + 1
            elif character in self.separators and not after_separator:
                after_separator = True
            else:
                return False
        return not after_separator and self.min_length <= count <= self.max_length

    def residue(self, value: str) -> int:
        """Give the Luhn residue of a value of digits and separators."""
        return luhn_residue("".join(char for char in value if char in self.alphabet))

    def to_native(self) -> dict[str, Any]:
        """Give the form that the native module reads."""
        keep = self.keep or Keep()
        return {
            "kind": "characters",
            "alphabet": self.alphabet,
            "separators": self.separators,
            "min_length": self.min_length,
            "max_length": self.max_length,
            "keep_first": keep.first,
            "keep_last": keep.last,
            "check_digit": self.check_digit,
            "small_domain": self.allow_small_domain,
        }

    def _check_domain(self) -> None:
        least = SMALL_DOMAIN if self.allow_small_domain else STANDARD_DOMAIN
        if self.domain_size >= least and self.min_length - self.fixed >= 2:
            return
        radix = len(self.alphabet)
        standard = shortest_length(radix, self.fixed, small=self.allow_small_domain)
        hint = f"keep less, or accept longer values only: min_length: {standard}"
        if not self.allow_small_domain:
            small = max(self.min_length, shortest_length(radix, self.fixed, small=True))
            hint += f", or min_length: {small} with allow_small_domain: true"
        raise DomainTooSmall(
            f"a value of the shortest accepted length ({self.min_length}) has "
            f"{self.domain_size:,} possible tokens; at least {least:,} are needed",
            hint=hint,
        )


def shortest_length(radix: int, fixed: int, *, small: bool) -> int:
    """Find the shortest value with a large enough domain, ``fixed`` characters included.

    Examples
    --------
    >>> shortest_length(10, 0, small=False), shortest_length(62, 4, small=False)
    (6, 8)
    """
    least = SMALL_DOMAIN if small else STANDARD_DOMAIN
    free = 2
    while radix**free < least:
        free += 1
    return free + fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Sealed: AES-SIV, base64url; any text, at any length up to ``max_length`` bytes."""

    max_length: int

    def __post_init__(self) -> None:
        if self.max_length > LONGEST_SEALED:
            raise SchemeError(f"a sealed text has at most {LONGEST_SEALED:,} bytes")

    @property
    def domain_size(self) -> None:
        """A sealed token's domain has no bound."""
        return None

    @property
    def shape(self) -> dict[str, Any]:
        """Nothing shapes sealed tokens."""
        return {}

    def fits(self, value: str) -> bool:
        """Say whether a value is short enough."""
        return len(value.encode()) <= self.max_length

    def to_native(self) -> dict[str, Any]:
        """Give the form that the native module reads."""
        return {"kind": "sealed", "max_length": self.max_length}


Method: TypeAlias = Characters | Sealed
