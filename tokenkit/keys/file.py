"""The keyring file: how keys stand on disk.

The file is JSON with one spelling (two spaces of indentation, ASCII, fields in this order)::

    {
      "format": "tokenkit-keyring",
      "format_version": 1,
      "keyring": "<32 hexadecimal digits>",
      "stanzas": [
        {"provider": "passphrase", "parameters": {...}, "wrapped": "<base64>"}
      ],
      "header_mac": "<base64>",
      "payload": "<base64>",
      "signature": {"public_key": "<base64>", "signature": "<base64>"}
    }

``keyring`` is random and stays for the keyring's life. The signature stands there only where a KEK
is a public key, which authenticates nobody (:mod:`tokenkit.keys.signature`).

Each save makes a fresh file key of 32 bytes and wraps it once per KEK: these are the stanzas. The
header is the object of the first four fields, as compact JSON with sorted names. ``header_mac`` is
its HMAC-SHA-256, and ``payload`` is AES-256-GCM with the header as associated data, both under keys
derived from the file key (token contract, "Keyring file"). The payload holds the generation, the
keys' names, numbers, ids, states and dates, and the key bytes, which never come into Python.

What fails says how: a file that isn't of this form is damaged or no keyring
(:class:`~tokenkit.errors.KeyringFormatError`); a stanza that doesn't unwrap means a wrong KEK or a
damaged stanza (:class:`~tokenkit.errors.WrongKek`); anything that fails after that was changed by
somebody (:class:`~tokenkit.errors.KeyringTampered`).
"""

import contextlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenkit import _native
from tokenkit.errors import KeyringError, KeyringFormatError, KeyringTampered
from tokenkit.keys import storage
from tokenkit.keys.key import KeyRecord
from tokenkit.keys.payload import read_metadata, write_metadata
from tokenkit.keys.providers import KeyProvider, Stanza
from tokenkit.keys.signature import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Signature,
    sign,
    signed_message,
    verify,
)
from tokenkit.keys.strict_json import MalformedError, binary, compact, fields, indented, parse, text
from tokenkit.keys.wrapping import FILE_KEY_BYTES, Wrapping

if TYPE_CHECKING:
    from tokenkit._native import KeyHandle

FORMAT = "tokenkit-keyring"
FORMAT_VERSION = 1
_MAC_BYTES = 32
_KEYRING_ID = re.compile(r"[0-9a-f]{32}")
_MAX_STANZAS = 16
# Each is tried, and a forged passphrase stanza may cost several seconds of scrypt.
_MAX_STANZAS_OF_A_PROVIDER = 4
_MAX_PARAMETERS = 32
_RESTORE = "restore the file from a copy"


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """What a keyring file holds.

    Attributes
    ----------
    records
        The keys by name.
    generation
        1 for the file's first save, then 2, ...
    keyring_id
        The same for the keyring's life, in hexadecimal.
    wrapping
        The KEKs that the file key is wrapped for.
    """

    records: dict[str, KeyRecord]
    generation: int
    keyring_id: str
    wrapping: Wrapping


@dataclass(frozen=True, slots=True)
class Container:
    """A keyring file's outer form: all that can be read without a KEK, and nothing of it proved.

    Attributes
    ----------
    keyring_id
        The keyring's id, in hexadecimal.
    stanzas
        The file key, wrapped once per KEK.
    header_mac, payload
        What the file key opens.
    signature
        The signer's public key and signature, if the file is signed.
    """

    keyring_id: str
    stanzas: tuple[Stanza, ...]
    header_mac: bytes
    payload: bytes
    signature: Signature | None = None

    def header(self) -> bytes:
        """Give the bytes that the header's MAC covers."""
        return compact(_header(self.keyring_id, self.stanzas))

    def signed_message(self) -> bytes:
        """Give the bytes that the signature covers."""
        return signed_message(self.header(), self.header_mac, self.payload)


def new_keyring_id() -> str:
    """Draw the id of a new keyring."""
    return secrets.token_hex(16)


