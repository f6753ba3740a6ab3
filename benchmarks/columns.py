"""Tokenkit's own columns: arrays, expressions, streaming, and what costs more than 16 digits."""

from __future__ import annotations

import dataclasses
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

import tokenkit as tk
from benchmarks import inputs
from benchmarks.measure import Workload
from benchmarks.peers import check_digits_sample, require, sample
from tests.vectors import reference
from tests.vectors.reference import Parameters
from tokenkit import hazmat

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenkit.keys import Key


@dataclasses.dataclass(frozen=True)
class Column:
    """A kind of column: its scheme, values for it, and a check of tokens by other means.

    The check gets the key, its only version's 32 bytes, values and tokens.
    """

    scheme: str
    make: Callable[[int], Any]
    check: Callable[[Key, bytes, Any, Any], None]


def array(column: Column, rows: int, *, backwards: bool = False) -> Workload:
    """`tokenkit.tokenize` or `tokenkit.detokenize` of an Arrow array."""
    secret = os.urandom(32)
    ring = hazmat.keyring_from_bytes({"payments": secret})
    return _either_way(
        rows,
        make=lambda: column.make(rows),
        tokenize=lambda values: tk.tokenize(values, column.scheme, key="payments", keyring=ring),
        detokenize=lambda tokens: tk.detokenize(
            tokens, column.scheme, key="payments", keyring=ring
        ),
        check=lambda values, tokens: column.check(ring["payments"], secret, values, tokens),
        backwards=backwards,
    )


def expression(
    column: Column, rows: int, *, backwards: bool = False, streaming: bool = False
) -> Workload:
    """The Polars expression, in the eager or the streaming engine."""
    secret = os.urandom(32)
    ring = hazmat.keyring_from_bytes({"payments": secret})

    def select(frame: pl.DataFrame, chosen: pl.Expr) -> pl.DataFrame:
        if streaming:
            return frame.lazy().select(chosen).collect(engine="streaming")
        return frame.select(chosen)

    tokenize = tk.expr.tokenize("value", column.scheme, key="payments", keyring=ring)
    detokenize = tk.expr.detokenize("value", column.scheme, key="payments", keyring=ring)
    return _either_way(
        rows,
        make=lambda: pl.DataFrame({"value": pl.Series(column.make(rows))}),
        tokenize=lambda frame: select(frame, tokenize),
        detokenize=lambda frame: select(frame, detokenize),
        check=lambda frame, tokens: column.check(
            ring["payments"], secret, frame["value"], tokens["value"]
        ),
        backwards=backwards,
    )


def raw_array(rows: int) -> Workload:
    """`tokenkit.hazmat.FF1.encrypt_array` on sixteen digits: the primitive under a raw key."""
    secret = os.urandom(32)
    ff1 = hazmat.FF1(secret, alphabet="0123456789")
    return _either_way(
        rows,
        make=lambda: inputs.digit_strings(rows),
        tokenize=ff1.encrypt_array,
        detokenize=ff1.decrypt_array,
        check=lambda values, tokens: check_digits_sample(secret, values, tokens),
        backwards=False,
    )


def _either_way(
    rows: int,
    *,
    make: Callable[[], Any],
    tokenize: Callable[[Any], Any],
    detokenize: Callable[[Any], Any],
    check: Callable[[Any, Any], None],
    backwards: bool,
) -> Workload:
    def verify(values: Any, tokens: Any) -> None:
        check(values, tokens)
        require(detokenize(tokens).equals(values), "the round trip")

    def verify_backwards(tokens: Any, values: Any) -> None:
        check(values, tokens)
        require(tokenize(values).equals(tokens), "the round trip")

    if backwards:
        return Workload(rows, lambda: tokenize(make()), detokenize, verify_backwards)
    return Workload(rows, make, tokenize, verify)


def _checked_with(**shape: Any) -> Callable[[Key, bytes, Any, Any], None]:
    """Check a sample of tokens with the token contract's slow, separate implementation."""

    def check(key: Key, secret: bytes, values: Any, tokens: Any) -> None:
        parameters = Parameters(key=secret, key_id=key.primary.id, **shape)
        for row in sample(len(values)):
            expected = reference.tokenize(str(values[row]), parameters)
            require(str(tokens[row]) == expected, "a token")

    return check


DIGITS = Column(
    "digits",
    inputs.digit_strings,
    _checked_with(domain="digits", alphabet=reference.DIGITS, min_length=6),
)
_check_base62 = _checked_with(domain="alphanumeric", alphabet=reference.ALPHANUMERIC, min_length=4)
BASE62_20 = Column("alphanumeric", partial(inputs.base62_strings, length=20), _check_base62)
BASE62_32 = Column("alphanumeric", partial(inputs.base62_strings, length=32), _check_base62)
CARDS = Column(
    "credit-card",
    inputs.card_strings,
    _checked_with(
        domain="credit-card",
        alphabet=reference.DIGITS,
        separators=" -",
        min_length=12,
        max_length=19,
        check_digit="invalid",
    ),
)
TEXT = Column("text", partial(inputs.base62_strings, length=20), _checked_with(domain="text"))
