"""The keyring file: how keys stand on disk.

The file is JSON with one spelling (two spaces of indentation, ASCII, fields in this order)::

    {
      "format": "tokenkit-keyring",
      "format_version": 1,
      "stanzas": [
        {"provider": "passphrase", "parameters": {...}, "wrapped": "<base64>"}
      ],
      "header_mac": "<base64>",
      "payload": "<base64>"
    }

Each save makes a fresh file key of 32 bytes and wraps it once per KEK: these are the stanzas. The
header is the object of the first three fields, as compact JSON with sorted names. ``header_mac`` is
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
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokenkit import _native
from tokenkit.errors import (
    KeyringFormatError,
    KeyringTampered,
    WrongKek,
)
from tokenkit.keys.key import KeyRecord
from tokenkit.keys.payload import read_metadata, write_metadata
from tokenkit.keys.providers import KeyProvider, Stanza
from tokenkit.keys.strict_json import MalformedError, binary, compact, fields, indented, parse, text

FORMAT = "tokenkit-keyring"
FORMAT_VERSION = 1
_FILE_KEY_BYTES = 32
_MAC_BYTES = 32
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
    kek_count
        How many KEKs the file key is wrapped for.
    """

    records: dict[str, KeyRecord]
    generation: int
    kek_count: int


@dataclass(frozen=True, slots=True)
class _Container:
    stanzas: tuple[Stanza, ...]
    header_mac: bytes
    payload: bytes

    def header(self) -> bytes:
        return compact(_header(self.stanzas))


def seal(
    records: Mapping[str, KeyRecord], generation: int, providers: Sequence[KeyProvider]
) -> bytes:
    """Write a keyring file's content, under a fresh file key wrapped by each provider.

    Raises
    ------
    KeyringError
        If a provider fails.
    """
    with _wiped(bytearray(secrets.token_bytes(_FILE_KEY_BYTES))) as file_key:
        stanzas = tuple(provider.wrap(file_key) for provider in providers)
        header = compact(_header(stanzas))
        metadata = write_metadata(records.values(), generation)
        handles = [
            version.handle
            for record in records.values()
            for version in record.versions
            if version.handle is not None
        ]
        container = {
            **_header(stanzas),
            "header_mac": text(_native.header_mac(file_key, header)),
            "payload": text(_native.seal_payload(file_key, header, metadata, handles)),
        }
    return indented(container)


def unseal(content: bytes, providers: Sequence[KeyProvider]) -> OpenedFile:
    """Read a keyring file's content, with the first provider that unwraps its file key.

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
    try:
        container = _parse(content)
    except MalformedError as exc:
        # Not chained: the parser's exceptions hold the whole text.
        failure = KeyringFormatError(f"the file is no keyring, or damaged: {exc}", hint=_RESTORE)
    else:
        with _wiped(_unwrap(container.stanzas, providers)) as file_key:
            records, generation = _open(container, file_key)
        return OpenedFile(records, generation, len(container.stanzas))
    raise failure


def _header(stanzas: Sequence[Stanza]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "stanzas": [
            {
                "provider": stanza.provider,
                "parameters": dict(stanza.parameters),
                "wrapped": text(stanza.wrapped),
            }
            for stanza in stanzas
        ],
    }


def _parse(content: bytes) -> _Container:
    top = parse(content)
    if isinstance(top, dict) and top.get("format") == FORMAT:
        version = top.get("format_version")
        if type(version) is int and version > FORMAT_VERSION:
            raise MalformedError("its format is newer than this version of tokenkit can read")
    found = fields(
        top, "the file", format=str, format_version=int, stanzas=list, header_mac=str, payload=str
    )
    if (found["format"], found["format_version"]) != (FORMAT, FORMAT_VERSION):
        raise MalformedError("it doesn't say that it is a keyring")
    if not 0 < len(found["stanzas"]) <= _MAX_STANZAS:
        raise MalformedError("it has no stanza or too many")
    container = _Container(
        tuple(_stanza(stanza) for stanza in found["stanzas"]),
        binary(found["header_mac"], "the header's MAC"),
        binary(found["payload"], "the payload"),
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


def _unwrap(stanzas: Sequence[Stanza], providers: Sequence[KeyProvider]) -> bytearray:
    refusal: WrongKek | None = None
    for provider in providers:
        for stanza in stanzas:
            if stanza.provider != provider.scheme:
                continue
            try:
                file_key = provider.unwrap(stanza)
            except WrongKek as exc:
                refusal = exc
                continue
            if len(file_key) == _FILE_KEY_BYTES:
                return file_key
    if refusal is not None:
        raise refusal
    raise WrongKek(
        f"no stanza of the keyring can be unwrapped by {_named(providers)}",
        hint="the keyring names "
        + ", ".join(sorted({repr(stanza.provider) for stanza in stanzas}))
        + ": give one of these as KEK, or restore the file from a copy",
    )


def _named(providers: Sequence[KeyProvider]) -> str:
    return ", ".join(provider.describe() for provider in providers)


def _open(container: _Container, file_key: bytearray) -> tuple[dict[str, KeyRecord], int]:
    header = container.header()
    if not hmac.compare_digest(_native.header_mac(file_key, header), container.header_mac):
        raise _tampered("its header")
    try:
        metadata, handles = _native.open_payload(file_key, header, container.payload)
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
