"""The token contract once more, in plain Python, to hold the native module against.

Written from the text of the contract and of the standards (SP 800-38G rev. 1 section 5.2,
RFC 5297, RFC 5869), value by value and without any thought of speed. It shares no code with the
native module; AES, AES-SIV and HKDF come from the ``cryptography`` package.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = "0123456789"
ALPHANUMERIC = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz"

#: The purposes of subkeys, by their number in the contract.
AES_SIV, FF1, HMAC, AES_GCM, PREFIX_PRESERVING_IP = 1, 2, 3, 4, 5
DATE_SHIFT, METADATA_MAC, KEY_CHECK, REKEY_PROOF, REJECTS = 6, 7, 8, 9, 10

DOMAIN_MINIMUM = 1_000_000
SMALL_DOMAIN_MINIMUM = 100
MOST_KEPT = 15
SEALED_TOKEN_TYPE = b"\x01"


class UnfitError(ValueError):
    """The value or token does not fit the parameters."""


class RefusedError(ValueError):
    """The parameters themselves are refused, whatever the value."""


# Keys and subkeys


def subkey(version: bytes, purpose: int, domain: str, length: int) -> bytes:
    """Return the subkey of a 32-byte key version for a purpose and a domain."""
    if len(version) != 32:
        raise RefusedError("a key version has 32 bytes")
    info = b"tokenkit/1" + b"\x00" + bytes([purpose]) + domain.encode("ascii")
    return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(version)


def check_value(version: bytes) -> bytes:
    """Return the 16-byte key-check value."""
    return subkey(version, KEY_CHECK, "", 16)


# FF1, SP 800-38G rev. 1, section 5.2. Names of variables are those of the standard.


def prf(key: bytes, x: bytes) -> bytes:
    """Algorithm 6: CBC-MAC with a zero initial vector, over whole blocks."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return (encryptor.update(x) + encryptor.finalize())[-16:]


def ciph(key: bytes, x: bytes) -> bytes:
    """The AES block cipher, CIPH_K."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(x) + encryptor.finalize()


def num_radix(x: Sequence[int], radix: int) -> int:
    """Algorithm 1: the number that the numerals stand for, the most significant first."""
    number = 0
    for numeral in x:
        number = number * radix + numeral
    return number


def str_radix(x: int, radix: int, m: int) -> list[int]:
    """Algorithm 3: the number as m numerals, the most significant first."""
    numerals = []
    for _ in range(m):
        x, numeral = divmod(x, radix)
        numerals.append(numeral)
    return numerals[::-1]


def _check_ff1(key: bytes, radix: int, x: Sequence[int], tweak: bytes, minimum: int) -> None:
    if len(key) not in {16, 24, 32}:
        raise RefusedError("AES has keys of 16, 24 and 32 bytes")
    if not 2 <= radix <= 2**16:
        raise RefusedError("the radix is from 2 to 65536")
    if not 2 <= len(x) < 2**32 or len(tweak) >= 2**32:
        raise UnfitError("the length is out of range")
    if radix ** len(x) < minimum:
        raise UnfitError("the domain is too small")
    if not all(0 <= numeral < radix for numeral in x):
        raise UnfitError("a numeral is out of range")


def _p_b_d(radix: int, n: int, tweak: bytes) -> tuple[bytes, int, int]:
    """Steps 3 to 5 of algorithms 7 and 8."""
    u = n // 2
    v = n - u
    # ceil(v * log2(radix)) is the number of bits of the largest number of v numerals.
    b = ((radix**v - 1).bit_length() + 7) // 8
    d = 4 * ((b + 3) // 4) + 4
    p = (
        bytes([1, 2, 1])
        + radix.to_bytes(3, "big")
        + bytes([10, u % 256])
        + n.to_bytes(4, "big")
        + len(tweak).to_bytes(4, "big")
    )
    return p, b, d


def _q(tweak: bytes, i: int, number: int, b: int) -> bytes:
    """Step 6.i of algorithms 7 and 8."""
    return tweak + bytes((-len(tweak) - b - 1) % 16) + bytes([i]) + number.to_bytes(b, "big")


def _y(key: bytes, p: bytes, q: bytes, d: int) -> int:
    """Steps 6.ii to 6.iv of algorithms 7 and 8."""
    r = prf(key, p + q)
    s = r
    j = 1
    while len(s) < d:
        s += ciph(key, bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"), strict=True)))
        j += 1
    return int.from_bytes(s[:d], "big")


def ff1_encrypt(
    key: bytes, radix: int, tweak: bytes, x: Sequence[int], *, minimum: int = DOMAIN_MINIMUM
) -> list[int]:
    """Algorithm 7, FF1.Encrypt(K, T, X)."""
    _check_ff1(key, radix, x, tweak, minimum)
    n = len(x)
    u = n // 2
    v = n - u
    p, b, d = _p_b_d(radix, n, tweak)
    left, right = list(x[:u]), list(x[u:])
    for i in range(10):
        y = _y(key, p, _q(tweak, i, num_radix(right, radix), b), d)
        m = u if i % 2 == 0 else v
        c = (num_radix(left, radix) + y) % radix**m
        left, right = right, str_radix(c, radix, m)
    return left + right


def ff1_decrypt(
    key: bytes, radix: int, tweak: bytes, x: Sequence[int], *, minimum: int = DOMAIN_MINIMUM
) -> list[int]:
    """Algorithm 8, FF1.Decrypt(K, T, X)."""
    _check_ff1(key, radix, x, tweak, minimum)
    n = len(x)
    u = n // 2
    v = n - u
    p, b, d = _p_b_d(radix, n, tweak)
    left, right = list(x[:u]), list(x[u:])
    for i in reversed(range(10)):
        y = _y(key, p, _q(tweak, i, num_radix(left, radix), b), d)
        m = u if i % 2 == 0 else v
        c = (num_radix(right, radix) - y) % radix**m
        right, left = left, str_radix(c, radix, m)
    return left + right


# The contract's constructions


def luhn_sum(digits: Sequence[int]) -> int:
    """Return the Luhn sum modulo 10: every second digit from the right counts double."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(2 * digit, 10)) if place % 2 else digit
    return total % 10


