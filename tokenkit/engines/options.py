"""The keyword arguments that expressions and array calls share."""

from collections.abc import Mapping
from typing import Any, Required, TypedDict

from tokenkit.engines.column import VersionChoice, key_name
from tokenkit.errors import SchemeError
from tokenkit.keys import Key, Keyring
from tokenkit.policy.rule import ColumnRule
from tokenkit.schemes import CheckDigit, Keep


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
    allow_small_domain
        Accept fewer than 1,000,000 possible tokens.
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
    allow_small_domain: bool


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
    parameters = {name: value for name, value in options.items() if name not in _NO_PARAMETERS}
    key = options["key"]
    return ColumnRule.build(
        scheme,
        key=key_name(key),
        domain=options.get("domain"),
        on_invalid=on_invalid,
        **parameters,
    )
