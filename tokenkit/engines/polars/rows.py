"""Counts the rows that go through a query, and ends it."""

import json

import polars as pl

from tokenkit import _native
from tokenkit.engines.polars.plugin import native_expression


class RowCounter:
    """Counts rows as they go through a query, and ends the query when it's asked to.

    Polars tells nothing of a running query and can't be stopped, so a query carries one expression
    that counts once a morsel (some ten thousand rows). The query has to end while the counter is
    there; without it, it fails.

    Examples
    --------
    >>> import polars as pl
    >>> counter = RowCounter()
    >>> pl.LazyFrame({"a": [True, False]}).select(counter.counted(pl.col("a"))).collect().height
    2
    >>> counter.rows
    2
    """

    def __init__(self) -> None:
        self._native = _native.RowCounter()

    @property
    def rows(self) -> int:
        """How many rows have gone through."""
        return self._native.rows

    def cancel(self) -> None:
        """End the query at its next morsel."""
        self._native.cancel()

    def counted(self, column: pl.Expr) -> pl.Expr:
        """Count the rows of a column; it stays as it is."""
        specification = json.dumps({"counter": self._native.id})
        return native_expression("count_rows", [column], specification)
