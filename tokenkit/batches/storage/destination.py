"""A sealed result as what a job writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from uuid import UUID

import polars as pl

from tokenkit.batches.storage.origin import NAMESPACE
from tokenkit.batches.storage.pages import SealedWriter
from tokenkit.errors import JobError, TokenkitError
from tokenkit.jobs import Job
from tokenkit.jobs.connectors import TextOptions
from tokenkit.jobs.done import Found
from tokenkit.jobs.outlets import metadata_line, sink_of
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.targets import Extent
from tokenkit.keys import Keyring
from tokenkit.lineage.datasets import Dataset


@dataclass(frozen=True, slots=True)
class SealedDestination:
    """The result of one attempt at a batch, which is one file.

    Attributes
    ----------
    batch, suffix
        Whose, and in which format.
    writer
        Begins the file.
    keep
        Writes the metadata beside it.
    """

    batch: UUID
    suffix: str
    writer: Callable[[], SealedWriter] = field(repr=False, compare=False)
    keep: Callable[[bytes], None] = field(repr=False, compare=False)
    is_mirrored: bool = False

    @property
    def shown(self) -> str:
        """Its name for messages and reports."""
        return f"result{self.suffix}"

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""
        return Dataset(NAMESPACE, f"{self.batch}/{self.shown}")

    def check(self, job: Job) -> None:
        """Refuse a mode in which there would be several files."""
        if job.mode != "replace":
            raise JobError("a batch writes one file", file=self.shown, hint="mode: replace")

    def check_places(self, job: Job, inputs: Sequence[Input], run: str) -> None:
        """Do nothing: no two files of batches have one place."""

    def sweep(self, job: Job, run: str) -> None:
        """Do nothing: what an attempt leaves goes with its batch."""

    def find_done(
        self, job: Job, inputs: Sequence[Input], run: str, keyring: Keyring
    ) -> Found | None:
        """Give nothing: whether a batch is done is in its state."""

    def target(self, job: Job, run: str, suffix: str) -> "SealedTarget":
        """Give what holds the result until it is published."""
        del run, suffix
        return SealedTarget(self, job.text)


class SealedTarget:
    """A sealed file, and the metadata beside it if its format has no place for that."""

    def __init__(self, destination: SealedDestination, text: TextOptions) -> None:
        self._destination = destination
        self._text = text
        self._outlet: SealedOutlet | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._outlet is not None and self._outlet.writer is not None:
            self._outlet.writer.abort()

    def outlet(self, relative: Path) -> "SealedOutlet":
        """Give the file; whatever the input is named, there is one."""
        del relative
        self._outlet = SealedOutlet(self._destination, self._text)
        return self._outlet

    def flush(self) -> int:
        """Give the size; what is left goes when the file is published."""
        return self._written.size

    def extent(self) -> Extent:
        """Say that it's one file."""
        return Extent()

    def publish(self) -> None:
        """Complete the file; its metadata is there before it."""
        writer = self._written
        if self._outlet is not None and self._outlet.metadata is not None:
            self._destination.keep(self._outlet.metadata)
        writer.complete()

    def is_published(self) -> bool:
        """Whether the file is there, or may be."""
        writer = None if self._outlet is None else self._outlet.writer
        return writer is not None and writer.is_published()

    @property
    def _written(self) -> SealedWriter:
        if self._outlet is None or self._outlet.writer is None:
            raise JobError("nothing was written", file=self._destination.shown)
        return self._outlet.writer


class SealedOutlet:
    """What a pass writes to."""

    def __init__(self, destination: SealedDestination, text: TextOptions) -> None:
        self.format, self.sink = sink_of(Path(destination.shown), text)
        self._destination = destination
        self.writer: SealedWriter | None = None
        self.metadata: bytes | None = None

    @property
    def kind(self) -> str:
        """The name of its format."""
        return self.format.name

    @property
    def failure(self) -> TokenkitError | None:
        """What writing failed with: Polars gives the text of errors back, and not their type."""
        return None if self.writer is None else self.writer.failure

    def check(self, schema: pl.Schema) -> None:
        """Raise :class:`~tokenkit.errors.UnsupportedType` for a column that can't be written."""
        self.sink.check(schema)

    def write(self, frame: pl.LazyFrame, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        if self.sink.metadata_beside and metadata is not None:
            self.metadata = metadata_line(metadata)
        self.writer = self._destination.writer()
        return self.sink.stream(frame, self.writer, metadata)

    def close(self, *, complete: bool) -> None:
        """Write what the result ends with, if all rows are in it."""
        if complete and self.writer is not None:
            self.sink.finish(self.writer)

    def count(self) -> int:
        """Count the rows that were written, as their bytes went by."""
        return self.sink.streamed()
