"""FF1 (SP 800-38G rev. 1, second public draft, February 2025) under raw key bytes."""

from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa

from tokenkit import _native
from tokenkit.errors import InvalidValues, SchemeError, TweakMismatch, UnsupportedType


class FF1:
    """Format-preserving encryption with an explicit key and tweak.

    Parameters
    ----------
    key
        16, 24 or 32 bytes, for AES-128, AES-192 or AES-256.
    radix
        2 to 65,536; may be left out where an alphabet is given.
    alphabet
        The characters of the numerals 0, 1, 2, ...; needed for text and arrays.
    allow_small_domain
        Accept lengths with ``radix ** length`` from 100 on, which the 2016 standard allowed,
        instead of from 1,000,000 on.

    Raises
    ------
    SchemeError
        A ``ValueError``: if key, radix or alphabet are wrong.

    Notes
    -----
    Lengths go up to 65,536 numerals. No integrity: any string of the alphabet decrypts to
    something. The key bytes given stay in the caller's memory.

    Examples
    --------
    The first FF1 sample of NIST's examples for SP 800-38G (AES-128, radix 10, empty tweak):

    >>> cipher = FF1(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), alphabet="0123456789")
    >>> cipher.encrypt_text("0123456789")
    '2433477484'
    >>> cipher.decrypt([2, 4, 3, 3, 4, 7, 7, 4, 8, 4])
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    __slots__ = ("_cipher",)

    def __init__(
        self,
        key: bytes,
        *,
        radix: int | None = None,
        alphabet: str | None = None,
        allow_small_domain: bool = False,
    ) -> None:
        if not isinstance(key, bytes):
            raise SchemeError("an AES key is given as bytes")
        if radix is not None and (type(radix) is not int or not 2 <= radix <= 65_536):
            raise SchemeError("a radix is a number from 2 to 65536")
        try:
            self._cipher = _native.FF1(key, radix, alphabet, bool(allow_small_domain))
        except (TypeError, UnicodeEncodeError):
            raise SchemeError("an alphabet is a text without lone surrogates") from None

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Encrypt numerals, each below the radix.

        Raises
        ------
        InvalidValues, DomainTooSmall
            ``ValueError``s: if a numeral is out of range, or there are too few or too many.
        """
        return self._numerals(numerals, tweak, decrypt=False)

    def decrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Undo :meth:`encrypt`; raises the same."""
        return self._numerals(numerals, tweak, decrypt=True)

    def encrypt_text(self, text: str, tweak: bytes = b"") -> str:
        """Encrypt a text of the alphabet's characters.

        Raises
        ------
        InvalidValues, SchemeError
            ``ValueError``s: if a character is foreign, the text too short or long, or there is no
            alphabet.
        """
        return self._text(text, tweak, decrypt=False)

    def decrypt_text(self, text: str, tweak: bytes = b"") -> str:
        """Undo :meth:`encrypt_text`; raises the same."""
        return self._text(text, tweak, decrypt=True)

    def encrypt_array(self, values: pa.Array, tweak: "bytes | pa.Array" = b"") -> pa.Array:
        """Encrypt an array of texts.

        Parameters
        ----------
        values
            ``string``, ``large_string``, ``string_view`` or a dictionary of these, or a chunked
            array. Nulls stay null; an empty string is too short.
        tweak
            One tweak for all, or a binary array with one for each value. A null one is refused,
            unless its value is null.

        Returns
        -------
        pyarrow.Array
            Of the same type.

        Raises
        ------
        InvalidValues, TweakMismatch, UnsupportedType
            ``ValueError``s: if values don't fit (all are counted), or the tweaks are not as many.
        """
        return self._array(values, tweak, decrypt=False)

    def decrypt_array(self, values: pa.Array, tweak: "bytes | pa.Array" = b"") -> pa.Array:
        """Undo :meth:`encrypt_array`; raises the same."""
        return self._array(values, tweak, decrypt=True)

    def _numerals(self, numerals: Sequence[int], tweak: bytes, *, decrypt: bool) -> list[int]:
        # Nothing that the interpreter says of a wrong numeral gets out: it would quote it.
        wrong = InvalidValues(
            "numerals are whole numbers from 0 to radix - 1", reason="character", count=1
        )
        given = _listed(numerals)
        if given is None or any(
            type(numeral) is not int or not 0 <= numeral < 65_536 for numeral in given
        ):
            raise wrong
        return self._cipher.numerals(given, _tweak(tweak), decrypt)

    def _text(self, text: object, tweak: bytes, *, decrypt: bool) -> str:
        if not isinstance(text, str) or not _encodes(text):
            raise InvalidValues("a text is needed", reason="character", count=1)
        return self._cipher.text(text, _tweak(tweak), decrypt)

    def _array(self, values: pa.Array, tweak: "bytes | pa.Array", *, decrypt: bool) -> pa.Array:
        if isinstance(values, pa.ChunkedArray):
            return self._chunks(values, tweak, decrypt=decrypt)
        if not isinstance(values, pa.Array):
            raise UnsupportedType("values are a pyarrow array", hint="pyarrow.array(values)")
        if isinstance(tweak, pa.ChunkedArray):
            tweak = tweak.combine_chunks()
        if not isinstance(tweak, pa.Array):
            return pa.array(self._cipher.array(values, _tweak(tweak), None, decrypt))
        if len(tweak) != len(values):
            raise TweakMismatch(
                f"there are {len(tweak)} tweaks for {len(values)} values",
                hint="give a tweak for each value, or one as bytes for all",
            )
        return pa.array(self._cipher.array(values, b"", tweak, decrypt))

    def _chunks(
        self, values: pa.ChunkedArray, tweak: "bytes | pa.Array", *, decrypt: bool
    ) -> pa.ChunkedArray:
        whole = values.combine_chunks()
        turned = self._array(whole, tweak, decrypt=decrypt)
        return turned if isinstance(turned, pa.ChunkedArray) else pa.chunked_array([turned])

    def __repr__(self) -> str:
        return repr(self._cipher)

    def __reduce__(self) -> str:
        return self._cipher.__reduce__()  # type: ignore[return-value]  # it raises


def _listed(numerals: Sequence[int]) -> list[int] | None:
    # Whatever the sequence itself raises may quote what it holds.
    with suppress(Exception):
        return list(numerals)
    return None


def _tweak(tweak: object) -> bytes:
    if not isinstance(tweak, bytes):
        raise TweakMismatch("a tweak is bytes, or a pyarrow binary array beside an array of values")
    return tweak


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
