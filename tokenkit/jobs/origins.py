"""Where a job reads: files, or a place that a connector knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tokenkit.jobs.aside import masked
from tokenkit.jobs.inlets import Inlet
from tokenkit.jobs.inputs import InputFile, find_inputs, folder_of
from tokenkit.jobs.objects.inlets import ObjectInlet, ObjectOrigin, find_objects
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.tables.inlets import TableOrigin
from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.naming import of_file, of_folder

if TYPE_CHECKING:
    from tokenkit.jobs.connectors.tables import TableSource


@runtime_checkable
class Origin(Protocol):
    """Where a job reads."""

    @property
    def shown(self) -> str:
        """Its name for messages and reports, without secrets and values of partitions."""

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""

    def inlets(self) -> Sequence[Inlet]:
        """Give what is to be read, at least one.

        Raises
        ------
        InputNotFound, InputError
            If there is nothing, or it can't be told.
        """


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """A file, a folder, or the files that fit a pattern."""

    path: Path

    @property
    def shown(self) -> str:
        """The path, without the values of partitions."""
        return masked(self.path)

    @property
    def dataset(self) -> Dataset:
        """The file, or the folder that a pattern or a folder means."""
        folder = folder_of(self.path)
        return of_file(self.path) if folder is None else of_folder(folder)

    def inlets(self) -> Sequence[Inlet]:
        """Find the files, in the order of their names."""
        return find_inputs(self.path)


def found_files(source: Path | ObjectPlace) -> Sequence[InputFile | ObjectInlet]:
    """Find files or objects, in the order of their names.

    Raises
    ------
    InputNotFound, InputError
        If there is none, or they can't be told.
    """
    return find_inputs(source) if isinstance(source, Path) else find_objects(source)


def origin_of(source: "Path | ObjectPlace | TableSource | Origin") -> Origin:
    """Give where a job reads, of what its ``source`` names."""
    if isinstance(source, Origin):
        return source
    if isinstance(source, ObjectPlace):
        return ObjectOrigin(source)
    return FileOrigin(source) if isinstance(source, Path) else TableOrigin(source)
