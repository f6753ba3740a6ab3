"""AES-SIV (RFC 5297) under raw key bytes."""

from collections.abc import Sequence

from tokenkit import _native
from tokenkit.errors import InvalidValues, SchemeError

MOST_COMPONENTS = 126
"""RFC 5297, section 2.6, bounds S2V's input; the plaintext is one component of it."""


class AESSIV:
    """Deterministic authenticated encryption with an explicit key.

    Parameters
    ----------
    key
        32, 48 or 64 bytes, for AES-128, AES-192 or AES-256.

    Raises
    ------
    SchemeError
        A ``ValueError``: if the key has another length.

    Examples
    --------
    >>> cipher = AESSIV(bytes(64))
    >>> cipher.decrypt(cipher.encrypt(b"note", [b""]), [b""])
    b'note'
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, bytes):
            raise SchemeError("an AES-SIV key is given as bytes")
        self._cipher = _native.AESSIV(key)

    def encrypt(self, plaintext: bytes, associated: Sequence[bytes] = ()) -> bytes:
        """Seal a plaintext: the 16-byte synthetic IV, then the ciphertext.

        Raises
        ------
        InvalidValues
            A ``ValueError``: if something isn't bytes, or there are more than 126 components.
        """
        return self._cipher.encrypt(_bytes(plaintext), _components(associated))

    def decrypt(self, sealed: bytes, associated: Sequence[bytes] = ()) -> bytes:
        """Open what :meth:`encrypt` gave.

        Raises
        ------
        NotAuthentic
            A ``ValueError``: if it was not sealed under this key with this associated data.
        InvalidValues
            As :meth:`encrypt`.
        """
        return self._cipher.decrypt(_bytes(sealed), _components(associated))

    def __repr__(self) -> str:
        return repr(self._cipher)

    def __reduce__(self) -> str:
        return self._cipher.__reduce__()  # type: ignore[return-value]  # it raises


def _bytes(given: object) -> bytes:
    if not isinstance(given, bytes):
        raise InvalidValues("bytes are needed", reason="type", count=1)
    return given


def _components(associated: Sequence[bytes]) -> list[bytes]:
    components = [_bytes(component) for component in associated]
    if len(components) > MOST_COMPONENTS:
        raise InvalidValues(
            f"at most {MOST_COMPONENTS} associated-data components", reason="too_long", count=1
        )
    return components
