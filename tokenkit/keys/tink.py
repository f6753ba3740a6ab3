"""Tink keysets: a domain's derived key for those who use Tink, and theirs as raw versions.

A keyset is a JSON file with the keys in clear, as Tink's ``CleartextKeysetHandle`` reads and writes
it: whoever has the file has its keys. Sealed tokens are ciphertexts of Tink's deterministic AEAD
with the ``TINK`` prefix, in base64url without padding.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from tokenkit import _native
from tokenkit.errors import InvalidKey, KeyExists, KeyringError
from tokenkit.keys import storage
from tokenkit.keys.key import Key, KeyKind, KeyRecord, KeyState, KeyVersion
from tokenkit.keys.keyring import Keyring
from tokenkit.keys.names import checked_domain

KeysetAlgorithm: TypeAlias = Literal["aes-siv", "hmac"]
"""What a keyset's keys are for: deterministic AEAD, or message authentication."""

_MOST_BYTES = 2**20
_RAW = {"aes-siv": KeyKind.RAW_AES_SIV, "hmac": KeyKind.RAW_HMAC}


def export_keyset(
    key: Key,
    path: str | os.PathLike[str],
    *,
    domain: str,
    algorithm: KeysetAlgorithm = "aes-siv",
) -> tuple[KeyVersion, ...]:
    """Write a Tink keyset with the keys that a key's enabled versions derive for one domain.

    Each stands there under its version's id; the primary version is the keyset's primary key. What
    it opens are the tokens of that domain and no others: a derived key says nothing about the key.

    Parameters
    ----------
    key
        The key: ``ring["notes"]``. Versions that were imported from Tink are written as they came,
        if they are for this algorithm, and whatever the domain.
    path
        The file to write. Only its owner may read it; one that is there is never overwritten.
    domain
        The domain, such as ``"text"``, the one of columns that name none.
    algorithm
        ``"aes-siv"`` for sealed tokens, or ``"hmac"``.

    Returns
    -------
    tuple
        The versions that are in the keyset.

    Raises
    ------
    AccessDenied
        If the keyring was opened for tokenizing only.
    KeyVersionDisabled
        If the primary version is disabled or destroyed.
    InvalidKey
        If the domain or the algorithm is none, or the primary version is a raw key of another one.
    KeyringExists
        If there is a file of that name.

    Examples
    --------
    >>> import json, tempfile
    >>> with Keyring.from_secrets({"notes": bytes(range(32))}) as ring:
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         _ = export_keyset(ring["notes"], f"{folder}/keyset.json", domain="text")
    ...         keyset = json.loads(Path(f"{folder}/keyset.json").read_text())
    >>> keyset["key"][0]["keyId"] == keyset["primaryKeyId"]
    True
    """
    if algorithm not in get_args(KeysetAlgorithm):
        raise InvalidKey("a keyset is for aes-siv or hmac", hint='algorithm="aes-siv"')
    checked_domain(domain)
    primary = key.primary
    if primary.kind not in {KeyKind.TOKENKIT, _RAW[algorithm]}:
        raise InvalidKey(
            f'key "{key.name}" version {primary.number} is {primary.kind}, and no key for '
            f"{algorithm}",
            hint="name the algorithm that it is for",
        )
    versions = tuple(
        version
        for version in key.versions
        if version.state is KeyState.ENABLED and version.kind in {KeyKind.TOKENKIT, _RAW[algorithm]}
    )
    handles = []
    for version in versions:
        version.require_revealing()
        if version.handle is not None:
            handles.append((version.handle, True))
    keyset = _native.tink_keyset(algorithm, domain, primary.id, handles)
    try:
        storage.create_private(Path(path), keyset)
    finally:
        keyset[:] = bytes(len(keyset))
    return versions


def import_keyset(ring: Keyring, name: str, path: str | os.PathLike[str]) -> Key:
    """Take the keys of a Tink keyset into a keyring, as raw versions of a new key.

    They are numbered from 1 in the keyset's order. A raw AES-SIV version keeps its id and seals
    with the keyset's key itself, whatever the column's domain: its tokens are what Tink encrypts,
    and the other way round. A raw HMAC version is kept for schemes that hash; its id is made from
    its key. Neither does anything else, and rotating the key goes on with tokenkit's own kind.

    Parameters
    ----------
    ring
        The keyring. The key is kept only once it's saved.
    name
        The new key's name.
    path
        A JSON keyset in clear: AES-SIV keys of 64 bytes with the ``TINK`` prefix, or HMAC-SHA-256
        keys with whole tags and no prefix (``RAW``).

    Raises
    ------
    InvalidKey
        If the file is no such keyset, or its primary key is disabled.
    KeyExists
        If there is a key of that name.
    KeyConflict
        If another key that is open in this process has an id of the keyset's, as keysets of one
        tokenkit key have for each domain.
    KeyringError
        If the file can't be read.

    Examples
    --------
    >>> import tempfile
    >>> with (
    ...     Keyring.from_secrets({"notes": bytes(range(32))}) as ring,
    ...     Keyring.from_secrets({"other": bytes(range(32, 64))}) as other,
    ...     tempfile.TemporaryDirectory() as folder,
    ... ):
    ...     _ = export_keyset(other["other"], f"{folder}/keyset.json", domain="text")
    ...     other.close()
    ...     import_keyset(ring, "theirs", f"{folder}/keyset.json").primary.kind.value
    'raw:aes-siv'
    """
    ring.require_open()
    if name in ring:
        raise KeyExists(
            f'the keyring already has a key "{name}"', hint="import the keyset under another name"
        )
    primary_id, found = _native.open_tink_keyset(_content(Path(path)))
    now = datetime.now(UTC).replace(microsecond=0)
    versions = [
        KeyVersion(
            name=name,
            number=number,
            id=handle.id,
            check_value=handle.check_value,
            kind=KeyKind(handle.kind),
            state=KeyState.ENABLED if enabled else KeyState.DISABLED,
            created=now,
            disabled=None if enabled else now,
            primary_since=now if handle.id == primary_id else None,
            handle=handle,
        )
        for number, (handle, enabled) in enumerate(found, 1)
    ]
    primary = next(version.number for version in versions if version.id == primary_id)
    ring.adopt([KeyRecord(name, versions, primary)])
    return ring[name]


def _content(path: Path) -> bytearray:
    """Read a file so that it can be overwritten in memory."""
    try:
        with path.open("rb", buffering=0) as file:
            content = bytearray(_MOST_BYTES + 1)
            length = 0
            while count := file.readinto(memoryview(content)[length:]):
                length += count
    except (OSError, ValueError) as exc:
        # A path with a NUL character is a ValueError.
        reason = getattr(exc, "strerror", None) or "it is no path"
    else:
        if length <= _MOST_BYTES:
            # In place: no other copy of the keys comes to be.
            del content[length:]
            return content
        content[:] = bytes(len(content))
        reason = "it is larger than 1 MiB"
    raise KeyringError(f"the keyset {path} can't be read: {reason}", hint="check the path")
