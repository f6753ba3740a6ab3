"""Rows of every type that tables may hold, with nulls and what is easily lost."""

import datetime as dt
from decimal import Decimal
from typing import Final

import polars as pl


def _instants(*written: str | None) -> pl.Series:
    return pl.Series([*written, None]).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us")


TYPES: Final = pl.DataFrame(
    {
        "boolean": [True, False, None],
        "int8": pl.Series([-(2**7), 2**7 - 1, None], dtype=pl.Int8),
        "int16": pl.Series([-(2**15), 2**15 - 1, None], dtype=pl.Int16),
        "int32": pl.Series([-(2**31), 2**31 - 1, None], dtype=pl.Int32),
        "int64": pl.Series([-(2**63), 2**63 - 1, None], dtype=pl.Int64),
        "uint8": pl.Series([0, 2**8 - 1, None], dtype=pl.UInt8),
        "uint16": pl.Series([0, 2**16 - 1, None], dtype=pl.UInt16),
        "uint32": pl.Series([0, 2**32 - 1, None], dtype=pl.UInt32),
        "uint64": pl.Series([0, 2**64 - 1, None], dtype=pl.UInt64),
        "float32": pl.Series([1.5, float("inf"), None], dtype=pl.Float32),
        "float64": [0.1, -1e308, None],
        "decimal": pl.Series([Decimal("-12345678901234567890.12345678"), Decimal(0), None],
                             dtype=pl.Decimal(38, 8)),
        "text": ['naïve 名前 \U0001f600 "quoted", a\nb\\N', "", None],
        "spaces": [" a\t", "\r\n", None],
        "binary": [b"\x00\xff\\x", b"", None],
        "date": [dt.date(1, 1, 1), dt.date(9999, 12, 31), None],
        "time": [dt.time(0), dt.time(23, 59, 59, 999_999), None],
        "timestamp": _instants("1582-10-04 01:02:03.000004", "9999-12-31 23:59:59.999999"),
        "instant": _instants("1900-01-01 00:00:00.0", "2038-01-19 03:14:08.0")
        .dt.replace_time_zone("UTC"),
        "category": pl.Series(["a", "b", None], dtype=pl.Categorical),
        "nothing": pl.Series([None, None, None], dtype=pl.String),
    }
)  # fmt: skip
"""Three rows: extremes, and nulls."""


def numbered(count: int, start: int = 0) -> pl.DataFrame:
    """Make rows that tell where they stand.

    Examples
    --------
    >>> numbered(2, 5).rows()
    [(5, 'row 5'), (6, 'row 6')]
    """
    numbers = pl.int_range(start, start + count, eager=True).alias("number")
    return pl.DataFrame([numbers, pl.select(text=pl.format("row {}", numbers)).to_series()])
