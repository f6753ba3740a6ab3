"""A sealed upload as what a job reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO
from uuid import UUID

from tokenkit.batches.storage.pages import SealedReader
from tokenkit.jobs.connectors import Source, TextOptions, format_of, suffix_of
from tokenkit.jobs.inlets import Inlet
from tokenkit.lineage.datasets import Dataset

NAMESPACE = "batch"
"""What the files of batches are named below in lineage."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A sealed file, read by its format as any other.

    Attributes
    ----------
    name
        Its name, whose end says the format.
    opened
        Opens it.
    metadata
        Reads the metadata beside it, if there is some.
    """

    name: str
    opened: Callable[[], SealedReader] = field(repr=False, compare=False)
    metadata: Callable[[], bytes | None] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.name

    @property
    def size(self) -> int:
        """Its size in bytes, in clear."""
        with self.opened() as reader:
            return reader.size

    @property
    def url(self) -> None:
        """Nothing: Polars can't open it by itself."""
        return

    def storage_options(self) -> Mapping[str, str | int]:
        """Give nothing: there is no store that Polars could ask."""
        return {}

    def open(self) -> BinaryIO:
        """Open it to be read."""
        return self.opened()

    def sidecar(self) -> bytes | None:
        """Read the metadata beside it."""
        return self.metadata()


@dataclass(frozen=True, slots=True)
class SealedOrigin:
    """The upload of a batch, which is one file."""

    batch: UUID
    file: SealedFile

    @property
    def shown(self) -> str:
        """Its name for messages and reports."""
        return self.file.name

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""
        return Dataset(NAMESPACE, f"{self.batch}/{self.file.name}")

    def inlets(self) -> Sequence[Inlet]:
        """Give the file."""
        return [SealedInlet(self.batch, self.file)]


@dataclass(frozen=True, slots=True)
class SealedInlet:
    """The upload as one input of a job."""

    batch: UUID
    file: SealedFile
    is_versioned: bool = True

    @property
    def shown(self) -> str:
        """Its name for messages and records."""
        return self.file.name

    @property
    def relative(self) -> Path:
        """Its name."""
        return Path(self.file.name)

    @property
    def partition(self) -> Mapping[str, str | None]:
        """Nothing: it has no path."""
        return MappingProxyType({})

    @property
    def kind(self) -> str:
        """The name of its format."""
        return format_of(self.relative).name

    @property
    def suffix(self) -> str:
        """What its name ends in."""
        return suffix_of(self.relative) or ""

    @property
    def size(self) -> int:
        """Its size in bytes, in clear."""
        return self.file.size

    def open(self, text: TextOptions) -> Source:
        """Open it far enough to know its columns."""
        return format_of(self.relative).source(self.file, text)

    def fingerprint(self) -> list[object]:
        """Give which batch's it is: an upload is written once."""
        return [self.file.name, self.size, 0, self.batch.hex]
