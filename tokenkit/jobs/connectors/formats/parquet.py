"""Parquet: typed columns; metadata in the file's own key-value metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import polars as pl

from tokenkit.errors import InputError
from tokenkit.jobs.connectors.options import TextOptions, refuse_options
from tokenkit.jobs.connectors.parquet_pages import check_pages
from tokenkit.jobs.connectors.protocol import FAILURES, PANICS, Format
from tokenkit.policy import METADATA_KEY

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


class ParquetSource:
    """A Parquet file to read."""

    types: Mapping[str, pl.DataType] = {}

    def __init__(self, path: Path, options: TextOptions) -> None:
        import pyarrow as pa  # noqa: PLC0415 - a CSV job needs none of it
        import pyarrow.parquet as pq  # noqa: PLC0415

        refuse_options(options, path)
        self._path = path
        self._footer: pq.FileMetaData | None = None
        try:
            # Polars panics at some footers that pyarrow refuses.
            self._footer = pq.read_metadata(path)
            self.schema = self.scan().collect_schema()
            self.rows = self.estimated_rows = _count(path)
        except (pa.ArrowException, *FAILURES):
            self._footer = None
        if self._footer is None:
            raise InputError(
                "the file can't be read as Parquet",
                file=str(path),
                hint="it may be cut short, or another kind of file",
            )
        entries = self._footer.metadata or {}
        self.metadata: str | bytes | None = entries.get(METADATA_KEY.encode())

    def check(self) -> None:
        """Check that pages are where the footer says, and as their checksums say, if they have any.

        Raises
        ------
        InputError
            With the row group and the column.
        """
        if self._footer is not None:
            check_pages(self._path, self._footer)

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""
        return pl.scan_parquet(self._path, glob=False, hive_partitioning=False)

    def explain(self, text: str) -> InputError | None:
        """Say what an error of Polars says about the file."""
        lowered = text.lower()
        if any(word in lowered for word in _DAMAGE):
            return InputError(
                "a part of the file can't be read: it is damaged",
                file=str(self._path),
                hint="get a whole copy of the file",
            )
        return None


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

    def finish(self, file: BinaryIO | None) -> None:
        """Nothing is left to write."""

    def count(self, path: Path) -> int:
        """Read the number of rows from the footer."""
        return _count(path)


def _count(path: Path) -> int:
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


FORMAT = Format("parquet", (".parquet", ".pq"), ParquetSource, ParquetSink)
