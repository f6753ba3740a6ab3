"""Recovery codes: a second factor on paper, each good for one use.

120 random bits in base 32, so that a plain SHA-256 is enough at rest (NIST SP 800-63B revision 4,
section 3.1.2.2: look-up secrets of at least 112 bits).
"""

import base64
import hashlib
import re
import secrets

COUNT = 10

_BYTES = 15
_GROUP = 4
_FORM = re.compile(r"[A-Z2-7]{24}")


def new_recovery_codes(count: int = COUNT) -> list[str]:
    """Make codes.

    Examples
    --------
    >>> codes = new_recovery_codes()
    >>> len(codes), len(codes[0])
    (10, 29)
    """
    return [_grouped(base64.b32encode(secrets.token_bytes(_BYTES)).decode()) for _ in range(count)]


def recovery_code_digest(code: str) -> bytes | None:
    """Give the digest under which a code is stored; None if the text can't be a code.

    Examples
    --------
    >>> code = new_recovery_codes()[0]
    >>> recovery_code_digest(code) == recovery_code_digest(code.lower().replace("-", " "))
    True
    >>> recovery_code_digest("123456") is None
    True
    """
    typed = re.sub(r"[\s-]", "", code).upper()
    return hashlib.sha256(typed.encode()).digest() if _FORM.fullmatch(typed) else None


def _grouped(text: str) -> str:
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