def seal(
    records: Mapping[str, KeyRecord],
    generation: int,
    providers: Sequence[KeyProvider],
    keyring_id: str | None = None,
) -> bytes:
    """Write a keyring file's content, under a fresh file key wrapped by each provider.

    Raises
    ------
    KeyringError
        If a provider fails, the file needs a signature and nobody signs, or what is written
        couldn't be read again.
    """
    schemes = Counter(provider.scheme for provider in providers)
    if not 0 < len(providers) <= _MAX_STANZAS or max(schemes.values()) > _MAX_STANZAS_OF_A_PROVIDER:
        raise KeyringError(
            f"a keyring has 1 to {_MAX_STANZAS} KEKs, and at most "
            f"{_MAX_STANZAS_OF_A_PROVIDER} of one provider"
        )
    with _wiped(bytearray(secrets.token_bytes(FILE_KEY_BYTES))) as file_key:
        stanzas = tuple(provider.wrap(file_key) for provider in providers)
        fields_ = _header(keyring_id or new_keyring_id(), stanzas)
        header = compact(fields_)
        handles = [
            version.handle
            for record in records.values()
            for version in record.versions
            if version.handle is not None
        ]
        metadata = _metadata(records, generation, handles)
        header_mac = _native.header_mac(file_key, header)
        payload = _native.seal_payload(file_key, header, metadata, handles)
    container = {**fields_, "header_mac": text(header_mac), "payload": text(payload)}
    signature = sign(providers, signed_message(header, header_mac, payload))
    if signature is not None:
        container["signature"] = {
            "public_key": text(signature[0]),
            "signature": text(signature[1]),
        }
    content = indented(container)
    if len(content) > storage.MAX_BYTES:
        raise KeyringError(
            "the keyring would be larger than a keyring file can be (4 MiB); nothing was written",
            hint="keep some of its keys in another keyring",
        )
    return content


def _metadata(
    records: Mapping[str, KeyRecord], generation: int, handles: Sequence["KeyHandle"]
) -> bytes:
    """Write the metadata, and read it again: what couldn't be opened mustn't be saved."""
    metadata = write_metadata(records.values(), generation)
    try:
        read_metadata(metadata, {handle.id: handle for handle in handles})
    except MalformedError as exc:
        why = str(exc)
    else:
        return metadata
    raise KeyringError(f"the keyring couldn't be opened again: {why}; nothing was written")


def unseal(content: bytes, providers: Sequence[KeyProvider], *, reveals: bool = True) -> OpenedFile:
    """Read a keyring file's content, with the first provider that unwraps its file key.

    Unless it ``reveals``, the native module turns no token back with the keys that this loads.

    Raises
    ------
    KeyringFormatError
        If the content isn't a keyring file's, or asks for something that is refused.
    WrongKek
        If no stanza unwraps.
    KeyringTampered
        If a stanza unwraps and anything else fails.
    KeyConflict
        If another key is loaded in this process under the id of one of the keyring's.
    """
    container = read_container(content)
    wrapping = Wrapping(container.stanzas, tuple(providers))
    file_key, provider = wrapping.unwrap()
    with _wiped(file_key):
        verify(provider, container.signed_message(), container.signature)
        records, generation = _open(container, file_key, reveals=reveals)
    return OpenedFile(records, generation, container.keyring_id, wrapping)


def read_container(content: bytes) -> Container:
    """Read a keyring file's outer form, without a KEK.

    Raises
    ------
    KeyringFormatError
        If the content isn't a keyring file's.
    """
    try:
        return _parse(content)
    except MalformedError as exc:
        # Not chained: the parser's exceptions hold the whole text.
        failure = KeyringFormatError(f"the file is no keyring, or damaged: {exc}", hint=_RESTORE)
    raise failure


def _header(keyring_id: str, stanzas: Sequence[Stanza]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "keyring": keyring_id,
        "stanzas": [
            {
                "provider": stanza.provider,
                "parameters": dict(stanza.parameters),
                "wrapped": text(stanza.wrapped),
            }
            for stanza in stanzas
        ],
    }


