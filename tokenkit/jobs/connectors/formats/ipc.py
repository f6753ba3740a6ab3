"""Arrow IPC files: typed columns; metadata in the schema of the file's own footer."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import polars as pl

from tokenkit.errors import InputError
from tokenkit.jobs.connectors.arrow_footer import add_metadata
from tokenkit.jobs.connectors.options import TextOptions, refuse_options
from tokenkit.jobs.connectors.protocol import FAILURES, PANICS, Format
from tokenkit.policy import METADATA_KEY

_DAMAGE = (
    "ipc",
    "arrow",
    "out-of-spec",
    "out of spec",
    "buffer",
    "offset",
    "utf-8",
    "utf8",
    *PANICS,
)


class IpcSource:
    """An Arrow IPC file to read."""

    types: Mapping[str, pl.DataType] = {}

    def __init__(self, path: Path, options: TextOptions) -> None:
        import pyarrow as pa  # noqa: PLC0415 - a CSV job needs none of it

        refuse_options(options, path)
        self._path = path
        try:
            with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
                entries = reader.schema.metadata or {}
            self.schema = self.scan().collect_schema()
            self.rows = self.estimated_rows = _count(path)
        except (pa.ArrowException, *FAILURES):
            entries = None
        if entries is None:
            raise InputError(
                "the file can't be read as an Arrow IPC file",
                file=str(path),
                hint="it may be cut short, an Arrow stream, or another kind of file",
            )
        self.metadata: str | bytes | None = entries.get(METADATA_KEY.encode())

    def check(self) -> None:
        """Check that offsets, indices and text of every batch are sound.

        Raises
        ------
        InputError
            With the number of the batch, counted from 1.
        """
        import pyarrow as pa  # noqa: PLC0415

        number, rows = 0, 0
        try:
            with pa.OSFile(str(self._path)) as file, pa.ipc.open_file(file) as reader:
                for number in range(1, reader.num_record_batches + 1):
                    batch = reader.get_batch(number - 1)
                    batch.validate(full=True)
                    rows += batch.num_rows
            damaged = rows != self.rows
        except (pa.ArrowException, *FAILURES):
            damaged = True
        if damaged:
            raise self._damaged(f"batch {number}")

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""
        return pl.scan_ipc(self._path, glob=False, hive_partitioning=False)

    def explain(self, text: str) -> InputError | None:
        """Say what an error of Polars says about the file."""
        lowered = text.lower()
        return self._damaged("a part") if any(word in lowered for word in _DAMAGE) else None

    def _damaged(self, part: str) -> InputError:
        return InputError(
            f"{part} of the file can't be read: it is damaged",
            file=str(self._path),
            hint="get a whole copy of the file",
        )


class IpcSink:
    """An Arrow IPC file to write."""

    metadata_beside = False
    partitionable = False

    def __init__(self, suffix: str, options: TextOptions) -> None:
        del suffix
        refuse_options(options)
        self._metadata: str | None = None

    def check(self, schema: pl.Schema) -> None:
        """Every type that comes from a file can be written."""

    def write(
        self, frame: pl.LazyFrame, file: "BinaryIO | pl.PartitionBy", metadata: str | None
    ) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        self._metadata = metadata
        # Older readers don't know string views, which are the default.
        return frame.sink_ipc(
            file, compression="zstd", compat_level=pl.CompatLevel.oldest(), lazy=True
        )

    def finish(self, file: BinaryIO | None) -> None:
        """Put the metadata into the footer."""
        if self._metadata is not None and file is not None:
            file.flush()
            add_metadata(file, METADATA_KEY, self._metadata)

    def count(self, path: Path) -> int:
        """Count the rows of the batches."""
        return _count(path)


def _count(path: Path) -> int:
    return int(pl.scan_ipc(path, glob=False).select(pl.len()).collect().item())


FORMAT = Format("ipc", (".arrow", ".ipc", ".feather"), IpcSource, IpcSink)
