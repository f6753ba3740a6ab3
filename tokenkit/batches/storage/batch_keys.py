"""The key of a batch: random, and kept only as the keyring has sealed it.

Whoever removes the sealed key makes what was stored under it unreadable, wherever copies are.
"""

import base64
import secrets
from uuid import UUID

from tokenkit.access.sealing import Sealer, access_key
from tokenkit.errors import NotAuthentic
from tokenkit.keys import Keyring

KEY_BYTES = 32


def new_batch_key() -> bytes:
    """Make a key: 256 random bits.

    Examples
    --------
    >>> len(new_batch_key())
    32
    """
    return secrets.token_bytes(KEY_BYTES)


def seal_batch_key(keyring: Keyring, batch: UUID, key: bytes) -> str:
    """Seal a batch's key under the key that seals secrets of users, bound to the batch.

    Parameters
    ----------
    keyring
        See :func:`~tokenkit.access.sealing.access_key`.
    batch
        The batch's id.
    key
        Its key.

    Raises
    ------
    InvalidAccess, KeyringError
        If the keyring has no key to seal with.

    Examples
    --------
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"access": bytes(range(32))})
    >>> batch, key = UUID(int=7), new_batch_key()
    >>> open_batch_key(ring, batch, seal_batch_key(ring, batch, key)) == key
    True
    """
    sealer = Sealer(access_key(keyring))
    return sealer.seal("batch", batch.hex, base64.b64encode(key).decode())


def open_batch_key(keyring: Keyring, batch: UUID, sealed: str) -> bytes:
    """Open a batch's key.

    Raises
    ------
    NotAuthentic
        If it isn't the sealed key of this batch.
    KeyringError
        If the version that sealed it can't be used any more.
    """
    opened = base64.b64decode(Sealer(access_key(keyring)).open("batch", batch.hex, sealed))
    if len(opened) != KEY_BYTES:
        raise NotAuthentic("that is no key of a batch")
    return opened
