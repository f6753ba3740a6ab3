"""Several KEKs on one keyring, KEKs exchanged, and keyrings that must be signed."""

import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tokenkit.errors import KekNotConfigured, KeyringError, KeyringTampered, WrongKek
from tokenkit.keys import (
    Stanza,
    create_keyring,
    edit_keyring,
    open_keyring,
    rewrap,
)
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.keys.strict_json import indented


@pytest.fixture
def spare(monkeypatch):
    """Give a second KEK."""
    monkeypatch.setenv("SPARE_PASSPHRASE", "for the day of need")
    return PassphraseProvider("env:SPARE_PASSPHRASE", cost=2)


class PublicKeyProvider:
    """Wraps for anybody, as a public key does; signs, pins the signer, and unwraps if told."""

    scheme = "public"
    authenticates = False

    def __init__(self, identity: Any = None, signer: Any = None, *, private: bool = True) -> None:
        self.identity = identity
        self.signer = signer
        self.private = private

    def wrap(self, file_key):
        return Stanza(self.scheme, {"key": "fingerprint"}, bytes(byte ^ 1 for byte in file_key))

    def unwrap(self, stanza):
        if not self.private:
            raise AssertionError("a public key can't unwrap, and isn't asked to")
        return bytearray(byte ^ 1 for byte in stanza.wrapped)

    def recognizes(self, stanza):
        return stanza.parameters == {"key": "fingerprint"}

    def sign(self, message):
        if self.identity is None:
            raise KeyringError("there is no identity")
        return self.identity.public_key().public_bytes_raw(), self.identity.sign(message)

    def verify(self, message, signature):
        if signature[0] != self.signer.public_bytes_raw():
            raise KeyringTampered("another signer")
        try:
            Ed25519PublicKey.from_public_bytes(signature[0]).verify(signature[1], message)
        except InvalidSignature:
            raise KeyringTampered("the signature doesn't hold") from None

    def describe(self):
        return "public"


def test_each_of_several_keks_opens_and_all_of_them_save(path, kek, spare):
    """Any KEK opens; a save wraps for all in their order, whatever order they are given in."""
    with create_keyring(path, ["a"], [kek, spare]) as ring:
        assert ring.kek_count == 2
    for provider in (kek, spare, [spare, kek]):
        with open_keyring(path, provider) as ring:
            assert ring.kek_count == 2
    with edit_keyring(path, [spare, kek]) as ring:
        ring.rotate("a")
        ring.save()
        ring.rotate("a")
    for provider in (kek, spare):
        with open_keyring(path, provider) as ring:
            assert len(ring["a"].versions) == 3


def test_a_kek_short_is_said_before_the_change(path, kek, spare):
    """An edit without all KEKs never begins, and says that a public key would do."""
    create_keyring(path, ["a"], [kek, spare]).close()
    content = path.read_bytes()
    for providers in (kek, [kek], [kek, kek]):
        with pytest.raises(KeyringError, match="2 KEKs, and only 1") as told:
            edit_keyring(path, providers).__enter__()
        assert "public key is enough" in str(told.value)
    assert path.read_bytes() == content


def test_a_kek_that_is_not_the_files_is_not_added(path, kek, spare):
    """Giving a KEK more opens and saves the keyring, and lets nobody in."""
    create_keyring(path, ["a"], kek).close()
    with edit_keyring(path, [spare, kek]) as ring:
        ring.rotate("a")
        assert ring.kek_count == 1
    with pytest.raises(WrongKek):
        open_keyring(path, spare)
    open_keyring(path, kek).close()


def test_rewrap(path, kek, spare):
    """One old KEK is enough to change them; those left out open nothing any more."""
    with create_keyring(path, ["a"], kek) as ring:
        check_value = ring["a"].primary.check_value
    assert rewrap(path, kek, [kek, spare]) == 2
    assert rewrap(path, spare, spare) == 3
    with pytest.raises(WrongKek):
        open_keyring(path, kek)
    with open_keyring(path, spare) as ring:
        assert ring["a"].primary.check_value == check_value
        assert ring.kek_count == 1
    for wrong in ([], [spare] * 5):
        with pytest.raises(KeyringError):
            rewrap(path, spare, wrong)
    with pytest.raises(KekNotConfigured):
        open_keyring(path, [])
    open_keyring(path, spare).close()


def test_a_spare_public_key_saves_without_its_private_half(path, kek):
    """For disaster recovery the private key stays in its safe while others rotate."""
    identity = Ed25519PrivateKey.generate()
    public = PublicKeyProvider(identity, private=False)
    create_keyring(path, ["a"], [kek, public]).close()
    with edit_keyring(path, [kek, public]) as ring:
        ring.rotate("a")
    with open_keyring(path, PublicKeyProvider(signer=identity.public_key())) as ring:
        assert len(ring["a"].versions) == 2


def test_a_public_key_needs_a_signature(path):
    """Without an identity no such keyring is written."""
    with pytest.raises(KeyringError, match="no identity"):
        create_keyring(path, ["a"], PublicKeyProvider())
    assert not path.exists()


def test_signed_keyrings(path, kek):
    """The pinned signer's keyring opens; unsigned, resigned, changed or swapped ones don't."""
    mine, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    opener = PublicKeyProvider(signer=mine.public_key())
    create_keyring(path, ["a"], PublicKeyProvider(mine)).close()
    open_keyring(path, opener).close()
    container = json.loads(path.read_bytes())
    del container["signature"]
    path.write_bytes(indented(container))
    with pytest.raises(KeyringTampered, match="isn't signed"):
        open_keyring(path, opener)
    path.unlink()
    create_keyring(path, ["a"], PublicKeyProvider(other)).close()
    with pytest.raises(KeyringTampered, match="another signer"):
        open_keyring(path, opener)
    forged = json.loads(path.read_bytes())
    path.unlink()
    create_keyring(path, ["a"], PublicKeyProvider(mine)).close()
    good = json.loads(path.read_bytes())
    for field in ("keyring", "stanzas", "header_mac", "payload"):
        path.write_bytes(indented(good | {field: forged[field]}))
        with pytest.raises(KeyringTampered, match="doesn't hold"):
            open_keyring(path, opener)


def test_every_byte_of_a_signed_keyring_counts(path, kek):
    """One byte changed is refused for the signer's reader, and for who holds the other KEK."""
    identity = Ed25519PrivateKey.generate()
    public = PublicKeyProvider(identity)
    create_keyring(path, ["a"], [kek, public]).close()
    content = path.read_bytes()
    for opener in (kek, PublicKeyProvider(signer=identity.public_key())):
        for position in range(len(content)):
            changed = bytearray(content)
            changed[position] ^= 1
            path.write_bytes(changed)
            with pytest.raises(KeyringError):
                open_keyring(path, opener)
