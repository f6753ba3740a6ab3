"""Secrets that must be read again, sealed at rest; and names, told apart without being kept.

Both are AES-SIV under a key of the keyring, in domains that serve nothing else (token contract,
"Sealed tokens"). The database holds the token, and never the key.
"""

import base64
import binascii
import hashlib
import os
from typing import Literal, TypeAlias

import pyarrow as pa

from tokenkit.engines.arrow.arrays import transform_array
from tokenkit.engines.column import ColumnCall
from tokenkit.errors import InvalidAccess, InvalidValues, NotAuthentic, translated
from tokenkit.keys import Key, Keyring, KeyVersion
from tokenkit.policy.rule import ColumnRule

KEY_VARIABLE = "TOKENKIT_ACCESS_KEY"
"""The environment variable that names the key; without it, ``access`` or the first by name."""
KEY_NAME = "access"

Use: TypeAlias = Literal["totp", "attempt", "batch"]

_ID_BYTES = slice(1, 5)


def access_key(keyring: Keyring) -> Key:
    """Find the key that seals: the one that the environment names, ``access``, or the first.

    Raises
    ------
    UnknownKey
        If the environment names one that isn't there.
    InvalidAccess
        If the keyring has no key.

    Examples
    --------
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32)), "access": bytes(range(1, 33))})
    >>> access_key(ring).name
    'access'
    """
    named = os.environ.get(KEY_VARIABLE)
    if named:
        return keyring[named]
    if not keyring.names:
        raise InvalidAccess(
            "the keyring has no key to seal with",
            reason="no_key",
            hint=f"tokenkit keys add FILE {KEY_NAME}",
        )
    return keyring[KEY_NAME if KEY_NAME in keyring else min(keyring.names)]


class Sealer:
    """Seals and opens under a key; older versions open for as long as they are enabled.

    Examples
    --------
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> sealer = Sealer(keyring_from_bytes({"access": bytes(range(32))})["access"])
    >>> sealed = sealer.seal("totp", "ann", "JBSWY3DPEHPK3PXP")
    >>> sealer.open("totp", "ann", sealed)
    'JBSWY3DPEHPK3PXP'
    >>> sealer.open("totp", "bob", sealed)
    Traceback (most recent call last):
    ...
    tokenkit.errors.NotAuthentic: the sealed secret belongs to something else
    >>> len(sealer.fingerprint("ann"))
    32
    """

    __slots__ = ("_key",)

    def __init__(self, key: Key) -> None:
        self._key = key

    def seal(self, use: Use, owner: str, secret: str) -> str:
        """Seal a secret, bound to what it is for and to whom it belongs."""
        return _transformed(self._key.primary, use, f"{owner}\n{secret}", reveal=False)

    def open(self, use: Use, owner: str, sealed: str) -> str:
        """Open a sealed secret.

        Raises
        ------
        NotAuthentic
            If it isn't one that was sealed for this use and owner under this key.
        KeyringError
            If the version that sealed it can't be used any more.
        """
        opened = _transformed(self._version_of(sealed), use, sealed, reveal=True)
        found, _, secret = opened.partition("\n")
        if found != owner:
            raise NotAuthentic("the sealed secret belongs to something else")
        return secret

    def fingerprint(self, text: str) -> bytes:
        """Give 32 bytes that tell texts apart; without the key no guess can be tested on them."""
        sealed = _transformed(self._key.primary, "attempt", text, reveal=False)
        return hashlib.sha256(sealed.encode()).digest()

    def _version_of(self, sealed: str) -> KeyVersion:
        try:
            content = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except (ValueError, binascii.Error):
            content = b""
        if len(content) <= _ID_BYTES.stop:
            raise NotAuthentic("that is no sealed secret")
        return self._key.version_with_id(int.from_bytes(content[_ID_BYTES], "big"))


def _transformed(version: KeyVersion, use: Use, text: str, *, reveal: bool) -> str:
    rule = ColumnRule.build("text", key=version.name, domain=f"tokenkit.access.{use}")
    call = ColumnCall(rule=rule, version=version, operation="detokenize" if reveal else "tokenize")
    with translated():
        turned = transform_array(pa.array([text], pa.large_string()), call)[0].as_py()
    if not isinstance(turned, str):
        raise InvalidValues("the secret can't be sealed", reason="empty", count=1)
    return turned
