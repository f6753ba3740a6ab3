"""Keysets beside each other in one process, and those that would make no tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tokenkit as tk
from tokenkit.errors import InvalidKey, KeyConflict
from tokenkit.keys.tink import export_keyset, import_keyset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ring() -> Iterator[tk.Keyring]:
    """Open a keyring whose key has two versions."""
    with tk.Keyring.from_secrets({"notes": bytes(range(32))}) as opened:
        opened.rotate("notes")
        yield opened


def test_keysets_of_several_domains(ring: tk.Keyring, tmp_path: Path) -> None:
    """HMAC keysets of one key live beside each other; of AES-SIV ones, with one id, one does."""
    for domain in ("text", "memo"):
        export_keyset(ring["notes"], tmp_path / domain, domain=domain)
        export_keyset(ring["notes"], tmp_path / f"{domain}-tags", domain=domain, algorithm="hmac")
    for domain in ("text", "memo"):
        key = import_keyset(ring, f"{domain}-tags", tmp_path / f"{domain}-tags")
        assert [v.id for v in key.versions] == [
            int.from_bytes(v.check_value[:4]) for v in key.versions
        ]
        assert key.primary_number == 2
    with pytest.raises(KeyConflict, match="already loaded") as caught:
        import_keyset(ring, "text", tmp_path / "text")
    assert "keyring of its own" in str(caught.value.hint)
    ring.close()
    with tk.Keyring.from_secrets({}) as other:
        import_keyset(other, "text", tmp_path / "text")
        with pytest.raises(KeyConflict) as caught:
            import_keyset(other, "memo", tmp_path / "memo")
        assert "processes of their own" in str(caught.value.hint)


def test_a_disabled_primary_key_is_refused(ring: tk.Keyring, tmp_path: Path) -> None:
    """A keyset that makes no tokens isn't taken in."""
    path = tmp_path / "keyset.json"
    with tk.Keyring.from_secrets({"other": bytes(range(32, 64))}) as other:
        export_keyset(other["other"], path, domain="text")
    keyset = json.loads(path.read_text())
    keyset["key"][0]["status"] = "DISABLED"
    path.write_text(json.dumps(keyset))
    with pytest.raises(InvalidKey, match="primary key is disabled"):
        import_keyset(ring, "theirs", path)
    assert ring.names == ("notes",)
