"""Polars' types of a database's columns."""

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tokenkit.errors import JobError, UnsupportedType

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

_NAMED: Final[dict[str, pl.DataType]] = {
    "Boolean": pl.Boolean(), "Int16": pl.Int16(), "Int32": pl.Int32(), "Int64": pl.Int64(),
    "Float64": pl.Float64(), "String": pl.String(), "Binary": pl.Binary(), "Date": pl.Date(),
    "Time": pl.Time(), "Datetime": pl.Datetime("us"), "Datetime(UTC)": pl.Datetime("us", "UTC"),
}  # fmt: skip
_DECIMAL = re.compile(r"Decimal\((\d{1,2}), ?(\d{1,2})\)")
_MOST_DIGITS: Final = 38
HINT: Final = "say it: types: {column: String}; types are " + ", ".join([*_NAMED, "Decimal(12,2)"])


def named_type(text: str, column: str) -> pl.DataType:
    """Read a type as job files name it.

    Raises
    ------
    JobError
        If it's none.

    Examples
    --------
    >>> named_type("Decimal(12, 2)", "price")
    Decimal(precision=12, scale=2)
    """
    found = _DECIMAL.fullmatch(text)
    if found is not None and int(found[2]) <= int(found[1]) <= _MOST_DIGITS:
        return pl.Decimal(int(found[1]), int(found[2]))
    if text not in _NAMED:
        raise JobError("a type in types isn't known", column=column, hint=HINT)
    return _NAMED[text]


def column_type(kind: "TypeEngine[Any]", column: str, *, has_decimals: bool) -> pl.DataType:
    """Give the type of a table's column.

    Parameters
    ----------
    kind
        SQLAlchemy's type.
    column
        The column's name.
    has_decimals
        Whether the database keeps decimals as they are, and not as floats.

    Raises
    ------
    UnsupportedType
        If there is none that is sure to keep its values.
    """
    from sqlalchemy import types

    if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
        precision, scale = kind.precision, kind.scale
        scale = -1 if scale is None else scale
        if has_decimals and precision is not None and 0 <= scale <= precision <= _MOST_DIGITS:
            return pl.Decimal(precision, scale)
    elif isinstance(kind, types.DateTime):
        return pl.Datetime("us", "UTC" if kind.timezone else None)
    else:
        for cls, dtype in (
            (types.Boolean, pl.Boolean()),
            (types.Integer, pl.Int64()),
            (types.Float, pl.Float64()),
            (types.String, pl.String()),
            (types.LargeBinary, pl.Binary()),
            (types.Date, pl.Date()),
            (types.Time, pl.Time()),
        ):
            if isinstance(kind, cls):
                return dtype
    raise UnsupportedType("the column's type has none in Polars", column=column, hint=HINT)
