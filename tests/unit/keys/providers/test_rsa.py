"""RSA KEKs: who can wrap and unwrap, whose signature counts, and what is refused."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tokenkit.errors import KekNotConfigured, KeyProviderError, KeyringTampered, WrongKek
from tokenkit.keys import Stanza, providers
from tokenkit.keys.providers.pem import private_key

# What only one provider has is tested too.
resolve: Any = providers.resolve
FILE_KEY = bytes(range(32))


def write(folder, name, key, encryption=None):
    """Write a pair of PEM files."""
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pem").write_bytes(private)
    (folder / f"{name}.pub").write_bytes(public)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with two RSA keys and two signers."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("a", "b"):
        write(folder, name, rsa.generate_private_key(65537, 3072))
        write(folder, f"signer-{name}", Ed25519PrivateKey.generate())
    return folder


def test_the_public_key_wraps_and_the_private_key_unwraps(folder):
    """Only the private key opens, and the public key knows its stanza."""
    public, private = resolve(f"rsa:{folder}/a.pub"), resolve(f"rsa:{folder}/a.pem")
    stanza = public.wrap(bytearray(FILE_KEY))
    assert len(stanza.wrapped) == 384
    assert private.unwrap(stanza) == FILE_KEY
    assert public.recognizes(stanza)
    assert private.authenticates is False
    with pytest.raises(KeyProviderError, match="can't unwrap"):
        public.unwrap(stanza)
    other = resolve(f"rsa:{folder}/b.pem")
    assert not other.recognizes(stanza)
    with pytest.raises(WrongKek):
        other.unwrap(stanza)


@pytest.mark.parametrize("change", [b"", b"\0", b"\0" * 384, b"\xff" * 384])
def test_damaged_stanzas(folder, change):
    """A wrapped file key of the wrong length or content is refused, without a cause attached."""
    private = resolve(f"rsa:{folder}/a.pem")
    stanza = private.wrap(bytearray(FILE_KEY))
    with pytest.raises(WrongKek) as caught:
        private.unwrap(Stanza("rsa", stanza.parameters, change))
    assert caught.value.__context__ is None
    with pytest.raises(WrongKek):
        private.unwrap(Stanza("rsa", {"key": "0"}, stanza.wrapped))


def test_wrapped_keys_of_another_length(folder):
    """A well-encrypted key that isn't 32 bytes long is refused."""
    private = resolve(f"rsa:{folder}/a.pem")
    with pytest.raises(WrongKek):
        private.unwrap(private.wrap(bytearray(31)))


def test_signatures(folder):
    """The pinned signer's and one's own signatures count, and nobody else's."""
    writer = resolve(f"rsa:{folder}/a.pub?identity={folder}/signer-a.pem")
    made = writer.sign(b"message")
    assert (len(made[0]), len(made[1])) == (32, 64)
    writer.verify(b"message", made)
    reader = resolve(f"rsa:{folder}/a.pem?signer={folder}/signer-a.pub")
    reader.verify(b"message", made)
    stranger = resolve(f"rsa:{folder}/a.pem?signer={folder}/signer-b.pub")
    for provider, message, signature in [
        (reader, b"messagf", made),
        (reader, b"message", (made[0], bytes(64))),
        (stranger, b"message", made),
        (stranger, b"message", (stranger_key(folder), made[1])),
    ]:
        with pytest.raises(KeyringTampered) as caught:
            provider.verify(message, signature)
        assert caught.value.__context__ is None
    with pytest.raises(KeyProviderError, match="nobody signs"):
        reader.sign(b"message")
    with pytest.raises(KeyProviderError, match="whose signature"):
        resolve(f"rsa:{folder}/a.pem").verify(b"message", made)


def stranger_key(folder):
    """Give the raw public key of the second signer."""
    provider = resolve(f"rsa:{folder}/a.pub?identity={folder}/signer-b.pem")
    return provider.sign(b"")[0]