def with_luhn_sum(digits: Sequence[int], position: int, residue: int) -> list[int]:
    """Return the digits with the one at `position` chosen so that the Luhn sum is `residue`."""
    for digit in range(10):
        candidate = [*digits[:position], digit, *digits[position + 1 :]]
        if luhn_sum(candidate) == residue:
            return candidate
    raise AssertionError("one of the ten digits gives each residue")


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What shapes a token, and the key that makes it.

    ``alphabet`` is ``None`` for sealed tokens. Lengths count characters of the alphabet, not
    separators. ``tweak_column`` is the value of the tweak column in the row, if there is one.
    """

    key: bytes
    key_id: int
    domain: str
    alphabet: str | None = None
    separators: str = ""
    min_length: int = 2
    max_length: int = 65_536
    keep_first: int = 0
    keep_last: int = 0
    check_digit: str = "none"
    allow_small_domain: bool = False
    tweak_column: bytes | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z0-9._-]{1,64}", self.domain):
            raise RefusedError("a domain is 1 to 64 characters of a-z 0-9 . _ -")
        if not 0 < self.key_id < 2**32:
            raise RefusedError("a key id is a nonzero 32-bit integer")
        if self.alphabet is None:
            return
        if len(set(self.alphabet)) != len(self.alphabet) or len(self.alphabet) < 2:
            raise RefusedError("an alphabet has at least two characters, each of them once")
        if set(self.alphabet) & set(self.separators):
            raise RefusedError("a separator is no character of the alphabet")
        if not (0 <= self.keep_first <= MOST_KEPT and 0 <= self.keep_last <= MOST_KEPT):
            raise RefusedError("at most 15 characters are kept at either end")
        if self.check_digit not in {"none", "ignore", "valid", "invalid"}:
            raise RefusedError("the check digit mode is none, ignore, valid or invalid")
        if self.check_digit != "none" and self.alphabet != DIGITS:
            raise RefusedError("only digits have a check digit")
        free = self.min_length - self.keep_first - self.keep_last - self.has_solved_digit
        if free < 2 or len(self.alphabet) ** free < self.domain_minimum:
            raise RefusedError("the domain is too small")

    @property
    def has_solved_digit(self) -> bool:
        """Whether one digit is not encrypted, but follows from the others."""
        return self.check_digit in {"valid", "invalid"}

    @property
    def token_residue(self) -> int:
        """The Luhn sum of a token, where one is set."""
        return 1 if self.check_digit == "invalid" else 0

    @property
    def domain_minimum(self) -> int:
        """The smallest number of values that FF1 may permute."""
        return SMALL_DOMAIN_MINIMUM if self.allow_small_domain else DOMAIN_MINIMUM


def kept_parts_tweak(first: str, last: str, *, alphabet: str) -> bytes:
    """Return K, the kept parts as the tweak holds them."""
    if alphabet == DIGITS:
        kept = first + last
        halves = [int(digit) for digit in kept] + [0xF] * (len(kept) % 2)
        pairs = zip(halves[::2], halves[1::2], strict=True)
        return bytes([len(first) << 4 | len(last)]) + bytes(high << 4 | low for high, low in pairs)
    k = bytes([2])
    for part in (first.encode(), last.encode()):
        k += len(part).to_bytes(2, "big") + part
    return k


def tweak_of(characters: Sequence[str], parameters: Parameters) -> bytes:
    """Return FF1's tweak for the characters of a value, separators left out."""
    column = parameters.tweak_column
    if parameters.keep_first == parameters.keep_last == 0 and column is None:
        return b""
    assert parameters.alphabet is not None
    first = "".join(characters[: parameters.keep_first])
    last = "".join(characters[len(characters) - parameters.keep_last :])
    k = kept_parts_tweak(first, last, alphabet=parameters.alphabet)
    return k + (b"\x00" if column is None else b"\x01" + column)


