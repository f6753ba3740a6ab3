"""Polars' types and PostgreSQL's."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tokenkit.errors import UnsupportedType
from tokenkit_connectors.naming import quoted

if TYPE_CHECKING:
    from psycopg import Column

_MOST_DIGITS: Final = 38
_NUMERIC: Final = 1700
_READ: Final[dict[int, pl.DataType]] = {
    16: pl.Boolean(), 17: pl.Binary(), 20: pl.Int64(), 21: pl.Int16(), 23: pl.Int32(),
    19: pl.String(), 25: pl.String(), 1042: pl.String(), 1043: pl.String(),
    700: pl.Float32(), 701: pl.Float64(), 1082: pl.Date(), 1083: pl.Time(),
    1114: pl.Datetime("us"), 1184: pl.Datetime("us", "UTC"),
}  # fmt: skip
"""By the numbers of types, which are the same on every server."""
# "char", json, xml, cidr, macaddr8, macaddr, inet, interval, timetz, bit, varbit, uuid, jsonb.
_AS_TEXT: Final = {18, 114, 142, 650, 774, 829, 869, 1186, 1266, 1560, 1562, 2950, 3802}
_OID: Final = 26
_WRITTEN: Final[dict[type[pl.DataType], str]] = {
    pl.Boolean: "boolean", pl.Int8: "smallint", pl.Int16: "smallint", pl.Int32: "integer",
    pl.Int64: "bigint", pl.UInt8: "smallint", pl.UInt16: "integer", pl.UInt32: "bigint",
    pl.Float32: "real", pl.Float64: "double precision", pl.String: "text", pl.Categorical: "text",
    pl.Enum: "text", pl.Binary: "bytea", pl.Date: "date", pl.Time: "time",
}  # fmt: skip
_FITTING: Final = {
    "boolean": {"bool"},
    "integer": {"int2", "int4", "int8"},
    "real": {"float4", "float8"},
    "double precision": {"float8"},
    "bytea": {"bytea"},
    "date": {"date"},
}
_TEXTS: Final = {
    "text", "varchar", "bpchar", "name", "citext", "json", "jsonb", "xml", "uuid", "cidr", "inet",
    "macaddr", "macaddr8", "interval", "timetz", "bit", "varbit",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """How a column is selected, and what it is made into afterwards."""

    name: str
    expression: str
    dtype: pl.DataType

    @property
    def needs_cast(self) -> bool:
        """Whether it comes as text and has to be turned."""
        return isinstance(self.dtype, pl.Decimal)


def read_column(column: "Column", *, is_text: bool) -> ReadColumn:
    """Say how a column is read.

    Parameters
    ----------
    column
        What the server says of it.
    is_text
        Whether it's of a type that the server's users made, and that is written as text.

    Raises
    ------
    UnsupportedType
        If it isn't read.
    """
    name, code = column.name, column.type_code
    selected = quoted(name)
    if code in _READ:
        return ReadColumn(name, selected, _READ[code])
    if code == _OID:
        return ReadColumn(name, f"{selected}::bigint AS {selected}", pl.Int64())
    if code in _AS_TEXT or is_text:
        return ReadColumn(name, f"{selected}::text AS {selected}", pl.String())
    kind, cast = f"PostgreSQL's type {column.type_display}", "text"
    if code == _NUMERIC:
        precision, scale = column.precision, column.scale
        if precision and scale is not None and 0 <= scale <= precision <= _MOST_DIGITS:
            dtype = pl.Decimal(precision, scale)
            return ReadColumn(name, f"{selected}::text AS {selected}", dtype)
        kind, cast = f"{kind}, without precision and scale of up to 38 digits,", "numeric(38, 10)"
    raise UnsupportedType(
        f"columns of {kind} aren't read",
        column=name,
        hint=f"read a query that casts it: SELECT {selected}::{cast} ...",
    )


def written_type(dtype: pl.DataType, column: str) -> str:
    """Give the type that a column gets in a table.

    Raises
    ------
    UnsupportedType
        If PostgreSQL has none that keeps its values.

    Examples
    --------
    >>> written_type(pl.Decimal(10, 2), "price"), written_type(pl.Datetime("us", "UTC"), "at")
    ('numeric(10,2)', 'timestamptz')
    """
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision or _MOST_DIGITS},{dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return "timestamp" if dtype.time_zone is None else "timestamptz"
    found = _WRITTEN.get(type(dtype))
    if found is None:
        raise UnsupportedType(
            f"PostgreSQL has no type that keeps {dtype}",
            column=column,
            hint="cast it before, or leave it out: {action: drop}",
        )
    return found


def fits(dtype: pl.DataType, kind: str, modifier: int, *, is_text: bool) -> bool:
    """Say whether a table's column keeps values of a type as they are, or refuses them.

    Parameters
    ----------
    dtype
        The type of the rows.
    kind, modifier
        The column's type, and its length or digits; -1 if it says none.
    is_text
        Whether the type is one that users made, and that is written as text.

    Examples
    --------
    >>> fits(pl.Int64(), "int4", -1, is_text=False), fits(pl.Float64(), "float4", -1, is_text=False)
    (True, False)
    """
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return is_text or kind in _TEXTS
    if isinstance(dtype, pl.Decimal) or dtype.is_integer():
        # A modifier is precision * 65536 + scale + 4.
        scale = dtype.scale if isinstance(dtype, pl.Decimal) else 0
        is_wide = modifier < 0 or scale <= (modifier - 4) & 0x7FF
        return (kind == "numeric" and is_wide) or (
            dtype.is_integer() and kind in _FITTING["integer"]
        )
    if isinstance(dtype, pl.Datetime | pl.Time):
        same = kind == written_type(dtype, "")
        return same and modifier in {-1, 6}
    return kind in _FITTING.get(_WRITTEN.get(type(dtype), ""), set())
