"""The Ed25519 key that signs checkpoints, and the public keys that they are verified with."""

import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tokenkit.errors import KeyringError, KeyringExists, StoreError
from tokenkit.keys import storage

KEY_VARIABLE = "TOKENKIT_AUDIT_SIGNING_KEY"
PUBLIC_KEY_VARIABLE = "TOKENKIT_AUDIT_PUBLIC_KEY"

# Whoever else may read it could sign; a group may, since mounted secrets often are a group's.
_TOO_OPEN = stat.S_IRWXO | stat.S_IWGRP
_BLOCK = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----\n?", re.DOTALL)


def public_path(path: Path) -> Path:
    """Give the place of a signing key's public half.

    Examples
    --------
    >>> public_path(Path("audit-signing-key.pem")).name
    'audit-signing-key.pub.pem'
    """
    return path.with_name(f"{path.stem}.pub.pem")


class SigningKey:
    """Signs checkpoints.

    Examples
    --------
    >>> import tempfile
    >>> key = SigningKey.at(Path(tempfile.mkdtemp()) / "key.pem")
    >>> key.public.verify(key.sign(b"statement"), b"statement")
    True
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def at(cls, path: Path, *, make: bool = True) -> "SigningKey":
        """Read the key from a PEM file, or make the file if there is none.

        Parameters
        ----------
        path
            The file; one that is made can be read by its owner alone, and its public half stands
            beside it (``NAME.pub.pem``).
        make
            Whether a key may be made.

        Raises
        ------
        StoreError
            If the file can't be read or made, isn't an Ed25519 key in PEM, or may be read by
            everybody.
        """
        reason, hint = None, None
        try:
            content = path.read_bytes()
            if path.stat().st_mode & _TOO_OPEN:
                reason, hint = "others have access to it", f"chmod 600 {path}"
        except FileNotFoundError:
            if make:
                return cls._made(path)
            reason, hint = "there is no such file", "make one: openssl genpkey -algorithm ed25519"
            content = b""
        except OSError as exc:
            reason, content = exc.strerror or type(exc).__name__, b""
        if reason is None:
            try:
                key = serialization.load_pem_private_key(content, None)
            except (ValueError, TypeError, UnsupportedAlgorithm):
                key = None
            if isinstance(key, Ed25519PrivateKey):
                return cls(key)
            reason = "it is no unencrypted Ed25519 private key in PEM"
        raise StoreError(f"the signing key of the audit log at {path}: {reason}", hint=hint)

    @classmethod
    def _made(cls, path: Path) -> "SigningKey":
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        failed = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            storage.create_private(path, private)
        except KeyringExists:
            # Another process was faster.
            return cls.at(path, make=False)
        except (KeyringError, OSError):
            failed = True
        if failed:
            raise StoreError(
                f"no signing key for the audit log can be made at {path}",
                hint=f"name a PEM file of an Ed25519 private key: {KEY_VARIABLE}",
            )
        beside = public_path(path)
        beside.unlink(missing_ok=True)
        storage.create_private(beside, public)
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        return self._key.sign(message)

    @property
    def public(self) -> "VerifyingKeys":
        """The public half."""
        return VerifyingKeys([self._key.public_key()])


class VerifyingKeys:
    """The public keys, one of which has to have signed.

    Examples
    --------
    >>> VerifyingKeys([]).verify(bytes(64), b"statement")
    False
    """

    def __init__(self, keys: list[Ed25519PublicKey]) -> None:
        self._keys = keys

    @classmethod
    def at(cls, path: Path) -> "VerifyingKeys":
        """Read one or more public keys from a PEM file.

        Raises
        ------
        StoreError
            If the file can't be read, or holds anything but Ed25519 public keys in PEM.
        """
        reason, keys = None, []
        try:
            blocks = _BLOCK.findall(path.read_bytes())
            keys = [serialization.load_pem_public_key(block) for block in blocks]
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
        except (ValueError, UnsupportedAlgorithm):
            reason = "it can't be read as PEM"
        found = [key for key in keys if isinstance(key, Ed25519PublicKey)]
        if reason is None and (not found or len(found) < len(keys)):
            reason = "it holds something else than Ed25519 public keys"
        if reason is not None:
            raise StoreError(f"the audit log's public key at {path}: {reason}")
        return cls(found)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether one of the keys made this signature of this message."""
        return any(_holds(key, signature, message) for key in self._keys)


def _holds(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def configured_verifying(key_path: Path | None) -> VerifyingKeys | None:
    """Give the public keys that the environment names, else those beside the signing key.

    Raises
    ------
    StoreError
        If a file that was named can't be used.
    """
    named = os.environ.get(PUBLIC_KEY_VARIABLE)
    if named:
        return VerifyingKeys.at(Path(named))
    if key_path is not None and public_path(key_path).exists():
        return VerifyingKeys.at(public_path(key_path))
    if key_path is not None and key_path.exists():
        return SigningKey.at(key_path, make=False).public
    return None
