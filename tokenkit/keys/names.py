"""Names of keys and of domains: what they may be made of."""

import re

from tokenkit.errors import InvalidKey

_DOMAIN = re.compile(r"[a-z0-9._-]{1,64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def checked_name(name: object) -> str:
    """Give back a key name that is well formed.

    Raises
    ------
    InvalidKey
        Unless the name has 1 to 64 characters of ``a-z 0-9 . _ -`` and starts with a letter or
        digit.

    Examples
    --------
    >>> checked_name("payments")
    'payments'
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise InvalidKey(
            "a key name has 1 to 64 characters of a-z, 0-9, '.', '_' and '-', "
            "and starts with a letter or digit",
            hint='choose a name such as "payments"',
        )
    return name


def checked_domain(domain: object) -> str:
    """Give back a domain that is well formed.

    Raises
    ------
    InvalidKey
        Unless it has 1 to 64 characters of ``a-z 0-9 . _ -``.

    Examples
    --------
    >>> checked_domain("credit-card")
    'credit-card'
    """
    if not isinstance(domain, str) or _DOMAIN.fullmatch(domain) is None:
        raise InvalidKey(
            "a domain has 1 to 64 characters of a-z, 0-9, '.', '_' and '-'",
            hint="columns that name none have their scheme's name for domain",
        )
    return domain
