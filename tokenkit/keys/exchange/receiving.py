"""Importing key versions from a partner."""

import dataclasses
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tokenkit import _native
from tokenkit.errors import (
    InvalidKey,
    KeyringError,
    KeyringFormatError,
    KeyringTampered,
    WrongKek,
)
from tokenkit.keys.exchange import replays
from tokenkit.keys.exchange.document import LABEL, Document, Exchange, checked_purpose, decoded
from tokenkit.keys.exchange.terms import check_keys, check_terms
from tokenkit.keys.key import KeyRecord
from tokenkit.keys.loading import release
from tokenkit.keys.names import checked_name
from tokenkit.keys.opening import edit_keyring
from tokenkit.keys.payload import read_metadata
from tokenkit.keys.pins import PinsGiven
from tokenkit.keys.providers.pem import checked_rsa, fingerprint, oaep, private_key, public_key, raw
from tokenkit.keys.providers.secret_sources import SecretSource
from tokenkit.keys.strict_json import MalformedError
from tokenkit.keys.wrapping import FILE_KEY_BYTES, Keks

_MOST_BYTES = 2**22
_ASK = "ask the sender for a new export"


def import_keys(
    source: str | os.PathLike[str],
    keyring: str | os.PathLike[str],
    kek: Keks | None = None,
    *,
    sender: str | os.PathLike[str],
    private: str | os.PathLike[str],
    purpose: str,
    name: str | None = None,
    merge: bool = False,
    take_primary: bool = False,
    passphrase: str | None = None,
    pins: PinsGiven | None = None,
) -> Exchange:
    """Take a partner's key versions into a keyring file: all of them, or none.

    Versions keep number, id and dates. A key of the same name that has one of them already is the
    same key, and gets those that it lacks; nothing that is there is changed.

    Parameters
    ----------
    source
        The exchange file.
    keyring, kek, pins
        The keyring, as for :func:`~tokenkit.keys.edit_keyring`.
    sender
        The PEM file of the sender's Ed25519 public key, got over another channel than the file.
    private
        The PEM file of one's own RSA private key.
    purpose
        What the keys are for, as agreed with the sender.
    name
        Another name for the key, if there is one key in the file.
    merge
        Whether a key of the same name is the same one even if it has none of the versions.
    take_primary
        Whether a key that is there makes its tokens with the sender's primary version from now on,
        if that is newer than its own.
    passphrase
        Where the private key's passphrase is, if it's encrypted: ``env:NAME``, ``file:PATH`` or
        ``prompt``.

    Returns
    -------
    Exchange
        What was in the file.

    Raises
    ------
    KeyringFormatError
        If the file is no exchange file, or damaged.
    KeyringTampered
        If the sender's signature doesn't hold.
    WrongKek
        If it's wrapped for another RSA key.
    ExchangeRefused
        If it has expired, isn't valid yet, is for another purpose, was imported before, or holds
        what no export has.
    KeyConflict
        If a key of the same name isn't known to be the same, another version has one's number or
        id here, or a version was destroyed here.
    KeyringError
        As :func:`~tokenkit.keys.edit_keyring` does.

    Examples
    --------
    >>> import os, tempfile
    >>> from tokenkit.keys import Keyring, create_keyring, open_keyring
    >>> from tokenkit.keys.exchange import export_keys
    >>> from tokenkit.keys.providers.passphrase import PassphraseProvider
    >>> from tokenkit.testing.key_pairs import key_pairs
    >>> os.environ["DEMO_PASSPHRASE"] = "correct horse battery staple"
    >>> kek = PassphraseProvider("env:DEMO_PASSPHRASE", cost=2**10)  # cheap, for this example only
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pems = key_pairs(Path(folder))
    ...     with Keyring.from_secrets({"claims": bytes(range(32))}) as ring:
    ...         _ = export_keys(
    ...             ring, ["claims"], f"{folder}/out.json", recipient=pems["recipient.pub"],
    ...             identity=pems["sender.pem"], purpose="claims 2027",
    ...         )
    ...     create_keyring(f"{folder}/theirs.json", [], kek).close()
    ...     _ = import_keys(
    ...         f"{folder}/out.json", f"{folder}/theirs.json", kek, sender=pems["sender.pub"],
    ...         private=pems["recipient.pem"], purpose="claims 2027",
    ...     )
    ...     with open_keyring(f"{folder}/theirs.json", kek) as ring:
    ...         ring.names
    ('claims',)
    """
    checked_purpose(purpose)
    if name is not None:
        checked_name(name)
    document = _read(Path(source))
    _check_signature(document, sender)
    own = _own(private, passphrase, document)
    exchange = document.header.exchange
    check_terms(exchange, purpose)
    with edit_keyring(keyring, kek, pins=pins) as ring:
        replays.check(exchange, ring.keyring_id)
        records = _chosen(document, own, name)
        ring.adopt(records, merge=merge, take_primary=take_primary)
    replays.note(exchange, ring.keyring_id)
    versions = {
        record.name: tuple(version.number for version in record.versions) for record in records
    }
    return dataclasses.replace(exchange, versions=versions)


