"""Parquet: typed columns; metadata in the file's own key-value metadata."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from tokenkit.errors import InputError, JobError
from tokenkit.jobs.connectors.options import TextOptions, refuse_options
from tokenkit.jobs.connectors.parquet_pages import check_chunks, check_pages
from tokenkit.jobs.connectors.passing import Tail
from tokenkit.jobs.connectors.protocol import FAILURES, PANICS, Format
from tokenkit.jobs.connectors.remote import AnyFile, refused_by_store, scan_arguments
from tokenkit.jobs.connectors.streams import Stream
from tokenkit.policy import METADATA_KEY

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_DAMAGE = (
    "parquet",
    "snappy",
    "zstd",
    "lz4",
    "gzip",
    "brotli",
    "thrift",
    "decompress",
    "page",
    *PANICS,
)


_BLOCK_ROWS = 65_536


class ParquetSource:
    """A Parquet file to read."""

    types: Mapping[str, pl.DataType] = {}

    def __init__(self, path: AnyFile, options: TextOptions) -> None:
        import pyarrow as pa  # noqa: PLC0415 - a CSV job needs none of it

        refuse_options(options, path)
        self._path = path
        self._footer: pq.FileMetaData | None = None
        refused: InputError | None = None
        self._stream: Stream | None = None
        try:
            # Polars panics at some footers that pyarrow refuses.
            self._footer = footer_of(path)
            if not isinstance(path, Path) and path.url is None:
                self.schema = _schema_of(self._footer)
                self.rows = self._footer.num_rows
                self._stream = Stream(self._blocks, self.schema)
            else:
                self.schema = self.scan().collect_schema()
                self.rows = _count(path)
            self.estimated_rows = self.rows
        except InputError:
            raise
        except (pa.ArrowException, *FAILURES) as exc:
            self._footer = None
            refused = refused_by_store(path, str(exc))
        if self._footer is None:
            raise refused or InputError(
                "the file can't be read as Parquet",
                file=str(path),
                hint="it may be cut short, or another kind of file",
            )
        entries = self._footer.metadata or {}
        self.metadata: str | bytes | None = entries.get(METADATA_KEY.encode())

    def check(self) -> None:
        """Check that pages are where the footer says, and as their checksums say, if they have any.

        Of an object, that columns are where the footer says: stores check what they hold, and its
        pages would have to be fetched twice.

        Raises
        ------
        InputError
            With the row group and the column.
        """
        if self._footer is not None:
            if isinstance(self._path, Path):
                check_pages(self._path, self._footer)
            else:
                check_chunks(self._path, self._footer)

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""
        if self._stream is not None:
            return self._stream.scan()
        return pl.scan_parquet(**scan_arguments(self._path), hive_partitioning=False)

    def _blocks(self) -> Iterator[pl.DataFrame]:
        """Read some rows at a time, where Polars can't reach the file by itself."""
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        assert not isinstance(self._path, Path)  # noqa: S101 - Polars reaches every path
        try:
            with self._path.open() as opened, pq.ParquetFile(opened) as file:
                for batch in file.iter_batches(_BLOCK_ROWS, use_threads=False):
                    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
                    yield frame.cast(self.schema)
        except (pa.ArrowException, *FAILURES) as exc:
            failure = exc if isinstance(exc, InputError) else self._damaged()
        else:
            return
        raise failure

    def explain(self, text: str) -> JobError | None:
        """Say what an error of Polars says about the file."""
        if self._stream is not None:
            return self._stream.failure
        lowered = text.lower()
        if (refused := refused_by_store(self._path, text)) is not None:
            return refused
        if any(word in lowered for word in _DAMAGE):
            return self._damaged()
        return None

    def _damaged(self) -> InputError:
        return InputError(
            "a part of the file can't be read: it is damaged",
            file=str(self._path),
            hint="get a whole copy of the file",
        )


class ParquetSink:
    """A Parquet file to write."""

    metadata_beside = False
    partitionable = True

    def __init__(self, suffix: str, options: TextOptions) -> None:
        del suffix
        refuse_options(options)

    def check(self, schema: pl.Schema) -> None:
        """Every type that comes from a file can be written."""

    def write(
        self, frame: pl.LazyFrame, file: "BinaryIO | pl.PartitionBy", metadata: str | None
    ) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        entries = {} if metadata is None else {METADATA_KEY: metadata}
        return frame.sink_parquet(file, metadata=entries, lazy=True)

    def stream(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows to what can only be written to."""
        self._tail = Tail(file)
        return self.write(frame, self._tail, metadata)

    def streamed(self) -> int:
        """Read the number of rows from the footer that went by."""
        return rows_of_end(self._tail.end())

    def finish(self, file: BinaryIO | None) -> None:
        """Nothing is left to write."""

    def count(self, path: Path) -> int:
        """Read the number of rows from the footer."""
        return _count(path)


def _schema_of(footer: "pq.FileMetaData") -> pl.Schema:
    empty = pl.from_arrow(footer.schema.to_arrow_schema().empty_table())
    return pl.DataFrame(empty).schema


def footer_of(file: AnyFile) -> "pq.FileMetaData":
    """Read the footer of a file, and no more of it."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - a CSV job needs none of it

    if isinstance(file, Path):
        return pq.read_metadata(file)
    with file.open() as opened:
        return pq.read_metadata(opened)


def rows_of_end(end: bytes) -> int:
    """Read the number of rows from the end of a file.

    Raises
    ------
    JobError
        If the footer isn't in it as a whole.
    """
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        return int(pq.read_metadata(pa.BufferReader(end)).num_rows)
    except (pa.ArrowException, *FAILURES):
        pass
    raise JobError(
        "the footer that was written can't be read", hint="write to a file, and copy that"
    )


def _count(file: AnyFile) -> int:
    return int(pl.scan_parquet(**scan_arguments(file)).select(pl.len()).collect().item())


FORMAT = Format("parquet", (".parquet", ".pq"), ParquetSource, ParquetSink)