def tokenize(value: str | None, parameters: Parameters) -> str | None:
    """Return the token of a value; raise `UnfitError` if it has none."""
    if not value:
        return value
    if parameters.alphabet is None:
        return _seal(value, parameters)
    return _permute(value, parameters, encrypt=True)


def detokenize(token: str | None, parameters: Parameters) -> str | None:
    """Return the value of a token; raise `UnfitError` if it has none."""
    if not token:
        return token
    if parameters.alphabet is None:
        return _open(token, parameters)
    return _permute(token, parameters, encrypt=False)


def _permute(text: str, parameters: Parameters, *, encrypt: bool) -> str:
    characters = _characters(text, parameters)
    alphabet = parameters.alphabet
    assert alphabet is not None
    numerals = [alphabet.index(character) for character in characters]
    start = parameters.keep_first
    end = len(numerals) - parameters.keep_last
    source_residue, target_residue = 0, parameters.token_residue
    if not encrypt:
        source_residue, target_residue = target_residue, source_residue
    if parameters.has_solved_digit:
        if luhn_sum(numerals) != source_residue:
            raise UnfitError("the check digit does not hold")
        end -= 1

    key = subkey(parameters.key, FF1, parameters.domain, 32)
    cipher = ff1_encrypt if encrypt else ff1_decrypt
    numerals[start:end] = cipher(
        key,
        len(alphabet),
        tweak_of(characters, parameters),
        numerals[start:end],
        minimum=parameters.domain_minimum,
    )
    if parameters.has_solved_digit:
        numerals = with_luhn_sum(numerals, end, target_residue)
    result = iter(alphabet[numeral] for numeral in numerals)
    return "".join(c if c in parameters.separators else next(result) for c in text)


def _characters(text: str, parameters: Parameters) -> list[str]:
    """Return the characters of the alphabet; separators stand alone, and only between them."""
    assert parameters.alphabet is not None
    characters = []
    after_separator = True
    for character in text:
        if character in parameters.alphabet:
            characters.append(character)
            after_separator = False
        elif character not in parameters.separators:
            raise UnfitError("a character is neither in the alphabet nor a separator")
        elif after_separator:
            raise UnfitError("a separator stands at an end or beside another")
        else:
            after_separator = True
    if after_separator:
        raise UnfitError("a separator stands at an end or beside another")
    if not parameters.min_length <= len(characters) <= parameters.max_length:
        raise UnfitError("the length is not accepted")
    return characters


def _sealing_key(parameters: Parameters) -> AESSIV:
    return AESSIV(subkey(parameters.key, AES_SIV, parameters.domain, 64))


def _seal(value: str, parameters: Parameters) -> str:
    # One associated-data component, which is empty: other than none at all.
    sealed = _sealing_key(parameters).encrypt(value.encode(), [b""])
    token = SEALED_TOKEN_TYPE + parameters.key_id.to_bytes(4, "big") + sealed
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode("ascii")


def _open(token: str, parameters: Parameters) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", token) or len(token) % 4 == 1:
        raise UnfitError("no base64url without padding")
    decoded = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode("ascii") != token:
        raise UnfitError("the unused bits at the end are not zero")
    if decoded[:5] != SEALED_TOKEN_TYPE + parameters.key_id.to_bytes(4, "big"):
        raise UnfitError("no sealed token of this key")
    # An empty value stays empty, so a token holds at least one byte beside the 16 of the tag.
    if len(decoded) <= 5 + 16:
        raise UnfitError("too short for a sealed token")
    try:
        value = _sealing_key(parameters).decrypt(decoded[5:], [b""])
    except InvalidTag:
        raise UnfitError("the token does not authenticate") from None
    return value.decode()
