"""The keyword arguments that expressions and array calls share."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Required, TypeAlias, TypedDict

from tokenkit.engines.column import VersionChoice, key_name
from tokenkit.errors import SchemeError
from tokenkit.keys import Key, Keyring
from tokenkit.policy.rule import ColumnRule, TokenOutput
from tokenkit.policy.values import Normalization
from tokenkit.schemes import CheckDigit, Keep

OnInvalidValue: TypeAlias = Literal["error", "null", "seal"]
"""What becomes of values that don't fit, where there are no rows that could be set aside."""
OnInvalidOutcome: TypeAlias = Literal["null", "seal"]
"""The same where the reason is told for each value, so that nothing fails."""


class SchemeOptions(TypedDict, total=False):
    """How one column is tokenized.

    Attributes
    ----------
    key
        The key: its name in the keyring, or the key itself, ``keyring["name"]``.
    domain
        Separates or joins columns under one key; default: the scheme's name.
    keyring
        Where the key is; default: the current keyring, see :func:`tokenkit.use_keyring`.
    version
        The key version: its number or ``"primary"``, which is the default for new tokens.
    keep
        Characters that stay, such as ``{"last": 4}``.
    check_digit
        ``"invalid"``, ``"valid"`` or ``"ignore"``, for schemes with a check digit.
    alphabet
        The characters of values and tokens, for ``custom``.
    separators
        Characters that stay where they are, for plain alphabets.
    min_length, max_length
        Shortest and longest value accepted.
    width
        The number of digits that integers are written with, and the one length of text, for
        ``digits``.
    allow_small_domain
        Accept fewer than 1,000,000 possible tokens.
    literals
        Values that stay themselves, such as ``["N/A"]``.
    normalize
        What is done to values before they are tokenized: ``"trim"``, ``"nfc"``, ``"lower"``,
        ``"strip-separators"``. What it changes doesn't come back.
    output
        ``"string"`` for tokens of integers that are strings of ``width`` digits.
    """

    key: Required[str | Key]
    domain: str | None
    keyring: Keyring | None
    version: VersionChoice | None
    keep: Keep | Mapping[str, int] | None
    check_digit: CheckDigit | None
    alphabet: str | None
    separators: str | None
    min_length: int | None
    max_length: int | None
    width: int | None
    allow_small_domain: bool
    literals: Sequence[str]
    normalize: Sequence[Normalization]
    output: TokenOutput


_NO_PARAMETERS = ("key", "domain", "keyring", "version")


def read_rule(scheme: str, on_invalid: Any, options: SchemeOptions) -> ColumnRule:
    """Build the rule that the options describe.

    Raises
    ------
    SchemeError
        If a parameter is unknown or wrong, or no key is named.
    """
    if "key" not in options:
        raise SchemeError("a scheme needs a key", hint='key="payments", a name in the keyring')
    if on_invalid == "reject":
        raise SchemeError(
            "a single column has no rows to set aside",
            hint="tokenkit.apply(frame, policy) does; else say error, null or seal",
        )
    parameters = {name: value for name, value in options.items() if name not in _NO_PARAMETERS}
    key = options["key"]
    return ColumnRule.build(
        scheme,
        key=key_name(key),
        domain=options.get("domain"),
        on_invalid=on_invalid,
        **parameters,
    )
