"""A sender and a recipient of key versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

import tokenkit as tk
from tokenkit.keys.exchange import export_keys, import_keys

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
