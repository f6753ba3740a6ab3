"""A keyring in a file, and each shape's undisturbed run."""

import json

import pytest

from tests.faults.shapes import POLICY
from tokenkit.keys import create_keyring, open_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider


@pytest.fixture(scope="module")
def keyring_file(tmp_path_factory):
    """Give a keyring's file; its environment says how to open it, at the lowest cost."""
    path = tmp_path_factory.mktemp("keys") / "keyring.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYRING_PASSPHRASE", "correct horse")
        patch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
        patch.setenv("TOKENKIT_KEYRING", str(path))
        provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
        create_keyring(path, ["people"], provider).close()
        yield path


@pytest.fixture(scope="module")
def ring(keyring_file):
    """Open it here."""
    with open_keyring(keyring_file) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    """Give a folder with the policy's file."""
    (tmp_path / "policy.yaml").write_text(json.dumps(POLICY))
    return tmp_path