def test_unfit_keys(tmp_path):
    """Short keys, small exponents, other kinds and what is no key are refused by file name."""
    write(tmp_path, "short", rsa.generate_private_key(65537, 2048))
    write(tmp_path, "small", rsa.generate_private_key(3, 3072))
    write(tmp_path, "curve", ec.generate_private_key(ec.SECP256R1()))
    (tmp_path / "text.pem").write_text("-----BEGIN PRIVATE KEY-----\nhunter2\n")
    for name in ("short", "small", "curve", "text"):
        with pytest.raises(KeyProviderError, match=name) as caught:
            resolve(f"rsa:{tmp_path}/{name}.pem").wrap(bytearray(FILE_KEY))
        assert "hunter2" not in str(caught.value)
        assert caught.value.__context__ is None
    with pytest.raises(KekNotConfigured, match="missing"):
        resolve(f"rsa:{tmp_path}/missing.pem").wrap(bytearray(FILE_KEY))


def test_a_note_beside_a_private_key(folder, tmp_path):
    """A key is encrypted if its header says so, not if some text around it does."""
    path = tmp_path / "noted.pem"
    path.write_bytes(b"# not ENCRYPTED\n" + (folder / "a.pem").read_bytes())
    assert private_key(str(path), rsa.RSAPrivateKey).key_size == 3072
    with pytest.raises(KeyProviderError, match="holds no Ed25519 private key"):
        private_key(str(path), Ed25519PrivateKey)


def test_encrypted_private_keys(tmp_path, monkeypatch):
    """An encrypted key needs its passphrase, which is shown nowhere."""
    key = rsa.generate_private_key(65537, 3072)
    write(tmp_path, "k", key, BestAvailableEncryption(b"hunter2"))
    with pytest.raises(KekNotConfigured, match="encrypted"):
        resolve(f"rsa:{tmp_path}/k.pem").wrap(bytearray(FILE_KEY))
    monkeypatch.setenv("P", "hunter2")
    provider = resolve(f"rsa:{tmp_path}/k.pem?passphrase=env:P")
    assert provider.unwrap(provider.wrap(bytearray(FILE_KEY))) == FILE_KEY
    assert "hunter2" not in provider.describe()
    monkeypatch.setenv("P", "hunter3")
    with pytest.raises(WrongKek) as caught:
        resolve(f"rsa:{tmp_path}/k.pem?passphrase=env:P").wrap(bytearray(FILE_KEY))
    assert "hunter3" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "rsa:",
        "rsa:a?secret=hunter2",
        "rsa:a?signer=",
        "rsa:a?signer=b&signer=c",
        "rsa:a?passphrase=hunter2",
        "vault:nomount",
        "vault:a/../b",
        "vault:a/b?token=hunter2",
        "vault:a/b?address=http://vault.example",
        "vault:a/b?address=https://me:hunter2@vault.example",
        "aws-kms:",
        "aws-kms:k?endpoint=http://kms.example",
        "aws-kms:k?secret=hunter2",
        "aws-kms:k?context.tokenkit=a",
        "pkcs11:object=a",
        "pkcs11:object=a?module-path=/m&pin-value=hunter2",
        "pkcs11:object=a?module-path=/m&pin-source=hunter2",
        "pkcs11:pin=hunter2;object=a?module-path=/m",
    ],
)
def test_uris_that_are_refused(uri):
    """A URI that can't be read is refused at once, and a secret in it isn't quoted."""
    with pytest.raises(KeyProviderError) as caught:
        resolve(uri)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "uri", "extra"),
    [
        ("boto3", "aws-kms:k", "aws-kms"),
        ("urllib3", "vault:transit/k", "vault"),
        ("pkcs11", "pkcs11:object=a?module-path=/m", "pkcs11"),
    ],
)
def test_a_missing_package_names_the_command(monkeypatch, module, uri, extra):
    """Without the extra's package, the error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(KeyProviderError) as caught:
        resolve(uri)
    assert caught.value.hint == f"pip install 'tokenkit-vaultless[{extra}]'"
    assert caught.value.__context__ is None
