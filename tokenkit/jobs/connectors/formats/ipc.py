"""Arrow IPC files: typed columns; metadata in the schema of the file's own footer."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from tokenkit.errors import InputError, JobError
from tokenkit.jobs.connectors.arrow_footer import add_metadata
from tokenkit.jobs.connectors.arrow_stream import ArrowStream
from tokenkit.jobs.connectors.options import TextOptions, refuse_options
from tokenkit.jobs.connectors.protocol import FAILURES, PANICS, Format
from tokenkit.jobs.connectors.remote import AnyFile, refused_by_store, scan_arguments
from tokenkit.policy import METADATA_KEY

if TYPE_CHECKING:
    import pyarrow as pa

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

    def __init__(self, path: AnyFile, options: TextOptions) -> None:
        import pyarrow as pa  # noqa: PLC0415 - a CSV job needs none of it

        refuse_options(options, path)
        self._path = path
        refused: InputError | None = None
        try:
            with _opened(path) as file, pa.ipc.open_file(file) as reader:
                entries = reader.schema.metadata or {}
            self.schema = self.scan().collect_schema()
            self.rows = self.estimated_rows = _count(path)
        except InputError:
            raise
        except (pa.ArrowException, *FAILURES) as exc:
            entries = None
            refused = refused_by_store(path, str(exc))
        if entries is None:
            raise refused or InputError(
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
            with _opened(self._path) as file, pa.ipc.open_file(file) as reader:
                for number in range(1, reader.num_record_batches + 1):
                    batch = reader.get_batch(number - 1)
                    batch.validate(full=True)
                    rows += batch.num_rows
            damaged = rows != self.rows
        except InputError:
            raise
        except (pa.ArrowException, *FAILURES):
            damaged = True
        if damaged:
            raise self._damaged(f"batch {number}")

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""
        return pl.scan_ipc(**scan_arguments(self._path), hive_partitioning=False)

    def explain(self, text: str) -> InputError | None:
        """Say what an error of Polars says about the file."""
        lowered = text.lower()
        if (refused := refused_by_store(self._path, text)) is not None:
            return refused
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
        self._stream: ArrowStream | None = None

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

    def stream(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows to what can only be written to."""
        self._stream = ArrowStream(file)
        return self.write(frame, self._stream, metadata)

    def streamed(self) -> int:
        """Count the rows of the batches that went by."""
        return 0 if self._stream is None else self._stream.rows

    def finish(self, file: BinaryIO | None) -> None:
        """Put the metadata into the footer."""
        if self._stream is not None:
            self._finish(self._stream)
        elif self._metadata is not None and file is not None:
            file.flush()
            add_metadata(file, METADATA_KEY, self._metadata)

    def _finish(self, stream: ArrowStream) -> None:
        try:
            stream.finish(METADATA_KEY, self._metadata)
        except (ValueError, struct.error):
            pass
        else:
            return
        raise JobError("what was written can't be counted", hint="write to a file, and copy that")

    def count(self, path: Path) -> int:
        """Count the rows of the batches."""
        return _count(path)


def _opened(file: AnyFile) -> "pa.NativeFile":
    import pyarrow as pa  # noqa: PLC0415 - a CSV job needs none of it

    return pa.OSFile(str(file)) if isinstance(file, Path) else pa.PythonFile(file.open(), "rb")


def _count(file: AnyFile) -> int:
    return int(pl.scan_ipc(**scan_arguments(file)).select(pl.len()).collect().item())


FORMAT = Format("ipc", (".arrow", ".ipc", ".feather"), IpcSource, IpcSink)
