"""What happens to one column: its scheme, key and domain."""

import re
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

from tokenkit.errors import SchemeError
from tokenkit.keys.key import checked_name
from tokenkit.schemes import Method, Parameters, Scheme, find_scheme

OnInvalid: TypeAlias = Literal["error", "null"]
"""What becomes of values that don't fit: the call fails, or they become null."""

ON_INVALID: tuple[OnInvalid, ...] = ("error", "null")
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
    """

    scheme: Scheme
    parameters: Parameters
    method: Method
    key: str
    domain: str
    on_invalid: OnInvalid

    @classmethod
    def build(
        cls,
        scheme: object,
        *,
        key: object,
        domain: object = None,
        on_invalid: OnInvalid = "error",
        **parameters: Any,
    ) -> Self:
        """Check everything that can be checked without a key.

        Raises
        ------
        SchemeError
            If there is no such scheme, or a parameter, the domain or ``on_invalid`` is wrong.
        DomainTooSmall
            If the shortest accepted value has too few possible tokens.
        InvalidKey
            If the key's name isn't well formed.

        Examples
        --------
        >>> rule = ColumnRule.build("credit-card", key="payments", keep={"last": 4})
        >>> rule.domain, rule.method.domain_size
        ('credit-card', 10000000)
        """
        found = find_scheme(scheme)
        read = Parameters.of(parameters)
        chosen = found.name if domain is None else domain
        if not isinstance(chosen, str) or _DOMAIN.fullmatch(chosen) is None:
            raise SchemeError(
                "a domain has 1 to 64 characters of a-z, 0-9, '.', '_' and '-'",
                hint="columns that share key and domain join; the default is the scheme's name",
            )
        if on_invalid not in ON_INVALID:
            raise SchemeError(
                "on_invalid is error or null",
                hint="try_tokenize gives the reason for each value that does not fit",
            )
        return cls(
            scheme=found,
            parameters=read,
            method=found.method(read),
            key=checked_name(key),
            domain=chosen,
            on_invalid=on_invalid,
        )
