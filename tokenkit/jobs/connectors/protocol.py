"""What a format gives to jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl


class Source(Protocol):
    """A file to read. Making one opens it far enough to know its columns."""

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns."""

    @property
    def rows(self) -> int | None:
        """How many rows there are, if the format says so."""

    @property
    def estimated_rows(self) -> int | None:
        """How many there are about, for a progress bar."""

    @property
    def metadata(self) -> str | bytes | None:
        """The document of metadata, as it was found."""

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""

    def complaint(self, text: str) -> str | None:
        """Say in our own words what an error of Polars says about the file's structure.

        ``text`` may quote values; nothing of it may be given back. None if it's about something
        else.
        """


class Sink(Protocol):
    """A file to write."""

    metadata_beside: bool
    """Whether metadata goes into a sidecar, because the format has no place for it."""

    def check(self, schema: pl.Schema) -> None:
        """Raise :class:`~tokenkit.errors.UnsupportedType` for a column that can't be written."""

    def write(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows to a file, and closes it, when it runs."""

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
        Writes a file of it.
    """

    name: str
    suffixes: tuple[str, ...]
    source: Callable[[Path], Source]
    sink: Callable[[], Sink]
