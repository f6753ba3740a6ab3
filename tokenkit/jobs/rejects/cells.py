"""Cells of any type as text or bytes, and back: sealing knows no types."""

import polars as pl

from tokenkit.errors import UnsupportedType


def check_cells(schema: pl.Schema) -> None:
    """Refuse the types that rejected rows can't hold.

    Raises
    ------
    UnsupportedType
        If a column is nested or of objects.
    """
    for name, dtype in schema.items():
        if dtype.is_nested() or dtype == pl.Object:
            raise UnsupportedType(
                f"a column of type {dtype.base_type().__name__} can't go to the rejected rows",
                column=name,
                hint="leave the column out of the input, or say on_invalid: null or error",
            )


def to_cell(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Write the values of a column as text, or leave text and bytes as they are."""
    if dtype in (pl.String, pl.Binary):
        return values
    return (values.to_physical() if dtype.is_temporal() else values).cast(pl.String)


def from_cell(cells: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Read what :func:`to_cell` wrote; ``cells`` are bytes."""
    if dtype == pl.Binary:
        return cells
    text = cells.cast(pl.String)
    if dtype.is_temporal():
        return text.cast(pl.Int64).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)
    if dtype == pl.Boolean:
        return text == "true"
    return text.cast(restored(dtype))


def restored(dtype: pl.DataType) -> pl.DataType:
    """Give the type that a column has when it comes back: an Enum would list values in clear."""
    return pl.String() if isinstance(dtype, pl.Enum) else dtype
