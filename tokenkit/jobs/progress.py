"""How far a job is: rows that have gone through it."""

import threading
from typing import Protocol

import polars as pl


class Progress(Protocol):
    """Is told how far a job is, a few times a second, from the thread that runs it."""

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Hear that the job begins, and how many rows it has: exactly, about, or None."""

    def advance(self, rows: int) -> None:
        """Hear how many rows have gone through since the beginning."""

    def finish(self) -> None:
        """Hear that the job has ended, well or not."""


class Silent:
    """Tells nobody."""

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Do nothing."""

    def advance(self, rows: int) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class CancelledError(Exception):
    """Ends a query that nobody waits for any more."""


class RowCounter:
    """Counts rows as they go through a query, and ends the query when it's asked to.

    Polars tells nothing of a running query and can't be stopped, so a query carries one expression
    that comes through here once a morsel (some ten thousand rows). It sees truth values only, never
    a value of the data.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows = 0
        self._cancelled = False

    @property
    def rows(self) -> int:
        """How many rows have gone through."""
        return self._rows

    def cancel(self) -> None:
        """End the query at its next morsel."""
        self._cancelled = True

    def numbered(self, numbers: pl.Expr) -> pl.Expr:
        """Count the rows of a column of row numbers (64 bits); it stays as it is."""
        return numbers.map_batches(self._count, return_dtype=pl.UInt64, is_elementwise=True)

    def counted(self, flags: pl.Expr) -> pl.Expr:
        """Count the rows of a column of truth values; it stays as it is."""
        return flags.map_batches(self._count, return_dtype=pl.Boolean, is_elementwise=True)

    def _count(self, flags: pl.Series) -> pl.Series:
        if self._cancelled:
            raise CancelledError
        with self._lock:
            self._rows += len(flags)
        return flags
