"""Columns to measure with: random and distinct, new ones at every call."""

from __future__ import annotations

import string

import numpy as np
import pyarrow as pa

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase

type_bytes = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def digits(count: int, length: int) -> type_bytes:
    """Digit values 0 to 9, shape (count, length); the rows are distinct."""
    generator = np.random.default_rng()
    while True:
        numbers = generator.integers(0, 10**length, size=count, dtype=np.uint64)
        if len(np.unique(numbers)) == count:
            return _written(numbers, length)


def digit_strings(count: int, length: int = 16) -> pa.StringArray:
    """Decimal strings of one length."""
    return strings(digits(count, length) + np.uint8(ord("0")))


def base62_strings(count: int, length: int) -> pa.StringArray:
    """Strings over digits and both cases of letters, of one length (ten or more)."""
    # 62^10 is so large that a collision would be a defect of the generator.
    numerals = np.random.default_rng().integers(0, 62, size=(count, length), dtype=np.uint8)
    return strings(np.frombuffer(BASE62.encode(), dtype=np.uint8)[numerals])


def card_strings(count: int) -> pa.StringArray:
    """Sixteen-digit card numbers with a valid check digit, in groups of four with hyphens."""
    body = digits(count, 15)
    body[:, 0] = 4
    doubled = body[:, ::2] * 2
    total = body[:, 1::2].sum(axis=1) + (doubled // 10 + doubled % 10).sum(axis=1)
    check = ((10 - total % 10) % 10).astype(np.uint8)
    groups = np.concatenate([body, check[:, None]], axis=1).reshape(count, 4, 4)
    text = np.full((count, 4, 5), ord("-"), dtype=np.uint8)
    text[:, :, :4] = groups + np.uint8(ord("0"))
    return strings(np.ascontiguousarray(text.reshape(count, 20)[:, :19]))


def strings(rows: type_bytes) -> pa.StringArray:
    """Arrow strings of the rows of a matrix of ASCII bytes, without a copy."""
    count, length = rows.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(length)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(rows))


def matrix(values: pa.StringArray, length: int) -> type_bytes:
    """ASCII bytes of strings of one length, shape (count, length), without a copy."""
    start = values.offset * length
    data = np.frombuffer(values.buffers()[2], dtype=np.uint8)
    return data[start : start + len(values) * length].reshape(len(values), length)


def _written(numbers: np.ndarray[tuple[int], np.dtype[np.uint64]], length: int) -> type_bytes:
    result = np.empty((len(numbers), length), dtype=np.uint8)
    for place in reversed(range(length)):
        rest = numbers // np.uint64(10)
        result[:, place] = numbers - rest * np.uint64(10)
        numbers = rest
    return result
