"""A KEK that is an RSA key: whoever has the public key wraps, and only the private key unwraps.

The file key is encrypted with RSA-OAEP (RFC 8017), SHA-256 in both places. Anybody can wrap for a
public key, so such a keyring is signed with Ed25519, and the opener says whose signature counts.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from tokenkit.errors import KeyProviderError, KeyringTampered, WrongKek
from tokenkit.keys.providers.data_keys import DATA_KEY_BYTES
from tokenkit.keys.providers.pem import (
    checked_rsa,
    content,
    fingerprint,
    oaep,
    private_key,
    public_key,
    raw,
)
from tokenkit.keys.providers.protocol import Stanza
from tokenkit.keys.providers.secret_sources import SecretSource
from tokenkit.keys.providers.uri import split
from tokenkit.keys.strict_json import MalformedError, fields
from tokenkit.keys.unexportable import Unexportable

_LABEL = b"tokenkit/keyring/1"


class RsaProvider(Unexportable):
    """Wraps file keys for an RSA key.

    Parameters
    ----------
    rest
        ``PATH?signer=PATH&identity=PATH&passphrase=SOURCE``: the PEM file of the public key
        (wraps) or the private one (wraps and unwraps), the signer's Ed25519 public key, one's own
        Ed25519 private key, and where the passphrase of encrypted private keys is.

    Raises
    ------
    KeyProviderError
        If the URI can't be read. The files are read when they are needed.

    Examples
    --------
    >>> RsaProvider("private.pem?signer=signer.pub").describe()
    'rsa:private.pem?signer=signer.pub'
    """

    __slots__ = ("_identity", "_passphrase", "_path", "_private", "_public", "_signer")

    scheme = "rsa"
    authenticates = False

    def __init__(self, rest: str) -> None:
        self._path, options = split(rest, self.scheme, {"signer", "identity", "passphrase"})
        self._signer = options.get("signer")
        self._identity = options.get("identity")
        source = options.get("passphrase")
        self._passphrase = (
            None if source is None else SecretSource(source, what="private key's passphrase")
        )
        self._private: RSAPrivateKey | None = None
        self._public: RSAPublicKey | None = None

    def describe(self) -> str:
        """Name the files."""
        options = {
            "signer": self._signer,
            "identity": self._identity,
            "passphrase": self._passphrase and self._passphrase.describe(),
        }
        query = "&".join(f"{name}={value}" for name, value in options.items() if value)
        return f"rsa:{self._path}?{query}" if query else f"rsa:{self._path}"

    def __repr__(self) -> str:
        return f"<RsaProvider {self.describe()}>"

    def wrap(self, file_key: bytearray) -> Stanza:
        """Encrypt a file key for the public key."""
        public = self._loaded()
        return Stanza(
            self.scheme, {"key": fingerprint(public)}, public.encrypt(bytes(file_key), oaep(_LABEL))
        )

    def unwrap(self, stanza: Stanza) -> bytearray:
        """Decrypt a file key with the private key."""
        public = self._loaded()
        if self._named(stanza) != fingerprint(public):
            raise WrongKek(
                f"the keyring is wrapped for another RSA key than {self._path}",
                hint="name the private key that it was wrapped for",
            )
        if self._private is None:
            raise KeyProviderError(
                f"{self._path} holds a public key, which wraps and can't unwrap",
                hint="name the private key's file",
            )
        file_key = b""
        if len(stanza.wrapped) == (public.key_size + 7) // 8:
            try:
                file_key = self._private.decrypt(stanza.wrapped, oaep(_LABEL))
            except ValueError:
                file_key = b""
        if len(file_key) != DATA_KEY_BYTES:
            raise WrongKek(
                f"the RSA key {self._path} doesn't open the keyring: the part of the file that "
                "it wraps is damaged",
                hint="restore the file from a copy",
            )
        return bytearray(file_key)

    def recognizes(self, stanza: Stanza) -> bool:
        """Whether a stanza is wrapped for this key; the public key is enough to tell."""
        return self._named(stanza) == fingerprint(self._loaded())

    def sign(self, message: bytes) -> tuple[bytes, bytes]:
        """Sign a keyring file: the identity's public key and the signature.

        Raises
        ------
        KeyProviderError
            If there is no identity.
        """
        if self._identity is None:
            raise KeyProviderError(
                "a keyring that is wrapped for an RSA key has to be signed, and nobody signs",
                hint="name your Ed25519 private key: rsa:PATH?identity=ed25519.pem",
            )
        identity = self._own(self._identity)
        return raw(identity.public_key()), identity.sign(message)

    def verify(self, message: bytes, signature: tuple[bytes, bytes]) -> None:
        """Check that the signer, or one's own identity, signed a keyring file.

        Raises
        ------
        KeyProviderError
            If neither is named.
        KeyringTampered
            If somebody else signed, or the signature doesn't hold.
        """
        pinned = []
        if self._signer is not None:
            pinned.append(public_key(self._signer, Ed25519PublicKey))
        if self._identity is not None:
            pinned.append(self._own(self._identity).public_key())
        if not pinned:
            raise KeyProviderError(
                "the keyring is wrapped for an RSA key, and nothing says whose signature counts",
                hint="name the signer's Ed25519 public key: rsa:PATH?signer=signer.pub",
            )
        signer, made = signature
        for key in pinned:
            if raw(key) == signer:
                try:
                    key.verify(made, message)
                except InvalidSignature:
                    break
                return
        raise KeyringTampered(
            "the keyring's signature isn't the pinned signer's, or the file was changed after it "
            "had been signed",
            hint="ask the signer for the file, and for the public key over another channel",
        )

    def _named(self, stanza: Stanza) -> str:
        try:
            found = fields(dict(stanza.parameters), "the rsa stanza", key=str)
        except MalformedError:
            return ""
        return str(found["key"])

    def _own(self, path: str) -> Ed25519PrivateKey:
        return private_key(path, Ed25519PrivateKey, self._passphrase)

    def _loaded(self) -> RSAPublicKey:
        if self._public is None:
            if b"PRIVATE KEY-----" in content(self._path):
                self._private = private_key(self._path, RSAPrivateKey, self._passphrase)
                public = self._private.public_key()
            else:
                public = public_key(self._path, RSAPublicKey)
            self._public = checked_rsa(public, self._path)
        return self._public
