"""Secrets that authenticate whoever shows them: API keys and session tokens.

``tkk_`` (an API key) or ``tks_`` (a session), 43 digits in base 62 that hold 256 random bits, and 6
more that hold the CRC-32 of what stands before them. The prefix lets scanners find them in source
and logs; the check value tells typing errors and other people's strings without asking the
database. Only the SHA-256 of the text is stored: at 256 bits nothing slower is needed.
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tokenkit.errors import NotAuthenticated

Prefix: TypeAlias = Literal["tkk_", "tks_"]
API_KEY: Prefix = "tkk_"
SESSION: Prefix = "tks_"
SHOWN = 10
"""How many characters of an API key stay visible, the prefix among them, to tell keys apart."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_DIGITS = 43
_CHECK_DIGITS = 6
_FORM = re.compile(r"tk[ks]_[0-9A-Za-z]{49}")


@dataclass(frozen=True, slots=True)
class Bearer:
    """A fresh secret: shown once, and what is stored of it.

    Attributes
    ----------
    text
        What its owner gets; not in the repr.
    digest
        Its SHA-256, which is stored.

    Examples
    --------
    >>> made = new_bearer("tkk_")
    >>> len(made.text), made.digest == bearer_digest(made.text, "tkk_")
    (53, True)
    >>> made
    Bearer()
    """

    text: str = field(repr=False)
    digest: bytes = field(repr=False)


def new_bearer(prefix: Prefix) -> Bearer:
    """Make a secret of 256 random bits.

    Examples
    --------
    >>> new_bearer("tks_").text[:4]
    'tks_'
    """
    body = prefix + _in_base_62(secrets.randbits(256), _SECRET_DIGITS)
    text = body + _check(body)
    return Bearer(text, digest_of(text))


def bearer_digest(text: str, prefix: Prefix) -> bytes:
    """Give the digest under which a secret is stored.

    Raises
    ------
    NotAuthenticated
        If the text isn't one: another prefix or length, or a check value that doesn't fit. No
        database is asked.

    Examples
    --------
    >>> bearer_digest("tkk_" + "0" * 49, "tkk_")
    Traceback (most recent call last):
    ...
    tokenkit.errors.access.NotAuthenticated: that is no API key [reason="malformed"]
    hint: it starts with tkk_ and has 53 characters
    """
    if not is_bearer(text, prefix):
        what = "API key" if prefix == API_KEY else "session token"
        raise NotAuthenticated(
            f"that is no {what}",
            reason="malformed",
            hint=f"it starts with {prefix} and has {4 + _SECRET_DIGITS + _CHECK_DIGITS} characters",
        )
    return digest_of(text)


def is_bearer(text: str, prefix: Prefix) -> bool:
    """Whether a text has the form and the check value of a secret with this prefix.

    Examples
    --------
    >>> is_bearer("tkk_short", "tkk_")
    False
    """
    if not text.startswith(prefix) or _FORM.fullmatch(text) is None:
        return False
    return _check(text[:-_CHECK_DIGITS]) == text[-_CHECK_DIGITS:]


def digest_of(text: str) -> bytes:
    """Give the SHA-256 of any text: what is known by it needs no look at its form.

    Examples
    --------
    >>> made = new_bearer("tkk_")
    >>> digest_of(made.text) == made.digest
    True
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _check(body: str) -> str:
    return _in_base_62(zlib.crc32(body.encode()), _CHECK_DIGITS)


def _in_base_62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
