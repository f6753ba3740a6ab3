"""RSA and Ed25519 keys in PEM files. What a file holds is in no error and no repr."""

import re
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tokenkit.errors import KekNotConfigured, KeyProviderError, WrongKek
from tokenkit.keys.providers.secret_sources import SecretSource

MIN_BITS = 3072
MAX_BITS = 16384
_MIN_EXPONENT = 65537
_MAX_FILE_BYTES = 65_536
_ENCRYPTED = re.compile(
    rb"^(-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)\r?$", re.MULTILINE
)
_KINDS: dict[type, str] = {
    Ed25519PrivateKey: "Ed25519 private",
    Ed25519PublicKey: "Ed25519 public",
    RSAPrivateKey: "RSA private",
    RSAPublicKey: "RSA public",
}
_Kind = TypeVar("_Kind")


def public_key(path: str, kind: type[_Kind]) -> _Kind:
    """Read a public key of a kind.

    Raises
    ------
    KeyProviderError
        If the file holds no such key.
    KekNotConfigured
        If it can't be read.
    """
    found = content(path)
    try:
        key: object = load_pem_public_key(found)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if key is None:
        raise _unreadable(path)
    return _of_kind(key, kind, path)


def private_key(path: str, kind: type[_Kind], source: SecretSource | None = None) -> _Kind:
    """Read a private key of a kind; the source is where the passphrase of an encrypted one is.

    Raises
    ------
    KeyProviderError
        If the file holds no such key.
    KekNotConfigured
        If the file can't be read, or nothing says where its passphrase is.
    WrongKek
        If the passphrase is another one.
    """
    found = content(path)
    encrypted = _ENCRYPTED.search(found) is not None
    if encrypted and source is None:
        raise KekNotConfigured(
            f"the private key {path} is encrypted, and nothing says where its passphrase is",
            hint="add passphrase=env:NAME, passphrase=file:PATH or passphrase=prompt",
        )
    passphrase = source.read() if encrypted and source is not None else None
    try:
        key: object = load_pem_private_key(found, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if key is not None:
        return _of_kind(key, kind, path)
    if encrypted:
        raise WrongKek(f"the passphrase doesn't decrypt the private key {path}")
    raise _unreadable(path)


def checked_rsa(public: RSAPublicKey, path: str) -> RSAPublicKey:
    """Give back an RSA key that is large enough.

    Raises
    ------
    KeyProviderError
        If it has too few or too many bits, or a small exponent.
    """
    if not MIN_BITS <= public.key_size <= MAX_BITS:
        raise KeyProviderError(
            f"the RSA key {path} has {public.key_size} bits",
            hint=f"use a key of {MIN_BITS} to {MAX_BITS} bits",
        )
    if public.public_numbers().e < _MIN_EXPONENT:
        raise KeyProviderError(f"the RSA key {path} has an exponent below 65537")
    return public


def oaep(label: bytes) -> padding.OAEP:
    """Give RSA-OAEP with SHA-256 in both places; the label keeps its uses apart."""
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)


def raw(key: Ed25519PublicKey) -> bytes:
    """Give the 32 bytes of an Ed25519 public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(key: RSAPublicKey | Ed25519PublicKey) -> str:
    """Name a public key: the SHA-256 of its SubjectPublicKeyInfo, as hexadecimal digits."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def content(path: str) -> bytes:
    """Read a small file.

    Raises
    ------
    KekNotConfigured
        If it can't be read, or isn't small.
    """
    try:
        with Path(path).open("rb") as file:
            found = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "no path"
    else:
        if len(found) <= _MAX_FILE_BYTES:
            return found
        reason = "it is larger than 64 KiB"
    raise KekNotConfigured(f"the key file {path} can't be read: {reason}")


def _of_kind(key: object, kind: type[_Kind], path: str) -> _Kind:
    if not isinstance(key, kind):
        raise KeyProviderError(f"{path} holds no {_KINDS.get(kind, 'such')} key")
    return key


def _unreadable(path: str) -> KeyProviderError:
    return KeyProviderError(
        f"{path} can't be read as a key", hint="keys are PEM files, as openssl genpkey writes them"
    )
