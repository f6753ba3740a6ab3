"""Parquet: typed columns; metadata in the file's own key-value metadata."""

from pathlib import Path
from typing import BinaryIO

import polars as pl

from tokenkit.errors import InputError
from tokenkit.jobs.connectors.protocol import Format
from tokenkit.policy import METADATA_KEY


class ParquetSource:
    """A Parquet file to read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            found = pl.read_parquet_metadata(path)
            self.schema = self.scan().collect_schema()
            self.rows = self.estimated_rows = _count(path)
        except (pl.exceptions.PolarsError, OSError, ValueError):
            found = None
        if found is None:
            raise InputError(
                "the file can't be read as Parquet",
                file=str(path),
                hint="it may be cut short, or another kind of file",
            )
        self.metadata: str | bytes | None = found.get(METADATA_KEY)

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""
        return pl.scan_parquet(self._path, glob=False, hive_partitioning=False)

    def complaint(self, text: str) -> str | None:
        """Say what an error of Polars says about the file's structure."""
        if "parquet" in text.lower() or "snappy" in text.lower() or "zstd" in text.lower():
            return "a part of the file can't be read: it is damaged"
        return None


class ParquetSink:
    """A Parquet file to write."""

    metadata_beside = False

    def check(self, schema: pl.Schema) -> None:
        """Every type that comes from a file can be written."""

    def write(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        entries = {} if metadata is None else {METADATA_KEY: metadata}
        return frame.sink_parquet(file, metadata=entries, lazy=True)

    def count(self, path: Path) -> int:
        """Read the number of rows from the footer."""
        return _count(path)


def _count(path: Path) -> int:
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


FORMAT = Format("parquet", (".parquet", ".pq"), ParquetSource, ParquetSink)
