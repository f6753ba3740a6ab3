"""A sender and a recipient of key versions."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

import tokenkit as tk
from tokenkit import _native
from tokenkit.keys.exchange import Exchange, export_keys, import_keys, sending
from tokenkit.keys.key import KeyRecord, KeyState, KeyVersion
from tokenkit.keys.providers.pem import private_key, public_key

if TYPE_CHECKING:
    from pathlib import Path

PURPOSE = "claims 2027"
VALUES = ["0042719365", "1234567890"]


class Partners:
    """Exports and imports with the usual arguments, unless others are given."""

    def __init__(self, ours: Path, theirs: Path, kek: Any, pems: dict[str, Path]) -> None:
        self.ours, self.theirs, self.kek, self.pems = ours, theirs, kek, pems
        self.file = ours.parent / "exchange.json"

    def export(self, versions: Any = ("claims",), **changes: Any) -> Any:
        given = {
            "recipient": self.pems["recipient.pub"],
            "identity": self.pems["sender.pem"],
            "purpose": PURPOSE,
            **changes,
        }
        self.file.unlink(missing_ok=True)
        with tk.open_keyring(self.ours, self.kek) as ring:
            return export_keys(ring, versions, self.file, **given)

    def forge(self, records: list[KeyRecord], **terms: datetime) -> None:
        """Sign an exchange as the sender, with whatever is asked for in it."""
        now = datetime.now(UTC).replace(microsecond=0)
        exchange = Exchange(
            id=secrets.token_hex(16),
            purpose=PURPOSE,
            created=terms.get("created", now),
            expires=terms.get("expires", now + timedelta(days=3)),
        )
        signer = private_key(str(self.pems["sender.pem"]), Ed25519PrivateKey)
        partner = public_key(str(self.pems["recipient.pub"]), RSAPublicKey)
        self.file.write_bytes(sending.signed(records, exchange, partner, signer).encoded())

    def take(self, **changes: Any) -> Any:
        given = {
            "sender": self.pems["sender.pub"],
            "private": self.pems["recipient.pem"],
            "purpose": PURPOSE,
            **changes,
        }
        return import_keys(self.file, self.theirs, self.kek, **given)

    def names(self) -> dict[str, list[int]]:
        with tk.open_keyring(self.theirs, self.kek) as ring:
            return {name: [version.number for version in ring[name].versions] for name in ring}


def tokens(path: Path, kek: Any, name: str, version: int) -> list[str]:
    """Tokenize with a key version of a keyring."""
    with tk.open_keyring(path, kek) as ring:
        made = tk.tokenize(pl.Series(VALUES), "digits", key=name, keyring=ring, version=version)
        return list(made)


def foreign(name: str, id_: int, secret: bytes, **changes: Any) -> KeyVersion:
    """Load key bytes as a version with fields of our choice."""
    handle = _native.import_key(id_, bytearray(secret))
    given = {"number": 1, "created": datetime.now(UTC).replace(microsecond=0), **changes}
    return KeyVersion(name=name, id=id_, check_value=handle.check_value, handle=handle, **given)


def destroyed(name: str, number: int, id_: int) -> KeyVersion:
    """Give a destroyed version with fields of our choice."""
    now = datetime.now(UTC).replace(microsecond=0)
    return KeyVersion(
        name=name,
        number=number,
        id=id_,
        check_value=secrets.token_bytes(16),
        state=KeyState.DESTROYED,
        created=now,
        primary_since=now,
        destroyed=now,
    )
