"""A table that a job writes: rows go in aside, and become the table in one step."""

import contextlib
from pathlib import Path
from typing import Final, Self

import polars as pl

from tokenkit.errors import JobError, TokenkitError
from tokenkit.jobs.connectors.pace import current_pace
from tokenkit.jobs.connectors.tables import TableMode, TableSink, TableWriting
from tokenkit.jobs.tables.inlets import TABLE
from tokenkit.jobs.targets import Extent

_ROWS_AT_ONCE: Final = 50_000


class TableTarget:
    """The one output of a job that writes a table."""

    def __init__(self, table: TableSink, mode: TableMode, run: str) -> None:
        self._table = table
        self._mode = mode
        self._run = run
        self._stack = contextlib.ExitStack()
        self._outlet: TableOutlet | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def outlet(self, relative: Path) -> "TableOutlet":
        """Give the table; whatever the input is named, there is one."""
        del relative
        self._outlet = TableOutlet(self._table, self._mode, self._run, self._stack)
        return self._outlet

    def flush(self) -> int:
        """Do nothing: the system flushes when rows are published, and says no size."""
        return 0

    def extent(self) -> Extent:
        """Give the metadata, which the store keeps."""
        return Extent(metadata=None if self._outlet is None else self._outlet.metadata)

    def publish(self) -> None:
        """Make the rows the table, or a part of it."""
        if self._outlet is not None and self._outlet.writing is not None:
            self._outlet.writing.publish()

    def is_published(self) -> bool:
        """Whether the rows are in the table, or may be."""
        writing = None if self._outlet is None else self._outlet.writing
        return writing is not None and writing.is_published()


class TableOutlet:
    """What a pass writes to."""

    kind = TABLE

    def __init__(
        self, table: TableSink, mode: TableMode, run: str, stack: contextlib.ExitStack
    ) -> None:
        self._table = table
        self._mode: TableMode = mode
        self._run = run
        self._stack = stack
        self._pace = current_pace()
        self.writing: TableWriting | None = None
        self.metadata: str | None = None
        self.failure: TokenkitError | None = None
        """What a batch failed with: Polars gives the text of errors back, and not their type."""

    def check(self, schema: pl.Schema) -> None:
        """Refuse columns that the table can't hold."""
        self._table.check(schema, self._mode)

    def write(self, frame: pl.LazyFrame, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        self.metadata = metadata
        begun = self._table.writing(frame.collect_schema(), self._mode, self._run)
        pace = self._pace
        writing = self.writing = self._stack.enter_context(begun)

        def take(rows: pl.DataFrame) -> bool | None:
            try:
                with pace.take(rows.height):
                    writing.write(rows)
            except TokenkitError as exc:
                self.failure = exc
                raise
            return None

        return frame.sink_batches(take, chunk_size=_ROWS_AT_ONCE, maintain_order=True, lazy=True)

    def close(self, *, complete: bool) -> None:
        """Do nothing: rows are complete when they are published."""

    def count(self) -> int:
        """Count the rows that were taken, as the system says."""
        if self.writing is None:
            raise JobError("nothing was written", file=self._table.shown)
        return self.writing.count()
