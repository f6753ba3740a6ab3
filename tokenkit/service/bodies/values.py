"""Values of JSON as Arrow arrays: strings or integers, and nulls."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tokenkit.errors import InvalidRequest


def values_array(values: Sequence[Any]) -> pa.Array:
    """Put values into an array of strings or of integers.

    Raises
    ------
    InvalidRequest
        If they are neither all strings nor all integers, nulls aside; or an integer needs more than
        64 bits.

    Examples
    --------
    >>> values_array(["4539578763621486", None]).type, values_array([5]).type
    (DataType(string), DataType(int64))
    """
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        kinds = set(map(type, values)) - {type(None)}
    if kinds == {int}:
        try:
            return pa.array(values, pa.int64())
        except (pa.ArrowException, OverflowError):
            kinds = set()
    raise not_values("body.values")


def not_values(location: str) -> InvalidRequest:
    """Say that what stands there can't be values."""
    return InvalidRequest(
        "values are all strings, or all integers of 64 bits; null is null",
        location=location,
        reason="value_type",
        hint="write other kinds of values as strings",
    )
