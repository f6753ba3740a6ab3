"""What a pass reads from: a file, an object, or a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tokenkit.jobs.connectors import Source, TextOptions


class Inlet(Protocol):
    """One input of a job, not opened yet."""

    @property
    def shown(self) -> str:
        """Its name for messages and records, without secrets and values of partitions."""

    @property
    def relative(self) -> Path:
        """The way to it from the place that was named; its output is named after it."""

    @property
    def partition(self) -> Mapping[str, str | None]:
        """The columns that stand in its path."""

    @property
    def kind(self) -> str:
        """What its metadata is bound to: the name of its format, or ``table``."""

    @property
    def suffix(self) -> str:
        """What its name ends in, which says a file's format; empty for a table."""

    @property
    def is_versioned(self) -> bool:
        """Whether its fingerprint changes when what is in it does."""

    @property
    def size(self) -> int:
        """Its size in bytes; 0 if unknown."""

    def fingerprint(self) -> list[object]:
        """Give what changes when the input does, or at least says which one it is.

        Name, size, moment of change, and a digest: what isn't known is 0 or empty.
        """

    def open(self, text: TextOptions) -> Source:
        """Open it far enough to know its columns.

        Raises
        ------
        InputError, JobError
            If it can't be read.
        """
