"""What a pass writes to: a file aside, a file of a folder aside, or all partitions of one."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import quote

import polars as pl

from tokenkit.errors import JobError, TokenkitError
from tokenkit.jobs.aside import AsideFile, refusing
from tokenkit.jobs.connectors import (
    Format,
    Sink,
    TextOptions,
    format_of,
    sidecar_of,
    suffix_of,
)
from tokenkit.jobs.inputs import NULL_PARTITION


class Outlet(Protocol):
    """One output of a pass."""

    @property
    def failure(self) -> TokenkitError | None:
        """What writing failed with, where Polars would give back no more than its text."""

    @property
    def kind(self) -> str:
        """What its metadata is bound to: the name of its format, or ``table``."""

    def check(self, schema: pl.Schema) -> None:
        """Raise :class:`~tokenkit.errors.UnsupportedType` for a column that can't be written."""

    def write(self, frame: pl.LazyFrame, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""

    def close(self, *, complete: bool) -> None:
        """Write what the output ends with, if all rows are in it, and close it."""

    def count(self) -> int:
        """Count the rows that were written, by reading them again."""


class _FormatOutlet:
    """What outputs in a file's format have in common."""

    failure: TokenkitError | None = None

    def __init__(self, path: Path, text: TextOptions) -> None:
        self.format, self.sink = sink_of(path, text)

    @property
    def kind(self) -> str:
        """The name of its format."""
        return self.format.name

    def check(self, schema: pl.Schema) -> None:
        """Raise :class:`~tokenkit.errors.UnsupportedType` for a column that can't be written."""
        self.sink.check(schema)


class FileOutlet(_FormatOutlet):
    """A file that gets its name when it is complete."""

    def __init__(self, path: Path, text: TextOptions) -> None:
        super().__init__(path, text)
        self.metadata: str | None = None
        self._shown = path
        self.aside = AsideFile(path)
        self._writer: BinaryIO | None = None

    def write(self, frame: pl.LazyFrame, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        self.metadata = metadata
        self._writer = self.aside.writer()
        return self.sink.write(frame, self._writer, metadata)

    def close(self, *, complete: bool) -> None:
        """Write what the output ends with, if all rows are in it, and close it."""
        if self._writer is None:
            return
        if complete:
            with refusing(self._shown):
                self.sink.finish(self._writer)
        self._writer.close()

    def count(self) -> int:
        """Count the rows that were written, by reading them again."""
        return self.sink.count(self.aside.path)


class StagedOutlet(_FormatOutlet):
    """A file in a folder that isn't published yet: its names may be the final ones."""

    def __init__(self, path: Path, text: TextOptions, shown: Path) -> None:
        super().__init__(path, text)
        self._path = path
        self._shown = shown
        self._writer: BinaryIO | None = None

    def write(self, frame: pl.LazyFrame, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        if metadata is not None and self.sink.metadata_beside:
            with refusing(self._shown):
                sidecar_of(self._path).write_bytes(metadata_line(metadata))
        with refusing(self._shown):
            self._writer = self._path.open("x+b")
        return self.sink.write(frame, self._writer, metadata)

    def close(self, *, complete: bool) -> None:
        """Write what the output ends with, if all rows are in it, and close it."""
        if self._writer is None:
            return
        if complete:
            with refusing(self._shown):
                self.sink.finish(self._writer)
        self._writer.close()

    def count(self) -> int:
        """Count the rows that were written, by reading them again."""
        return self.sink.count(self._path)


class PartitionOutlet(_FormatOutlet):
    """Every partition of a folder that isn't published yet."""

    def __init__(
        self, folder: Path, name: str, text: TextOptions, columns: tuple[str, ...]
    ) -> None:
        super().__init__(Path(name), text)
        self._folder = folder
        self._name = name
        self._columns = columns
        self._metadata: str | None = None

    def write(self, frame: pl.LazyFrame, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        if not hasattr(pl, "PartitionBy"):
            raise JobError(
                "this version of Polars can't write partitions",
                hint="install a newer one: pip install --upgrade polars",
            )
        if not self.sink.partitionable:
            raise JobError(
                f"{self.format.name} files can't be partitioned",
                hint="write Parquet: --format parquet",
            )
        self._metadata = metadata
        target = pl.PartitionBy(
            self._folder,
            key=list(self._columns),
            include_key=False,
            file_path_provider=self._place,
            # Otherwise a second file of a large partition would get the first one's name.
            approximate_bytes_per_file=None,
        )
        return self.sink.write(frame, target, metadata)

    def close(self, *, complete: bool) -> None:
        """Write what the output ends with, if all rows are in it, and close it."""
        if not complete:
            return
        self.sink.finish(None)
        if self._metadata is not None and self.sink.metadata_beside:
            for path in self._files():
                sidecar_of(path).write_bytes(metadata_line(self._metadata))

    def count(self) -> int:
        """Count the rows that were written, by reading them again."""
        return sum(self.sink.count(path) for path in self._files())

    def _files(self) -> Iterator[Path]:
        return self._folder.rglob(self._name)

    def _place(self, given: "pl.io.partition.FileProviderArgs") -> str:
        row = given.partition_keys.row(0, named=True)
        folders = [partition_folder(name, row[name]) for name in self._columns]
        place = self._folder
        for folder in folders:
            place /= folder
            # Not its parents: where a job has failed, Polars may still be writing, and the folder
            # that was removed must not come back.
            place.mkdir(exist_ok=True)
        return str(place / self._name)


def partition_folder(column: str, value: object) -> str:
    """Name the folder of a partition, as Hive does.

    Examples
    --------
    >>> partition_folder("country", "A/B"), partition_folder("country", None)
    ('country=A%2FB', 'country=__HIVE_DEFAULT_PARTITION__')
    """
    shown = NULL_PARTITION if value is None else quote(str(value), safe="")
    return f"{quote(column, safe='')}={shown}"


def sink_of(path: Path, text: TextOptions) -> tuple[Format, Sink]:
    """Give the format of an output, and what writes it."""
    found = format_of(path)
    # A file of another format has no use for the options of the input.
    return found, found.sink(suffix_of(path) or "", written_text(path, text))


def written_text(path: Path, text: TextOptions) -> TextOptions:
    """Give the options that read an output again, of those that its input was read with."""
    if format_of(path).name != "csv":
        return TextOptions()
    return TextOptions(delimiter=text.delimiter, quote=text.quote or '"')


def metadata_line(metadata: str) -> bytes:
    """Give the content of a sidecar."""
    return metadata.encode("ascii") + b"\n"
