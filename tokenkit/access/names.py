"""Names of users, roles, API keys and purposes: which ones are well formed."""

import re

from tokenkit.errors import InvalidAccess

_USER = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")
_ROLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")


def checked_user_name(name: str) -> str:
    """Give a user's name in the one form in which it is kept: in small letters.

    Raises
    ------
    InvalidAccess
        Unless it has 1 to 128 characters of ``a-z 0-9 . _ @ + -`` and starts with a letter or
        digit. Other alphabets are refused: names that only look alike would be different users.

    Examples
    --------
    >>> checked_user_name("Ann@Example.org")
    'ann@example.org'
    """
    folded = name.strip().lower()
    if _USER.fullmatch(folded) is None:
        raise InvalidAccess(
            "a user's name has 1 to 128 characters of a-z, 0-9, '.', '_', '@', '+' and '-', "
            "and starts with a letter or digit",
            reason="user_name",
        )
    return folded


def typed_user_name(name: str) -> str:
    """Give the form of a name that somebody typed to sign in; nothing is refused.

    Examples
    --------
    >>> typed_user_name(" Ann ")
    'ann'
    """
    return name.strip().lower()[:256]


def checked_role_name(name: str) -> str:
    """Give back a role's name that is well formed.

    Raises
    ------
    InvalidAccess
        Unless it has 1 to 64 characters of ``a-z 0-9 . _ -`` and starts with a letter or digit.

    Examples
    --------
    >>> checked_role_name("support")
    'support'
    """
    return _matching(_ROLE, name, "a role's name", "role_name")


def checked_purpose(purpose: str) -> str:
    """Give back a purpose that is well formed; the rule is that of role names.

    Examples
    --------
    >>> checked_purpose("fraud-review")
    'fraud-review'
    """
    return _matching(_ROLE, purpose, "a purpose", "purpose")


def checked_label(label: str) -> str:
    """Give back the name of an API key: up to 64 letters, digits, spaces and ``. _ @ + -``.

    Examples
    --------
    >>> checked_label("Billing service")
    'Billing service'
    """
    if _LABEL.fullmatch(label) is None:
        raise InvalidAccess(
            "an API key's name has 1 to 64 letters, digits, spaces or any of '._@+-', "
            "and starts with a letter or digit",
            reason="label",
        )
    return label


def _matching(pattern: re.Pattern[str], text: str, what: str, reason: str) -> str:
    if pattern.fullmatch(text) is None:
        raise InvalidAccess(
            f"{what} has 1 to 64 characters of a-z, 0-9, '.', '_' and '-', "
            "and starts with a letter or digit",
            reason=reason,
        )
    return text
