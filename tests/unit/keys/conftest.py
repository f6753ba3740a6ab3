"""A passphrase that costs little to derive, and a place for keyrings."""

import pytest

from tokenkit.keys.providers.passphrase import PassphraseProvider

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
