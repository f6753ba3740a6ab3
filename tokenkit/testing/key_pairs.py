"""Key pairs for examples and tests; real ones come from ``openssl genpkey``."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def key_pairs(folder: Path, bits: int = 3072) -> dict[str, Path]:
    """Write a sender's Ed25519 and a recipient's RSA key pair: ``.pem`` private, ``.pub`` public.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     sorted(key_pairs(Path(place)))
    ['recipient.pem', 'recipient.pub', 'sender.pem', 'sender.pub']
    """
    pairs: dict[str, Ed25519PrivateKey | RSAPrivateKey] = {
        "sender": Ed25519PrivateKey.generate(),
        "recipient": generate_private_key(public_exponent=65537, key_size=bits),
    }
    written = {}
    for owner, pair in pairs.items():
        private = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for suffix, content in (("pem", private), ("pub", public)):
            path = folder / f"{owner}.{suffix}"
            path.touch(mode=0o600)
            path.write_bytes(content)
            written[path.name] = path
    return written
