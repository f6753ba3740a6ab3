"""Rows as COPY takes them: CSV, in which the server reads every type by its own rules.

Polars writes it, so no row passes through Python. What the server would round is refused.
"""

from typing import Final

import polars as pl

from tokenkit.errors import ConnectorFailed

FORMAT: Final = "FORMAT csv, ENCODING 'UTF8'"
"""The options of COPY."""
_NS_IN_US: Final = 1_000


def encoded(rows: pl.DataFrame, shown: str) -> bytes:
    r"""Write rows as COPY takes them.

    Raises
    ------
    ConnectorFailed
        If a time has parts of less than a microsecond, which no server keeps.

    Examples
    --------
    >>> encoded(pl.DataFrame({"a": ["", None, "x,y"], "b": [b"\x00", None, b""]}), "t")
    b'"","\\x00"\n,\n"x,y","\\x"\n'
    """
    columns = [_written(column, shown) for column in rows]
    written = pl.DataFrame(columns).write_csv(include_header=False, quote_style="non_numeric")
    return written.encode()


def _written(column: pl.Series, shown: str) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pl.Binary):
        return pl.select(pl.lit("\\x") + pl.lit(column).bin.encode("hex")).to_series()
    if isinstance(dtype, pl.Time) or (isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns"):
        lost = int((column.to_physical() % _NS_IN_US != 0).sum())
        if lost:
            raise ConnectorFailed(
                "times have parts of less than a microsecond, which PostgreSQL doesn't keep",
                file=shown,
                column=column.name,
                count=lost,
                hint="round them before",
            )
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        # Offsets of old local times have seconds, which aren't written.
        return column.dt.convert_time_zone("UTC")
    return column
