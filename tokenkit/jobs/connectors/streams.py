"""Frames that Python reads block by block, as a lazy frame."""

from collections.abc import Callable, Iterator

import polars as pl
from polars.io.plugins import register_io_source

from tokenkit.errors import JobError
from tokenkit.jobs.connectors.pace import current_pace


class Stream:
    """A lazy frame over blocks of rows, which remembers what ended it.

    Parameters
    ----------
    frames
        Reads the rows from their beginning.
    schema
        Names and types of the columns.

    Attributes
    ----------
    failure
        What ended the scan. Polars doesn't always let it through.
    """

    def __init__(self, frames: Callable[[], Iterator[pl.DataFrame]], schema: pl.Schema) -> None:
        self._frames = frames
        self._schema = schema
        self._pace = current_pace()
        self.failure: JobError | None = None

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily; several sinks of one query share one reading."""
        # Without the cache, older versions read once a sink.
        return register_io_source(self._read, schema=self._schema, is_pure=True).cache()

    def _read(
        self,
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        del batch_size
        left = n_rows
        for block in self._kept():
            frame = block if left is None else block.head(left)
            left = None if left is None else left - frame.height
            frame = frame if predicate is None else frame.filter(predicate)
            self._pace.give(frame.height)
            # By their places: Polars takes names such as "*" and "^.*$" for patterns.
            yield (
                frame
                if with_columns is None
                else pl.DataFrame([frame.get_column(name) for name in with_columns])
            )
            if left == 0:
                return

    def _kept(self) -> Iterator[pl.DataFrame]:
        try:
            yield from self._frames()
        except JobError as error:
            self.failure = error.with_traceback(None)
        else:
            return
        # Its own traceback would hold on to data.
        raise _StoppedError("the source can't be read on")


class _StoppedError(Exception):
    pass
