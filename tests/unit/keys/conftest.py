"""A passphrase that costs little to derive, and a place for keyrings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tokenkit as tk
from tests.unit.keys.partners import Partners
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.testing.key_pairs import key_pairs

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def kek(monkeypatch):
    """Give a KEK whose passphrase is in the environment; scrypt's N is at its lowest."""
    monkeypatch.setenv("KEYRING_PASSPHRASE", PASSPHRASE)
    return PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)


@pytest.fixture
def path(tmp_path):
    """Give the path of a keyring that isn't there yet."""
    return tmp_path / "keyring.json"


@pytest.fixture(scope="session")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make the sender's and the recipient's key pairs, and a stranger's of each."""
    found = key_pairs(tmp_path_factory.mktemp("pairs"))
    others = key_pairs(tmp_path_factory.mktemp("others"))
    return found | {f"other-{name}": path for name, path in others.items()}


@pytest.fixture
def ours(tmp_path: Path, kek: Any) -> Path:
    """Make the sender's keyring: a key of two versions and another key."""
    path = tmp_path / "ours.json"
    with tk.create_keyring(path, ["claims", "members"], kek) as ring:
        ring.rotate("claims")
        ring.save()
    return path


@pytest.fixture
def theirs(tmp_path: Path, kek: Any) -> Path:
    """Make the recipient's keyring, which has a key of its own."""
    path = tmp_path / "theirs.json"
    tk.create_keyring(path, ["own"], kek).close()
    return path


@pytest.fixture
def partners(ours: Path, theirs: Path, kek: Any, pems: dict[str, Path]) -> Partners:
    """Bring the two together."""
    return Partners(ours, theirs, kek, pems)
