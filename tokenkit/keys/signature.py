"""Signed keyrings: who wraps a file key for a public key proves nothing, so he signs the file."""

from collections.abc import Sequence
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tokenkit.errors import KeyringError, KeyringTampered
from tokenkit.keys.providers import KeyProvider

Signature: TypeAlias = tuple[bytes, bytes]
"""The signer's Ed25519 public key (32 bytes) and the signature (64)."""

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
_CONTEXT = b"tokenkit/keyring/1\0signature"


def signed_message(header: bytes, header_mac: bytes, payload: bytes) -> bytes:
    """Give what is signed: the header, its MAC and the sealed payload."""
    return _CONTEXT + len(header).to_bytes(4) + header + header_mac + payload


def sign(providers: Sequence[KeyProvider], message: bytes) -> Signature | None:
    """Sign a file, if one of its KEKs asks for it.

    A provider whose ``authenticates`` is False needs a signature, which one of those makes
    (``sign(message)``).

    Raises
    ------
    KeyringError
        If there is nobody to sign.
    """
    if all(authenticates(provider) for provider in providers):
        return None
    for provider in providers:
        make = None if authenticates(provider) else getattr(provider, "sign", None)
        if make is not None:
            public_key, signature = make(message)
            return bytes(public_key), bytes(signature)
    raise KeyringError(
        "the keyring is wrapped for a public key, which authenticates nobody, and there is no "
        "identity to sign it with",
        hint="name an Ed25519 identity with the KEK",
    )


def verify(provider: KeyProvider, message: bytes, signature: Signature | None) -> None:
    """Check the signature of a file that a provider has unwrapped, where it needs one.

    Raises
    ------
    KeyringTampered
        If there is none, or it isn't the signer's that the provider pins.
    """
    if authenticates(provider):
        if signature is not None and not _holds(message, signature):
            raise KeyringTampered(
                "the keyring's signature doesn't hold: the file was changed after it was signed",
                hint="restore the file from a copy, and find out who changed it",
            )
        return
    check = getattr(provider, "verify", None)
    if signature is None or check is None:
        raise KeyringTampered(
            "the keyring isn't signed, and its KEK is a public key: anybody could have made it",
            hint="ask for a signed keyring, and name its signer with the KEK",
        )
    check(message, signature)


def authenticates(provider: KeyProvider) -> bool:
    """Whether a file key that this provider unwraps can only come from who has the KEK."""
    return bool(getattr(provider, "authenticates", True))


def _holds(message: bytes, signature: Signature) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(signature[0]).verify(signature[1], message)
    except (InvalidSignature, ValueError):
        return False
    return True
