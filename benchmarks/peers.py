"""What a data engineer could use instead."""

from __future__ import annotations

import hashlib
import os
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from benchmarks import inputs
from benchmarks.lockstep import LockstepFF1
from benchmarks.measure import Workload
from tests.vectors import reference

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = "0123456789"
_SAMPLE = 200


def fastfpe(rows: int) -> Workload:
    """Fastfpe, FF1 in Rust, one call a value."""
    from fastfpe import ff1

    key = os.urandom(32)
    key_hex = key.hex()

    def run(values: list[str]) -> list[str]:
        return [ff1.encrypt(key_hex, "", _DIGITS, value) for value in values]

    def verify(values: list[str], tokens: list[str]) -> None:
        check_digits_sample(key, values, tokens)

    return Workload(rows, lambda: inputs.digit_strings(rows).to_pylist(), run, verify)


def lockstep(rows: int) -> Workload:
    """FF1 in NumPy with `cryptography`, all values together, strings in and out."""
    key = os.urandom(32)
    ff1 = LockstepFF1(key, 16)
    zero = np.uint8(ord("0"))

    def run(values: pa.StringArray) -> pa.StringArray:
        return inputs.strings(ff1.encrypt(inputs.matrix(values, 16) - zero) + zero)

    def verify(values: pa.StringArray, tokens: pa.StringArray) -> None:
        check_digits_sample(key, values, tokens)
        back = ff1.decrypt(inputs.matrix(tokens, 16) - zero) + zero
        require(np.array_equal(back, inputs.matrix(values, 16)), "the round trip")

    return Workload(rows, lambda: inputs.digit_strings(rows), run, verify)


def polars_hash(rows: int) -> Workload:
    """polars-hash, SHA-256 without a key, as an expression: one-way."""
    import polars_hash  # noqa: F401 - registers the expressions

    def run(frame: pl.DataFrame) -> pl.DataFrame:
        hashed: Any = pl.col("value")
        return frame.select(hashed.chash.sha2_256())

    def verify(frame: pl.DataFrame, hashes: pl.DataFrame) -> None:
        for row in sample(rows):
            expected = hashlib.sha256(frame["value"][row].encode()).hexdigest()
            require(hashes["value"][row] == expected, "a hash")

    return Workload(rows, lambda: digit_frame(rows), run, verify)


def digit_frame(rows: int) -> pl.DataFrame:
    """One column, ``value``, of sixteen-digit strings."""
    return pl.DataFrame({"value": pl.Series(inputs.digit_strings(rows))})


def check_digits_sample(key: bytes, values: Any, tokens: Any) -> None:
    """Hold a sample of decimal tokens against the FF1 that follows the standard line by line."""
    for row in sample(len(values)):
        numerals = [int(digit) for digit in str(values[row])]
        expected = reference.ff1_encrypt(key, 10, b"", numerals)
        require([int(digit) for digit in str(tokens[row])] == expected, "a token")


def sample(rows: int) -> list[int]:
    """Rows to look at, the first and the last among them."""
    return sorted({0, rows - 1, *random.sample(range(rows), min(rows, _SAMPLE))})


def require(holds: bool, what: str) -> None:
    """Stop the benchmark where an output is wrong: a wrong answer has no speed."""
    if not holds:
        raise AssertionError(f"{what} is wrong")
