"""Text columns read as the types that a job declares."""

import polars as pl

_DATE = "%Y-%m-%d"
_TIME = "%H:%M:%S%.f"


def read_as(text: pl.Expr, dtype: pl.DataType, *, strict: bool = False) -> pl.Expr:
    """Read a column of text as a type.

    Dates are written 2026-11-22, times 23:59:59.5, datetimes as both with a space or a T between,
    booleans true and false. A decimal with more places than the type has isn't read, since it would
    be rounded.

    Parameters
    ----------
    text
        Strings.
    dtype
        One of the types that text files can be declared to have.
    strict
        Whether text that isn't of the type is an error when the expression runs.

    Returns
    -------
    polars.Expr
        Of the type; null where the text is null or isn't of the type.

    Examples
    --------
    >>> frame = pl.DataFrame({"a": ["1.20", "1.234", "x"]})
    >>> frame.select(read_as(pl.col("a"), pl.Decimal(10, 2))).to_series().to_list()
    [Decimal('1.20'), None, None]
    """
    if isinstance(dtype, pl.Date):
        return text.str.to_date(_DATE, strict=strict)
    if isinstance(dtype, pl.Time):
        return text.str.to_time(_TIME, strict=strict)
    if isinstance(dtype, pl.Datetime):
        spaced = text.str.replace("T", " ", literal=True)
        return spaced.str.to_datetime(
            f"{_DATE} {_TIME}", time_unit=dtype.time_unit, strict=strict, exact=True
        )
    if isinstance(dtype, pl.Boolean):
        # Other text, digits among it, becomes a word that no number is written with.
        word = pl.when(text.is_in(["true", "false"]) | text.is_null()).then(text)
        number = word.otherwise(pl.lit("neither")).replace({"true": "1", "false": "0"})
        return number.cast(pl.Int8, strict=strict).cast(pl.Boolean)
    if isinstance(dtype, pl.Decimal):
        places = dtype.scale
        written = text.str.contains(rf"^[+-]?\d*(\.\d{{0,{places}}}0*)?$")
        fits = pl.when(written | text.is_null()).then(text).otherwise(pl.lit("rounded"))
        return fits.cast(dtype, strict=strict)
    return text.cast(dtype, strict=strict)
