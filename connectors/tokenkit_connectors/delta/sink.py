"""A table of Delta Lake, to write: by one commit."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import TableMode, TableSource
from tokenkit_connectors.added import written
from tokenkit_connectors.columns import refuse_other_columns, refuse_run_column
from tokenkit_connectors.delta.options import SinkOptions, SourceOptions
from tokenkit_connectors.delta.source import DeltaSource
from tokenkit_connectors.delta.tables import Place, explained, failures
from tokenkit_connectors.delta.types import stored_type
from tokenkit_connectors.foreign import needing
from tokenkit_connectors.naming import quoted

if TYPE_CHECKING:
    import pyarrow as pa

_WAITING: Final = 2
_TICK = 0.005
_NOT_COMMITTED = {"CommitFailedError", "SchemaMismatchError", "DeltaProtocolError"}


class DeltaSink:
    """A table, overwritten or added to by one commit."""

    def __init__(self, options: SinkOptions) -> None:
        self._place = Place(options)
        self._source = SourceOptions(
            path=options.path, url=options.url, storage_options=options.storage_options
        )
        self._run_column = options.run_column
        self.dataset = self._place.dataset
        self.shown = self._place.shown

    def __repr__(self) -> str:
        return f"DeltaSink({self.shown})"

    def exists(self) -> bool:
        """Whether there is such a table now."""
        return self._place.open() is not None

    def written(self, mode: TableMode, run: str) -> TableSource:
        """Give what a run has written, to read."""
        return written(DeltaSource(self._source), mode, self._run_column, run)

    def check(self, schema: pl.Schema, mode: TableMode) -> None:
        """Refuse columns that the table can't hold."""
        for name, dtype in schema.items():
            stored_type(dtype, name)
        if mode == "append":
            refuse_run_column(schema, self._run_column, self.shown)
            found = self._columns()
            if found is not None:
                refuse_other_columns(schema, found, self._run_column, self.shown)

    @contextlib.contextmanager
    def writing(self, schema: pl.Schema, mode: TableMode, run: str) -> "Iterator[DeltaWriting]":
        """Begin to write files, of which nobody knows before the commit."""
        stored = {name: stored_type(dtype, name) for name, dtype in schema.items()}
        how: dict[str, Any] = {"mode": "overwrite", "schema_mode": "overwrite"}
        added = None
        if mode == "append":
            added = (self._run_column, run)
            found = self._columns()
            how = {"mode": "append"}
            if found is not None and self._run_column in found:
                how = {"mode": "overwrite", "predicate": f"{quoted(self._run_column)} = '{run}'"}
            elif found is not None:
                how["schema_mode"] = "merge"
        writing = DeltaWriting(self._place, stored, added, how)
        try:
            yield writing
        finally:
            writing.end()

    def _columns(self) -> list[str] | None:
        table = self._place.open()
        if table is None:
            return None
        with failures(self.shown):
            return [field.name for field in table.schema().fields]


class DeltaWriting:
    """Rows on their way into a table: a thread takes them from here and commits at their end."""

    def __init__(
        self,
        place: Place,
        stored: Mapping[str, pl.DataType],
        added: tuple[str, str] | None,
        how: Mapping[str, Any],
    ) -> None:
        with needing("delta"):
            import deltalake  # noqa: F401
        self._place = place
        self._stored = stored
        self._added = added
        self._how = how
        self._given = 0
        self._taken = 0
        self._published = False
        self._failure: BaseException | None = None
        # None ends the rows and commits; an error ends them, and nothing is committed.
        self._queue: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="tokenkit-delta", daemon=True)
        self._thread.start()

    def write(self, rows: pl.DataFrame) -> None:
        """Take some more rows."""
        self._put(self._turned(rows))
        self._given += rows.height

    def count(self) -> int:
        """Count the rows that the writer has taken."""
        while self._taken < self._given and self._thread.is_alive():
            time.sleep(_TICK)
        self._check()
        return self._taken

    def publish(self) -> None:
        """End the rows, and let the writer commit."""
        self._check()
        self._published = True
        self._put(None)
        self._thread.join()
        if self._failure is not None:
            # An object store may have taken a commit whose answer was lost.
            self._published = type(self._failure).__name__ not in _NOT_COMMITTED
        self._check()

    def is_published(self) -> bool:
        """Whether it was committed, or may have been."""
        return self._published

    def end(self) -> None:
        """Stop the writer, if nothing was published."""
        if not self._published:
            with contextlib.suppress(JobError):
                self._put(_StoppedError())
        self._thread.join()

    def _put(self, item: pl.DataFrame | BaseException | None) -> None:
        while True:
            self._check()
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=1)
                return

    def _check(self) -> None:
        failure = self._failure
        if failure is not None:
            raise explained(failure, self._place.shown)

    def _turned(self, rows: pl.DataFrame) -> pl.DataFrame:
        columns = [rows.get_column(name).cast(dtype) for name, dtype in self._stored.items()]
        if self._added is not None:
            name, run = self._added
            columns.append(pl.repeat(run, rows.height, eager=True).alias(name))
        return pl.DataFrame(columns)

    def _run(self) -> None:
        import pyarrow as pa
        from deltalake import write_deltalake

        schema = _arrow(self._turned(pl.DataFrame(schema=self._stored))).schema
        reader = pa.RecordBatchReader.from_batches(schema, self._batches())
        try:
            write_deltalake(
                self._place.uri, reader, storage_options=self._place.storage_options, **self._how
            )
        except BaseException as exc:  # noqa: BLE001 - panics of delta-rs derive from it alone
            self._failure = exc.with_traceback(None)

    def _batches(self) -> "Iterator[pa.RecordBatch]":
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield from _arrow(item).to_batches()
            self._taken += item.height


def _arrow(rows: pl.DataFrame) -> "pa.Table":
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


class _StoppedError(Exception):
    """Ends the rows of a table that isn't published."""
