"""What happens to one column: its scheme, key and domain."""

import re
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

from tokenkit.errors import DomainTooSmall, KeyVersionUnknown, SchemeError
from tokenkit.keys.names import checked_name
from tokenkit.policy.values import (
    Normalization,
    literals_in_domain,
    read_literals,
    read_normalize,
)
from tokenkit.schemes import Method, Parameters, Scheme, Sealed, find_scheme
from tokenkit.schemes.method import SMALL_DOMAIN

OnInvalid: TypeAlias = Literal["error", "null", "reject", "seal"]
"""What becomes of values that don't fit: the call fails, they become null, their rows go to the
rejects, or they become sealed tokens."""
TokenOutput: TypeAlias = Literal["same", "string"]
"""The type of the tokens: the values' own, or strings where the values are integers."""
Version: TypeAlias = int | Literal["primary"]
"""A key version: its number, or ``"primary"``."""

ON_INVALID: tuple[OnInvalid, ...] = get_args(OnInvalid)
INTEGER_TYPES = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
"""The types of values whose tokens may be strings."""
_DOMAIN = re.compile(r"[a-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """How one column is tokenized; make it with :meth:`build`.

    Attributes
    ----------
    scheme
        The kind of value.
    parameters
        What the user said about the scheme.
    method
        What that comes down to.
    key
        The key's name in the keyring.
    domain
        The label that separates or joins columns under one key.
    on_invalid
        What becomes of values that don't fit.
    literals
        Values that stay themselves, sorted.
    normalize
        What is done to values before they are tokenized, in the order in which it is done.
    tweak
        The column, kept in clear, whose values separate equal values of this one.
    output
        The type of the tokens.
    version
        The key version.
    value_type
        The type of the values, where the metadata says that their tokens are strings.
    """

    scheme: Scheme
    parameters: Parameters
    method: Method
    key: str
    domain: str
    on_invalid: OnInvalid
    literals: tuple[str, ...] = ()
    normalize: tuple[Normalization, ...] = ()
    tweak: str | None = None
    output: TokenOutput = "same"
    version: Version = "primary"
    value_type: str | None = None

    @classmethod
    def build(
        cls,
        scheme: object,
        *,
        key: object,
        domain: object = None,
        on_invalid: OnInvalid = "error",
        literals: object = (),
        normalize: object = (),
        tweak: object = None,
        output: object = "same",
        version: object = "primary",
        value_type: object = None,
        **parameters: Any,
    ) -> Self:
        """Check everything that can be checked without a key.

        Raises
        ------
        SchemeError
            If there is no such scheme, or a parameter or another field is wrong.
        DomainTooSmall
            If the shortest accepted value has too few possible tokens.
        InvalidKey
            If the key's name isn't well formed.
        KeyVersionUnknown
            If the version is no number.

        Examples
        --------
        >>> rule = ColumnRule.build("credit-card", key="payments", keep={"last": 4})
        >>> rule.domain, rule.method.domain_size
        ('credit-card', 10000000)
        """
        found = find_scheme(scheme)
        read = Parameters.of(parameters)
        method = found.method(read)
        chosen = found.name if domain is None else domain
        if not isinstance(chosen, str) or _DOMAIN.fullmatch(chosen) is None:
            raise SchemeError(
                "a domain has 1 to 64 characters of a-z, 0-9, '.', '_' and '-'",
                hint="columns that share key and domain join; the default is the scheme's name",
            )
        _check_on_invalid(on_invalid, method)
        stay = read_literals(literals, method)
        _check_room(stay, method)
        return cls(
            scheme=found,
            parameters=read,
            method=method,
            key=checked_name(key),
            domain=chosen,
            on_invalid=on_invalid,
            literals=stay,
            normalize=read_normalize(normalize),
            tweak=_tweak(tweak, method),
            output=_output(output, read),
            version=checked_version(version),
            value_type=_value_type(value_type, output),
        )

    @property
    def shaping_literals(self) -> tuple[str, ...]:
        """The literals that tokens depend on, since the scheme could tokenize them."""
        return literals_in_domain(self.literals, self.method)


def checked_version(version: object) -> Version:
    """Give back a key version that is a number, or ``"primary"``.

    Raises
    ------
    KeyVersionUnknown
        If it is neither.

    Examples
    --------
    >>> checked_version(2)
    2
    """
    if version == "primary":
        return "primary"
    if type(version) is not int:
        raise KeyVersionUnknown(
            "a key version is a number such as 1, or primary", hint='version=1 or version="primary"'
        )
    return version


def _check_room(literals: tuple[str, ...], method: Method) -> None:
    """Refuse literals that leave too few tokens: the last value left would be its own."""
    left = (method.domain_size or SMALL_DOMAIN) - len(literals_in_domain(literals, method))
    if left < SMALL_DOMAIN and literals:
        raise DomainTooSmall(
            f"the literals leave {max(left, 0):,} possible tokens; at least {SMALL_DOMAIN} are "
            "needed",
            hint="leave literals out, or accept longer values only",
        )


def _check_on_invalid(on_invalid: object, method: Method) -> None:
    if on_invalid not in ON_INVALID:
        raise SchemeError(
            "on_invalid is error, null, reject or seal",
            hint="try_tokenize gives the reason for each value that does not fit",
        )
    if on_invalid == "seal" and isinstance(method, Sealed):
        raise SchemeError(
            "the scheme text seals every value that it takes, and has no other seal",
            hint="say on_invalid: error, null or reject",
        )


def _tweak(tweak: object, method: Method) -> str | None:
    if tweak is None:
        return None
    if not isinstance(tweak, str):
        raise SchemeError("tweak is the name of a column", hint="tweak: tenant")
    if isinstance(method, Sealed):
        raise SchemeError(
            "sealed tokens have no tweak", hint="leave tweak out, or choose another scheme"
        )
    return tweak


def _output(output: object, parameters: Parameters) -> TokenOutput:
    if output == "same":
        return "same"
    if output != "string":
        raise SchemeError("output is same or string", hint="output: string")
    if parameters.width is None:
        raise SchemeError(
            "output: string is for integers, and these need a width",
            hint="width: 10, the number of digits that every value is written with",
        )
    return "string"


def _value_type(value_type: object, output: object) -> str | None:
    if value_type is None:
        return None
    if value_type not in INTEGER_TYPES or output != "string":
        raise SchemeError("a value's type is recorded for integers whose tokens are strings only")
    return str(value_type)
