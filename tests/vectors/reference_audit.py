"""The audit chain in plain Python, by the token contract alone; shares no code with the module."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from tests.vectors import reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUDIT_CHAIN, AUDIT_TOKEN_HASH = 11, 12
FIELDS = "at actor action outcome object run key key_id count reason token_hash detail".split()
FIRST_LINK = bytes(32)


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.new(key, message, hashlib.sha256).digest()


def field(value: int | str | bytes | None) -> bytes:
    """Give a field with its length; times are microseconds since 1970."""
    if value is None:
        return b"\xff\xff\xff\xff"
    if isinstance(value, int):
        value = value.to_bytes(8, signed=True)
    elif isinstance(value, str):
        value = value.encode()
    return len(value).to_bytes(4) + value


def chain_key(version: bytes) -> bytes:
    """Give the key of the chain."""
    return reference.subkey(version, AUDIT_CHAIN, "", 32)


def hashes(version: bytes, batch: bytes, records: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Give the hash of each record of a batch."""
    head, found = batch + bytes(16), []
    for record in records:
        fields = b"".join(field(record.get(name)) for name in FIELDS)
        head = mac(chain_key(version), b"\x01" + head + fields)
        found.append(head)
    return found


def link(
    version: bytes,
    previous: bytes,
    *,
    number: int,
    identity: bytes,
    written: int,
    first_at: int,
    last_at: int,
    count: int,
    last_hash: bytes,
    key: str,
    key_id: int,
) -> bytes:
    """Give the link of a batch."""
    message = b"\x02" + previous + number.to_bytes(8) + identity
    for moment in (written, first_at, last_at):
        message += moment.to_bytes(8, signed=True)
    message += field(key) + key_id.to_bytes(8) + reference.check_value(version)
    return mac(chain_key(version), message + count.to_bytes(8) + last_hash)


def token_hash(version: bytes, domain: str, token: str) -> bytes:
    """Give the keyed hash of a token."""
    return mac(reference.subkey(version, AUDIT_TOKEN_HASH, domain, 32), token.encode())