def _parse(content: bytes) -> Container:
    top = parse(content)
    if isinstance(top, dict) and top.get("format") == FORMAT:
        version = top.get("format_version")
        if type(version) is int and version > FORMAT_VERSION:
            raise MalformedError("its format is newer than this version of tokenkit can read")
    signed: dict[str, type] = {"signature": dict} if _is_signed(top) else {}
    found = fields(
        top,
        "the file",
        format=str,
        format_version=int,
        keyring=str,
        stanzas=list,
        header_mac=str,
        payload=str,
        **signed,
    )
    if (found["format"], found["format_version"]) != (FORMAT, FORMAT_VERSION):
        raise MalformedError("it doesn't say that it is a keyring")
    if _KEYRING_ID.fullmatch(found["keyring"]) is None:
        raise MalformedError("its id is no 32 hexadecimal digits")
    if not 0 < len(found["stanzas"]) <= _MAX_STANZAS:
        raise MalformedError("it has no stanza or too many")
    container = Container(
        found["keyring"],
        tuple(_stanza(stanza) for stanza in found["stanzas"]),
        binary(found["header_mac"], "the header's MAC"),
        binary(found["payload"], "the payload"),
        _signature(found["signature"]) if signed else None,
    )
    providers = Counter(stanza.provider for stanza in container.stanzas)
    if max(providers.values()) > _MAX_STANZAS_OF_A_PROVIDER:
        raise MalformedError("it has too many stanzas of one provider")
    if len(container.header_mac) != _MAC_BYTES:
        raise MalformedError("the header's MAC has the wrong length")
    # Version control may turn line ends into CRLF on the way; nothing else has two spellings.
    if indented(found) != content.replace(b"\r\n", b"\n"):
        raise MalformedError("it has been reformatted")
    return container


def _stanza(value: object) -> Stanza:
    found = fields(value, "a stanza", provider=str, parameters=dict, wrapped=str)
    parameters = found["parameters"]
    if len(parameters) > _MAX_PARAMETERS:
        raise MalformedError("a stanza has too many parameters")
    if any(type(parameter) not in {str, int} for parameter in parameters.values()):
        raise MalformedError("a stanza's parameter has the wrong type")
    return Stanza(found["provider"], parameters, binary(found["wrapped"], "a wrapped file key"))


def _is_signed(top: object) -> bool:
    return isinstance(top, dict) and "signature" in top


def _signature(value: object) -> Signature:
    found = fields(value, "the signature", public_key=str, signature=str)
    public_key = binary(found["public_key"], "the signer's key")
    signature = binary(found["signature"], "the signature")
    if (len(public_key), len(signature)) != (PUBLIC_KEY_BYTES, SIGNATURE_BYTES):
        raise MalformedError("the signature has the wrong length")
    return public_key, signature


def _open(
    container: Container, file_key: bytearray, *, reveals: bool
) -> tuple[dict[str, KeyRecord], int]:
    header = container.header()
    if not hmac.compare_digest(_native.header_mac(file_key, header), container.header_mac):
        raise _tampered("its header")
    try:
        metadata, handles = _native.open_payload(file_key, header, container.payload, reveals)
    except KeyringTampered:
        failure = _tampered("its payload")
    else:
        try:
            return read_metadata(metadata, {handle.id: handle for handle in handles})
        except MalformedError as exc:
            # Not left to the collector: the exception's frames would keep the keys loaded.
            for handle in handles:
                handle.release()
            failure = KeyringTampered(
                f"the keyring's payload is authentic, but not understood: {exc}",
                hint="open it with the version of tokenkit that wrote it, or " + _RESTORE,
            )
    raise failure


def _tampered(part: str) -> KeyringTampered:
    return KeyringTampered(
        f"the keyring's file was changed after it had been saved: the KEK is right, {part} is not",
        hint=f"{_RESTORE}, and find out who changed it",
    )


@contextlib.contextmanager
def _wiped(file_key: bytearray) -> Iterator[bytearray]:
    try:
        yield file_key
    finally:
        file_key[:] = bytes(len(file_key))