def _read(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as exc:
        # A path with a NUL character is a ValueError.
        reason = getattr(exc, "strerror", None) or "it is no path"
    else:
        if len(content) > _MOST_BYTES:
            raise KeyringFormatError(f"{path} is larger than an exchange file can be (4 MiB)")
        try:
            return decoded(content)
        except MalformedError as exc:
            why = str(exc)
        # Not chained: the parser's exceptions hold the whole text.
        raise KeyringFormatError(f"{path} is no exchange file, or damaged: {why}", hint=_ASK)
    raise KeyringError(f"the exchange file {path} can't be read: {reason}", hint="check the path")


def _check_signature(document: Document, sender: str | os.PathLike[str]) -> None:
    pinned = public_key(str(sender), Ed25519PublicKey)
    # The header's MAC covers the sender, too: another signature on it isn't enough.
    holds = raw(pinned) == document.public_key and fingerprint(pinned) == document.header.sender
    if holds:
        try:
            pinned.verify(document.signature, document.signed_message())
        except InvalidSignature:
            holds = False
    if not holds:
        raise KeyringTampered(
            f"the exchange file isn't signed by {sender}, or was changed after it had been signed",
            hint="ask the sender for the file, and for the public key over another channel",
        )


def _own(
    private: str | os.PathLike[str], passphrase: str | None, document: Document
) -> RSAPrivateKey:
    source = (
        None if passphrase is None else SecretSource(passphrase, what="private key's passphrase")
    )
    own = private_key(str(private), RSAPrivateKey, source)
    checked_rsa(own.public_key(), str(private))
    if fingerprint(own.public_key()) != document.header.recipient:
        raise WrongKek(
            f"the exchange file is wrapped for another RSA key than {private}",
            hint="name the private key whose public key the sender was given",
        )
    return own


def _opened(document: Document, own: RSAPrivateKey) -> list[KeyRecord]:
    file_key = _file_key(document, own)
    opened = None
    try:
        header = document.header.encoded()
        if hmac.compare_digest(_native.header_mac(file_key, header), document.header_mac):
            opened = _native.open_payload(file_key, header, document.payload)
    except KeyringTampered:
        # The native module's own words are about keyring files.
        opened = None
    finally:
        file_key[:] = bytes(len(file_key))
    if opened is None:
        raise _inconsistent()
    metadata, handles = opened
    try:
        records, _ = read_metadata(metadata, {handle.id: handle for handle in handles})
    except MalformedError:
        for handle in handles:
            handle.release()
    else:
        return list(records.values())
    raise _inconsistent()


def _file_key(document: Document, own: RSAPrivateKey) -> bytearray:
    found = b""
    if len(document.header.wrapped) == (own.key_size + 7) // 8:
        try:
            found = own.decrypt(document.header.wrapped, oaep(LABEL))
        except ValueError:
            found = b""
    if len(found) != FILE_KEY_BYTES:
        raise _inconsistent()
    return bytearray(found)


def _inconsistent() -> KeyringTampered:
    return KeyringTampered(
        "the exchange file is signed by the sender, and its parts don't fit each other", hint=_ASK
    )


def _chosen(document: Document, own: RSAPrivateKey, name: str | None) -> list[KeyRecord]:
    records = _opened(document, own)
    try:
        check_keys(records, document.header.exchange)
        return _named(records, name)
    except BaseException:
        release(records)
        raise


def _named(records: list[KeyRecord], name: str | None) -> list[KeyRecord]:
    if name is None:
        return records
    if len(records) != 1:
        raise InvalidKey(
            f"the exchange holds {len(records)} keys, and one name was given for them",
            hint="leave the name out",
        )
    return [
        dataclasses.replace(
            record,
            name=name,
            versions=[dataclasses.replace(version, name=name) for version in record.versions],
        )
        for record in records
    ]
