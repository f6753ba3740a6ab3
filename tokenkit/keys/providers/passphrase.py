"""A KEK derived from a passphrase.

Key derivation is scrypt (RFC 7914) with N = 2^17, r = 8, p = 1 and a fresh 16-byte salt for each
wrap; the file key is wrapped with AES-256-KWP (RFC 5649, NIST SP 800-38F section 6.3), whose
integrity check tells a wrong passphrase from a right one.
"""

import hashlib
import secrets

from cryptography.hazmat.primitives import keywrap

from tokenkit.errors import KeyProviderError, KeyringFormatError, WrongKek
from tokenkit.keys.providers.protocol import Stanza
from tokenkit.keys.providers.secret_sources import SecretSource
from tokenkit.keys.strict_json import MalformedError, binary, fields, text
from tokenkit.keys.unexportable import Unexportable

DEFAULT_COST = 2**17
MAX_COST = 2**20
_BLOCK_SIZE = 8
_PARALLELISM = 1
_SALT_BYTES = 16
_WRAPPED_BYTES = 40


class PassphraseProvider(Unexportable):
    """Wraps file keys under a passphrase.

    The passphrase is read once, when it's first needed, and kept for the saves that follow.

    Parameters
    ----------
    source
        ``env:NAME``, ``file:PATH`` (one newline at the end doesn't count) or ``prompt`` (on a
        terminal only).
    cost
        scrypt's N for wrapping, a power of two up to 2^20. The default takes about 0.4 s and
        128 MiB. Lower it for tests only: it is all that makes guessing passphrases slow.

    Raises
    ------
    KeyProviderError
        If the source or the cost can't be used.

    Examples
    --------
    >>> import os
    >>> os.environ["DEMO_PASSPHRASE"] = "correct horse battery staple"
    >>> provider = PassphraseProvider("env:DEMO_PASSPHRASE", cost=2**10)
    >>> stanza = provider.wrap(bytearray(range(32)))
    >>> provider.unwrap(stanza) == bytearray(range(32))
    True
    """

    __slots__ = ("_cost", "_passphrase", "_source")

    scheme = "passphrase"

    def __init__(self, source: str, *, cost: int = DEFAULT_COST) -> None:
        self._source = SecretSource(source, what="passphrase", prompt="Keyring passphrase: ")
        if not _is_cost(cost):
            raise KeyProviderError("scrypt's N must be a power of two from 2 to 2^20")
        self._cost = cost
        self._passphrase: bytearray | None = None

    def describe(self) -> str:
        """Name the source of the passphrase."""
        return f"passphrase:{self._source.describe()}"

    def __repr__(self) -> str:
        return f"<PassphraseProvider {self.describe()}>"

    def wrap(self, file_key: bytearray) -> Stanza:
        """Wrap a file key under a key derived with a fresh salt."""
        salt = secrets.token_bytes(_SALT_BYTES)
        kek = _derive(self._read(new=True), salt, self._cost)
        parameters: dict[str, str | int] = {
            "kdf": "scrypt",
            "n": self._cost,
            "r": _BLOCK_SIZE,
            "p": _PARALLELISM,
            "salt": text(salt),
        }
        wrapped = keywrap.aes_key_wrap_with_padding(kek, bytes(file_key))
        return Stanza(self.scheme, parameters, wrapped)

    def unwrap(self, stanza: Stanza) -> bytearray:
        """Unwrap a file key, or say that the passphrase is wrong or the stanza damaged."""
        cost, salt = _checked(stanza)
        kek = _derive(self._read(new=False), salt, cost)
        try:
            return bytearray(keywrap.aes_key_unwrap_with_padding(kek, stanza.wrapped))
        except keywrap.InvalidUnwrap:
            self._forget()
        raise WrongKek(
            f"the passphrase from {self.describe()} doesn't open the keyring, or the part of the "
            "file that it wraps is damaged",
            hint="check the passphrase; if it is right, restore the file from a copy",
        )

    def _forget(self) -> None:
        if self._passphrase is not None:
            self._passphrase[:] = bytes(len(self._passphrase))
            self._passphrase = None

    def _read(self, *, new: bool) -> bytearray:
        if self._passphrase is None:
            self._passphrase = bytearray(self._source.read(twice=new))
        return self._passphrase


def _derive(passphrase: bytearray, salt: bytes, cost: int) -> bytes:
    # 128 r N bytes, and as much again as OpenSSL may want beside them for small N.
    memory = 128 * _BLOCK_SIZE * (cost + 1024)
    return hashlib.scrypt(
        passphrase, salt=salt, n=cost, r=_BLOCK_SIZE, p=_PARALLELISM, maxmem=memory, dklen=32
    )


def _is_cost(cost: int) -> bool:
    return 2 <= cost <= MAX_COST and cost & (cost - 1) == 0


def _checked(stanza: Stanza) -> tuple[int, bytes]:
    try:
        found = fields(
            dict(stanza.parameters), "the passphrase stanza", kdf=str, n=int, r=int, p=int, salt=str
        )
        salt = binary(found["salt"], "the salt")
    except MalformedError as exc:
        raise KeyringFormatError(f"the keyring file is damaged: {exc}") from None
    if (found["kdf"], found["r"], found["p"]) != ("scrypt", _BLOCK_SIZE, _PARALLELISM):
        raise KeyringFormatError("the keyring file asks for another key derivation than scrypt")
    if len(salt) != _SALT_BYTES or len(stanza.wrapped) != _WRAPPED_BYTES:
        raise KeyringFormatError(
            "the keyring file is damaged: the passphrase stanza has a part of the wrong length"
        )
    if not _is_cost(found["n"]):
        # A file may come from anywhere; it mustn't make the opener spend gigabytes.
        raise KeyringFormatError(
            "the keyring file asks for an scrypt N that is refused",
            hint="N is a power of two up to 2^20; restore the file from a copy",
        )
    return found["n"], salt
