"""Polars' types, and those of Delta Lake."""

from typing import Final

import polars as pl

from tokenkit.errors import UnsupportedType

_SAME: Final = (
    pl.Boolean, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Float32, pl.Float64, pl.Decimal,
    pl.String, pl.Binary, pl.Date,
)  # fmt: skip
_WIDER: Final[dict[type[pl.DataType], pl.DataType]] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.Categorical: pl.String(),
    pl.Enum: pl.String(),
}


def stored_type(dtype: pl.DataType, column: str) -> pl.DataType:
    """Give the type that a column is stored as.

    Raises
    ------
    UnsupportedType
        If Delta Lake has none that keeps its values.

    Examples
    --------
    >>> stored_type(pl.UInt8(), "age"), stored_type(pl.List(pl.Categorical()), "tags")
    (Int16, List(String))
    """
    if isinstance(dtype, _SAME):
        return dtype
    if isinstance(dtype, pl.Datetime) and dtype.time_unit != "ns":
        return pl.Datetime("us", None if dtype.time_zone is None else "UTC")
    if isinstance(dtype, pl.List):
        return pl.List(stored_type(_instance(dtype.inner), column))
    if isinstance(dtype, pl.Struct) and dtype.fields:
        fields = {each.name: stored_type(_instance(each.dtype), column) for each in dtype.fields}
        return pl.Struct(fields)
    if type(dtype) in _WIDER:
        return _WIDER[type(dtype)]
    raise UnsupportedType(
        f"Delta Lake has no type that keeps {dtype}",
        column=column,
        hint="cast it before, or leave it out: {action: drop}",
    )


def _instance(dtype: object) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[return-value]
