"""Key versions come and go here: made, imported and released through the native module."""

import contextlib
import secrets
from collections.abc import Container, Iterable
from datetime import UTC, datetime

from tokenkit import _native
from tokenkit.errors import InvalidKey, KeyConflict
from tokenkit.keys.key import KeyRecord, KeyVersion
from tokenkit.keys.names import checked_name

_SECRET_BYTES = 32


def generate(name: str, number: int, taken: Container[int]) -> KeyVersion:
    """Make a key version from the system's random numbers, under an id that isn't taken."""
    handle = None
    while handle is None:
        # Another keyring of this process has the id too, once in four billion: then draw again.
        if (drawn := secrets.randbits(32)) and drawn not in taken:
            with contextlib.suppress(KeyConflict):
                handle = _native.generate_key(drawn)
    return _first_used(name, number, handle)


def import_secret(name: str, secret: object) -> KeyVersion:
    """Load key bytes that the caller has as version 1 of a key.

    Its id is the first four bytes of its key-check value (1, should they be zero), so that the same
    bytes have the same id in every process.

    Raises
    ------
    InvalidKey
        If the key isn't 32 bytes, or the name isn't well formed.
    """
    checked_name(name)
    if not isinstance(secret, bytes | bytearray) or len(secret) != _SECRET_BYTES:
        raise InvalidKey(f'the key "{name}" must be 32 bytes', hint="for example os.urandom(32)")
    # The native module derives the key-check value, so it loads the key once to learn its id.
    probe = _native.import_key(secrets.randbits(32) or 1, bytearray(secret))
    check_value = probe.check_value
    probe.release()
    id_ = int.from_bytes(check_value[:4]) or 1
    return _first_used(name, 1, _native.import_key(id_, bytearray(secret)))


def release(records: Iterable[KeyRecord]) -> None:
    """Let go of all handles of the keys; what nothing else holds is overwritten."""
    for record in records:
        for version in record.versions:
            if version.handle is not None:
                version.handle.release()


def _first_used(name: str, number: int, handle: _native.KeyHandle) -> KeyVersion:
    now = datetime.now(UTC).replace(microsecond=0)
    return KeyVersion(
        name=name,
        number=number,
        id=handle.id,
        check_value=handle.check_value,
        created=now,
        primary_since=now,
        handle=handle,
    )
