"""Time-based one-time passwords (RFC 6238): six digits, thirty seconds, SHA-1.

pyotp accepts a code for as long as its time lasts, however often. So :func:`matching_step` says
which time step a code belongs to, and only steps after the last one that was used count.
"""

import hmac
from datetime import datetime

from tokenkit.errors import AccessError

try:
    import pyotp
except ImportError:
    raise AccessError(
        "second factors need the package pyotp", hint="pip install 'tokenkit-vaultless[service]'"
    ) from None

INTERVAL = 30
DIGITS = 6
DRIFT = 1
"""Steps before and after the present one that count too (RFC 6238, section 5.2)."""
ISSUER = "tokenkit"


def new_totp_secret() -> str:
    """Make a secret of 160 random bits, in base 32 (RFC 4226, section 4).

    Examples
    --------
    >>> len(new_totp_secret())
    32
    """
    return pyotp.random_base32()


def provisioning_uri(secret: str, user: str, issuer: str = ISSUER) -> str:
    """Give the address that authenticator apps read, from a QR code for instance.

    Examples
    --------
    >>> provisioning_uri("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "ann")
    'otpauth://totp/tokenkit:ann?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=tokenkit'
    """
    return _totp(secret).provisioning_uri(name=user, issuer_name=issuer)


def matching_step(secret: str, code: str, at: datetime, after: int | None) -> int | None:
    """Find the time step that a code belongs to.

    Parameters
    ----------
    secret
        The user's secret.
    code
        What was typed; spaces in it don't count.
    at
        Now.
    after
        The last step of which a code was used: it and the ones before don't count any more.

    Returns
    -------
    int or None
        The step, which must be stored before anything is granted; None if the code is wrong.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> secret, at = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", datetime.fromtimestamp(59, UTC)
    >>> matching_step(secret, "287 082", at, None), matching_step(secret, "287082", at, 1)
    (1, None)
    """
    typed = "".join(code.split())
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdecimal()):
        return None
    totp = _totp(secret)
    now = int(at.timestamp()) // INTERVAL
    found = None
    # Every step is looked at, so that the time taken doesn't tell which one it was.
    for step in range(now + DRIFT, now - DRIFT - 1, -1):
        same = hmac.compare_digest(totp.generate_otp(step), typed)
        if same and step >= 0 and (after is None or step > after):
            found = step
    return found


def _totp(secret: str) -> pyotp.TOTP:
    return pyotp.TOTP(secret, digits=DIGITS, interval=INTERVAL)
