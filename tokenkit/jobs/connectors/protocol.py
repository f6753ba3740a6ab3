"""What a format gives to jobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl

from tokenkit.errors import JobError
from tokenkit.jobs.connectors.options import TextOptions
from tokenkit.jobs.connectors.remote import AnyFile

FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
"""What Polars raises about a file that is damaged. Its text may quote values."""

PANICS = ("unwrap()", "panic", "out of range", "out of bounds")
"""What stands in the text of Polars' panics at damaged files, in small letters."""


class Source(Protocol):
    """A file to read. Making one opens it far enough to know its columns."""

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns, as :meth:`scan` gives them."""

    @property
    def types(self) -> Mapping[str, pl.DataType]:
        """What text columns are to be cast to; a cell that can't be is of reason ``type``."""

    @property
    def rows(self) -> int | None:
        """How many rows there are, as far as it's known before, during or after the scan."""

    @property
    def estimated_rows(self) -> int | None:
        """How many there are about, for a progress bar."""

    @property
    def metadata(self) -> str | bytes | None:
        """The document of metadata, as it was found."""

    def check(self) -> None:
        """Check the file's structure as far as that can be done without giving its rows.

        Raises
        ------
        InputError
            With the file, and the line or row group. What only shows in the scan comes out of it
            as an error of Polars, which :meth:`explain` turns into ours.
        """

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""

    def explain(self, text: str) -> JobError | None:
        """Say in our own words what an error of the scan says about the file.

        ``text`` may quote values; nothing of it is given back. None if it's about something else.
        """


class Sink(Protocol):
    """A file to write."""

    metadata_beside: bool
    """Whether metadata goes into a sidecar, because the format has no place for it."""
    partitionable: bool
    """Whether :meth:`write` also takes a ``polars.PartitionBy`` in place of a file."""

    def check(self, schema: pl.Schema) -> None:
        """Raise :class:`~tokenkit.errors.UnsupportedType` for a column that can't be written."""

    def write(
        self, frame: pl.LazyFrame, file: "BinaryIO | pl.PartitionBy", metadata: str | None
    ) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows to a file when it runs.

        The file is the caller's to close. Its descriptor can be read as well as written.
        """

    def stream(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows to what can only be written to, once.

        The rows are counted on their way, and :meth:`finish` follows as it does otherwise.
        """

    def streamed(self) -> int:
        """Count the rows that went into a finished stream, by the bytes that went there."""

    def finish(self, file: BinaryIO | None) -> None:
        """Write what the file ends with, once the lazy frame has run without an error.

        There is no one file where partitions were written.
        """

    def count(self, path: Path) -> int:
        """Count the rows of a complete file, by reading it again."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files.

    Attributes
    ----------
    name
        Its name, which metadata is bound to.
    suffixes
        What the names of its files end in.
    source
        Opens a file of it.
    sink
        Writes one file of it; given the suffix of the file's name.
    """

    name: str
    suffixes: tuple[str, ...]
    source: Callable[[AnyFile, TextOptions], Source]
    sink: Callable[[str, TextOptions], Sink]
