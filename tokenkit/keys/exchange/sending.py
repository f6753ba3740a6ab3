"""Exporting key versions for a partner."""

import dataclasses
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tokenkit import _native
from tokenkit.errors import InvalidKey
from tokenkit.keys import storage
from tokenkit.keys.exchange.document import LABEL, Document, Exchange, Header, checked_purpose
from tokenkit.keys.exchange.terms import MOST_DAYS
from tokenkit.keys.key import Key, KeyRecord
from tokenkit.keys.keyring import Keyring
from tokenkit.keys.payload import write_metadata
from tokenkit.keys.providers.pem import checked_rsa, fingerprint, oaep, private_key, public_key, raw
from tokenkit.keys.providers.secret_sources import SecretSource
from tokenkit.keys.wrapping import FILE_KEY_BYTES


def export_keys(
    ring: Keyring,
    versions: Mapping[str, Sequence[int] | None] | Sequence[str],
    path: str | os.PathLike[str],
    *,
    recipient: str | os.PathLike[str],
    identity: str | os.PathLike[str],
    purpose: str,
    days: int = 7,
    passphrase: str | None = None,
) -> Exchange:
    """Write chosen key versions to a file that one partner alone can open.

    The partner gets the versions themselves: everything that these can do here, for every domain.

    Parameters
    ----------
    ring
        The keyring, opened with full access.
    versions
        The version numbers by the key's name, None for all enabled ones; or names alone.
    path
        The file to write, mode 0600; one that is there is never overwritten.
    recipient
        The PEM file of the partner's RSA public key, 3072 bits and up.
    identity
        The PEM file of one's own Ed25519 private key, which signs.
    purpose
        What the keys are for; the partner has to name the same.
    days
        For how many days the file can be imported, up to 90.
    passphrase
        Where the identity's passphrase is, if it's encrypted: ``env:NAME``, ``file:PATH`` or
        ``prompt``.

    Returns
    -------
    Exchange
        What is in the file.

    Raises
    ------
    UnknownKey, KeyVersionUnknown, KeyVersionDisabled
        If a key or version isn't there or isn't enabled.
    AccessDenied
        If the keyring was opened for tokenizing only.
    InvalidKey
        If no version is named, or the purpose or the days can't be used.
    KeyProviderError, KekNotConfigured, WrongKek
        If a PEM file can't be read, or holds another sort of key.
    KeyringExists, KeyringError
        If the file is there, or can't be written.

    Examples
    --------
    >>> import tempfile
    >>> from tokenkit.testing.key_pairs import key_pairs
    >>> with Keyring.from_secrets({"claims": bytes(range(32))}) as ring:
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         pems = key_pairs(Path(folder))
    ...         made = export_keys(
    ...             ring, ["claims"], f"{folder}/out.json", recipient=pems["recipient.pub"],
    ...             identity=pems["sender.pem"], purpose="claims 2027",
    ...         )
    >>> made.purpose, dict(made.versions)
    ('claims 2027', {'claims': (1,)})
    """
    checked_purpose(purpose)
    if type(days) is not int or not 0 < days <= MOST_DAYS:
        raise InvalidKey(f"an exchange is valid for 1 to {MOST_DAYS} days", hint="days=7")
    records = _chosen(ring, versions)
    partner = checked_rsa(public_key(str(recipient), RSAPublicKey), str(recipient))
    source = None if passphrase is None else SecretSource(passphrase, what="identity's passphrase")
    signer = private_key(str(identity), Ed25519PrivateKey, source)
    now = datetime.now(UTC).replace(microsecond=0)
    exchange = Exchange(
        id=secrets.token_hex(16),
        purpose=purpose,
        created=now,
        expires=now + timedelta(days=days),
        versions={
            record.name: tuple(version.number for version in record.versions) for record in records
        },
    )
    storage.create_private(Path(path), signed(records, exchange, partner, signer).encoded())
    return exchange


def signed(
    records: list[KeyRecord],
    exchange: Exchange,
    partner: RSAPublicKey,
    signer: Ed25519PrivateKey,
) -> Document:
    """Seal keys for the partner, and sign what comes of it."""
    document = _sealed(records, exchange, partner, fingerprint(signer.public_key()))
    return dataclasses.replace(
        document,
        public_key=raw(signer.public_key()),
        signature=signer.sign(document.signed_message()),
    )


def _chosen(
    ring: Keyring, versions: Mapping[str, Sequence[int] | None] | Sequence[str]
) -> list[KeyRecord]:
    if isinstance(versions, Mapping):
        numbers = dict(versions)
    elif isinstance(versions, list | tuple) and all(type(name) is str for name in versions):
        numbers = dict.fromkeys(versions, None)
    else:
        raise InvalidKey("the keys to export are a list of names", hint='["payments"]')
    if not numbers:
        raise InvalidKey("no key is named to be exported", hint='["payments"] or {"payments": [1]}')
    return [_record(ring[name], chosen) for name, chosen in numbers.items()]


def _record(key: Key, numbers: Sequence[int] | None) -> KeyRecord:
    if numbers is None:
        found = list(key.enabled)
    elif isinstance(numbers, list | tuple) and all(type(number) is int for number in numbers):
        found = [key.version(number) for number in sorted(set(numbers))]
    else:
        found = []
    if not found:
        raise InvalidKey(
            f'the versions of "{key.name}" to export are a list of numbers',
            hint=f'{{"{key.name}": [1]}}',
        )
    for version in found:
        version.require_revealing()
    there = [version.number for version in found]
    primary = key.primary_number if key.primary_number in there else there[-1]
    return KeyRecord(key.name, found, primary, key.rotate_after)


def _sealed(
    records: list[KeyRecord], exchange: Exchange, partner: RSAPublicKey, sender: str
) -> Document:
    file_key = bytearray(secrets.token_bytes(FILE_KEY_BYTES))
    try:
        wrapped = partner.encrypt(bytes(file_key), oaep(LABEL))
        header = Header(exchange, sender, fingerprint(partner), wrapped)
        handles = [
            version.handle
            for record in records
            for version in record.versions
            if version.handle is not None
        ]
        encoded = header.encoded()
        return Document(
            header,
            _native.header_mac(file_key, encoded),
            _native.seal_payload(file_key, encoded, write_metadata(records, 1), handles),
        )
    finally:
        file_key[:] = bytes(len(file_key))
