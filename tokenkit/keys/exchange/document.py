"""The exchange file: how key versions stand on their way to a partner.

The file is JSON with one spelling, as a keyring's::

    {
      "format": "tokenkit-exchange",
      "format_version": 1,
      "exchange": "<32 hexadecimal digits>",
      "purpose": "claims 2027",
      "created": "2027-01-31T12:00:00Z",
      "expires": "2027-02-07T12:00:00Z",
      "sender": "<SHA-256 of the Ed25519 public key>",
      "recipient": "<SHA-256 of the RSA public key>",
      "wrapped": "<base64>",
      "header_mac": "<base64>",
      "payload": "<base64>",
      "signature": {"public_key": "<base64>", "signature": "<base64>"}
    }

The fields up to ``wrapped`` are the header, as compact JSON. A fresh file key is wrapped by
RSA-OAEP; under it stand the header's MAC and the payload, as in a keyring file, of which the header
is the associated data. The signature is over header, MAC and payload, and is checked before
anything is unwrapped. The header names the sender, so that who takes the signature off and puts his
own there doesn't pass for the sender of keys that he never had.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tokenkit.errors import InvalidKey
from tokenkit.keys.signature import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from tokenkit.keys.strict_json import (
    MalformedError,
    binary,
    compact,
    fields,
    indented,
    moment,
    parse,
    text,
    written_moment,
)

FORMAT = "tokenkit-exchange"
FORMAT_VERSION = 1
LABEL = b"tokenkit/exchange/1"
"""RSA-OAEP's label: what was wrapped for a keyring can't be passed off as an exchange."""

_CONTEXT = b"tokenkit/exchange/1\0signature"
_ID = re.compile(r"[0-9a-f]{32}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_PURPOSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
_MAC_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What was handed over, without any key.

    Attributes
    ----------
    id
        Random, 32 hexadecimal digits: an exchange is imported once.
    purpose
        What both sides agreed the keys are for.
    created, expires
        From when until when it can be imported, in UTC.
    versions
        The version numbers by the key's name.
    """

    id: str
    purpose: str
    created: datetime
    expires: datetime
    versions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in the file in clear, and is signed."""

    exchange: Exchange
    sender: str
    recipient: str
    wrapped: bytes

    def fields(self) -> dict[str, object]:
        """Give the header's fields, as they are written."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "exchange": self.exchange.id,
            "purpose": self.exchange.purpose,
            "created": written_moment(self.exchange.created),
            "expires": written_moment(self.exchange.expires),
            "sender": self.sender,
            "recipient": self.recipient,
            "wrapped": text(self.wrapped),
        }

    def encoded(self) -> bytes:
        """Write the header as it is authenticated."""
        return compact(self.fields())


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file."""

    header: Header
    header_mac: bytes
    payload: bytes
    public_key: bytes = b""
    signature: bytes = b""

    def signed_message(self) -> bytes:
        """Give what is signed."""
        header = self.header.encoded()
        return _CONTEXT + len(header).to_bytes(4) + header + self.header_mac + self.payload

    def encoded(self) -> bytes:
        """Write the file."""
        return indented(
            {
                **self.header.fields(),
                "header_mac": text(self.header_mac),
                "payload": text(self.payload),
                "signature": {
                    "public_key": text(self.public_key),
                    "signature": text(self.signature),
                },
            }
        )


def checked_purpose(purpose: object) -> str:
    """Give back a purpose that can be written.

    Raises
    ------
    InvalidKey
        Unless it has 1 to 100 letters, digits, spaces and ``. _ -``.

    Examples
    --------
    >>> checked_purpose("claims 2027")
    'claims 2027'
    """
    if not isinstance(purpose, str) or _PURPOSE.fullmatch(purpose) is None:
        raise InvalidKey(
            "a purpose has 1 to 100 letters, digits, spaces, '.', '_' and '-'",
            hint='say what the keys are for, such as "claims 2027"',
        )
    return purpose


def decoded(content: bytes) -> Document:
    """Read a file; nothing of it is trusted yet.

    Raises
    ------
    MalformedError
        If it's no exchange file, or another spelling of one.
    """
    found = fields(
        parse(content),
        "the file",
        format=str,
        format_version=int,
        exchange=str,
        purpose=str,
        created=str,
        expires=str,
        sender=str,
        recipient=str,
        wrapped=str,
        header_mac=str,
        payload=str,
        signature=dict,
    )
    if found["format"] != FORMAT:
        raise MalformedError("it doesn't say that it is an exchange file")
    if found["format_version"] != FORMAT_VERSION:
        raise MalformedError("its format is another than this version of tokenkit can read")
    if _ID.fullmatch(found["exchange"]) is None:
        raise MalformedError("its id isn't well formed")
    for party in ("sender", "recipient"):
        if _FINGERPRINT.fullmatch(found[party]) is None:
            raise MalformedError(f"its {party} isn't well formed")
    if _PURPOSE.fullmatch(found["purpose"]) is None:
        raise MalformedError("its purpose isn't well formed")
    signature = fields(found["signature"], "the signature", public_key=str, signature=str)
    document = Document(
        Header(
            Exchange(
                id=found["exchange"],
                purpose=found["purpose"],
                created=moment(found["created"], "created"),
                expires=moment(found["expires"], "expires"),
            ),
            found["sender"],
            found["recipient"],
            binary(found["wrapped"], "the wrapped file key"),
        ),
        binary(found["header_mac"], "the header's MAC"),
        binary(found["payload"], "the payload"),
        binary(signature["public_key"], "the signer's key"),
        binary(signature["signature"], "the signature"),
    )
    lengths = len(document.header_mac), len(document.public_key), len(document.signature)
    if lengths != (_MAC_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES):
        raise MalformedError("its MAC or its signature has the wrong length")
    # Mail may turn line ends into CRLF on the way; nothing else has two spellings.
    if document.encoded() != content.replace(b"\r\n", b"\n"):
        raise MalformedError("it has been reformatted")
    return document
