"""Polars' types and DuckDB's."""

from typing import TYPE_CHECKING, Final

import polars as pl

from tokenkit.errors import UnsupportedType
from tokenkit_connectors.naming import quoted

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_WRITTEN: Final[dict[type[pl.DataType], str]] = {
    pl.Boolean: "BOOLEAN",
    pl.Int8: "TINYINT",
    pl.Int16: "SMALLINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.UInt8: "UTINYINT",
    pl.UInt16: "USMALLINT",
    pl.UInt32: "UINTEGER",
    pl.UInt64: "UBIGINT",
    pl.Float32: "FLOAT",
    pl.Float64: "DOUBLE",
    pl.String: "VARCHAR",
    pl.Categorical: "VARCHAR",
    pl.Enum: "VARCHAR",
    pl.Binary: "BLOB",
    pl.Date: "DATE",
    pl.Time: "TIME_NS",
}
_INSTANTS = {"ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}
_READ = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger",
    "ubigint", "float", "double", "decimal", "varchar", "blob", "date", "time", "time_ns",
    "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone",
}  # fmt: skip
_AS_TEXT = {"uuid", "enum"}
_SEQUENCES = {"list", "array"}


def written_type(dtype: pl.DataType, column: str) -> str:
    """Give the type that a column gets in a table.

    Raises
    ------
    UnsupportedType
        If DuckDB has none that keeps its values.

    Examples
    --------
    >>> written_type(pl.List(pl.Decimal(10, 2)), "prices")
    'DECIMAL(10,2)[]'
    """
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision or 38},{dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return _INSTANTS[dtype.time_unit]
        if dtype.time_unit != "ns":
            return "TIMESTAMP WITH TIME ZONE"
    elif isinstance(dtype, pl.List):
        return f"{written_type(_instance(dtype.inner), column)}[]"
    elif isinstance(dtype, pl.Array) and len(dtype.shape) == 1:
        return f"{written_type(_instance(dtype.inner), column)}[{dtype.size}]"
    elif isinstance(dtype, pl.Struct) and dtype.fields:
        fields = ((quoted(field.name), field.dtype) for field in dtype.fields)
        inner = (f"{name} {written_type(_instance(kind), column)}" for name, kind in fields)
        return f"STRUCT({', '.join(inner)})"
    elif (found := _WRITTEN.get(type(dtype))) is not None:
        return found
    raise UnsupportedType(
        f"DuckDB has no type that keeps {dtype}",
        column=column,
        hint="cast it before, or leave it out: {action: drop}",
    )


def read_expression(name: str, kind: "DuckDBPyType") -> str:
    """Give what selects a column in a type that Polars has.

    Raises
    ------
    UnsupportedType
        If there is none.
    """
    column = quoted(name)
    if _is_text(kind):
        return f"CAST({column} AS VARCHAR) AS {column}"
    if _is_read(kind):
        return column
    raise UnsupportedType(
        f"columns of DuckDB's type {kind.id} aren't read",
        column=name,
        hint=f"read a query that casts it: SELECT CAST({column} AS VARCHAR) AS {column}",
    )


def _is_text(kind: "DuckDBPyType") -> bool:
    # JSON is a kind of VARCHAR.
    return kind.id in _AS_TEXT or str(kind) == "JSON"


def _is_read(kind: "DuckDBPyType") -> bool:
    if kind.id == "struct" or kind.id in _SEQUENCES:
        # A list's child is a type; the size of an array is none.
        inner = [child for _, child in kind.children if not isinstance(child, int | list)]
        return all(_is_read(child) for child in inner)
    return kind.id in _READ and not _is_text(kind)


def _instance(dtype: object) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[return-value]
