"""FF1 over NumPy arrays: all values go through each round together, AES by `cryptography`.

This is what a data engineer gets without a native kernel, and so the bar that one has to clear.
It handles decimal strings of one length whose halves fit 32 bits (2 to 18 digits), with one tweak
of at most eleven bytes for all.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROUNDS = 10
# Rows in work at once: the blocks and both halves stay in the second-level cache.
_BATCH = 16_384

type_digits = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
type_halves = np.ndarray[tuple[int], np.dtype[np.uint64]]


class LockstepFF1:
    """FF1 of SP 800-38G on columns of decimal strings, both directions."""

    def __init__(self, key: bytes, length: int, tweak: bytes = b"") -> None:
        if not 6 <= length <= 18:
            raise ValueError("from 6 to 18 digits")
        self._u = length // 2
        self._v = length - self._u
        # b, the bytes of a half; d is 8 as long as b is at most 4.
        self._b = ((10**self._v - 1).bit_length() + 7) // 8
        if len(tweak) + 1 + self._b > 16:
            raise ValueError("the tweak, the round number and a half have to fit one block")
        self._aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        head = bytes([1, 2, 1, 0, 0, 10, 10, self._u])
        p = head + length.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        # The first block is the same for all; so is what the tweak adds to the second.
        shared = bytearray(self._aes.update(p))
        for place, byte in enumerate(tweak):
            shared[place] ^= byte
        self._high, self._low = np.frombuffer(shared, dtype=">u8").astype(np.uint64)

    def encrypt(self, digits: type_digits) -> type_digits:
        """Encrypt rows of digit values 0 to 9, shape (count, length)."""
        return self._in_batches(digits, decrypt=False)

    def decrypt(self, digits: type_digits) -> type_digits:
        """Decrypt rows of digit values 0 to 9, shape (count, length)."""
        return self._in_batches(digits, decrypt=True)

    def _in_batches(self, digits: type_digits, *, decrypt: bool) -> type_digits:
        result = np.empty_like(digits)
        for start in range(0, len(digits), _BATCH):
            batch = digits[start : start + _BATCH]
            a, b = _numbers(batch[:, : self._u]), _numbers(batch[:, self._u :])
            a, b = self._decrypt_halves(a, b) if decrypt else self._encrypt_halves(a, b)
            _write_digits(a, result[start : start + _BATCH, : self._u])
            _write_digits(b, result[start : start + _BATCH, self._u :])
        return result

    def _encrypt_halves(self, a: type_halves, b: type_halves) -> tuple[type_halves, type_halves]:
        for i in range(ROUNDS):
            modulus = self._modulus(i)
            a, b = b, _once_below(a + _remainder(self._round(i, b), modulus), modulus)
        return a, b

    def _decrypt_halves(self, a: type_halves, b: type_halves) -> tuple[type_halves, type_halves]:
        for i in reversed(range(ROUNDS)):
            modulus = self._modulus(i)
            a, b = _once_below(b + (modulus - _remainder(self._round(i, a), modulus)), modulus), a
        return a, b

    def _modulus(self, i: int) -> np.uint64:
        return np.uint64(10 ** (self._u if i % 2 == 0 else self._v))

    def _round(self, i: int, half: type_halves) -> type_halves:
        blocks = np.empty((len(half), 2), dtype=np.uint64)
        blocks[:, 0] = self._high
        blocks[:, 1] = half ^ (self._low ^ np.uint64(i << (8 * self._b)))
        encrypted = bytearray(16 * len(half) + 15)
        self._aes.update_into(blocks.byteswap().data.cast("B"), encrypted)
        found = np.frombuffer(encrypted, dtype=np.uint64, count=2 * len(half))
        return found[::2].byteswap()


def _remainder(values: type_halves, modulus: np.uint64) -> type_halves:
    # NumPy divides by a scalar with vector multiplications; its `%` divides one by one.
    return values - (values // modulus) * modulus


def _once_below(values: type_halves, modulus: np.uint64) -> type_halves:
    """Reduce values below twice the modulus: the wrapped difference is larger where none is due."""
    reduced: type_halves = np.minimum(values, values - modulus)
    return reduced


def _numbers(digits: type_digits) -> type_halves:
    numbers = digits[:, 0].astype(np.uint64)
    for place in range(1, digits.shape[1]):
        numbers *= np.uint64(10)
        numbers += digits[:, place]
    return numbers


def _write_digits(numbers: type_halves, target: type_digits) -> None:
    for place in reversed(range(target.shape[1])):
        rest = numbers // np.uint64(10)
        target[:, place] = numbers - rest * np.uint64(10)
        numbers = rest
