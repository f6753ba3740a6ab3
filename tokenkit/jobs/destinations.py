"""Where a job writes: files, or a place that a connector knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from tokenkit.errors import JobError
from tokenkit.jobs.aside import masked
from tokenkit.jobs.connectors import sidecar_of
from tokenkit.jobs.done import Found, find_done
from tokenkit.jobs.job import Job
from tokenkit.jobs.locking import sweep, sweep_folder
from tokenkit.jobs.objects.destination import ObjectDestination
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.places import check_places, check_target
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.rejects.places import rejects_place
from tokenkit.jobs.tables.destination import TableDestination
from tokenkit.jobs.targets import Target, is_folder, target_of
from tokenkit.keys import Keyring
from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.naming import of_file, of_folder


@runtime_checkable
class Destination(Protocol):
    """Where a job writes, and what has to be checked about it."""

    @property
    def shown(self) -> str:
        """Its name for messages and reports, without secrets and values of partitions."""

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""

    @property
    def is_mirrored(self) -> bool:
        """Whether each input gets an output of its own."""

    def check(self, job: Job) -> None:
        """Refuse what can't work whatever the rows are.

        Raises
        ------
        JobError
            If options contradict each other, or source and target are the same.
        """

    def check_places(self, job: Job, inputs: Sequence[Input], run: str) -> None:
        """Refuse outputs that would take the place of an input, or of each other.

        Raises
        ------
        JobError
            If one would.
        """

    def sweep(self, job: Job, run: str) -> None:
        """Remove what this job has left aside if it was killed."""

    def find_done(
        self, job: Job, inputs: Sequence[Input], run: str, keyring: Keyring
    ) -> Found | None:
        """Say whether this very run's output is there already; None if not.

        Raises
        ------
        OutputExists
            If something else is there, and isn't to be replaced.
        """

    def target(self, job: Job, run: str, suffix: str) -> Target:
        """Give what holds the output until it is published; ``suffix`` is the input's."""


@dataclass(frozen=True, slots=True)
class FileDestination:
    """A file or a folder."""

    path: Path
    is_folder: bool
    is_mirrored: bool

    @property
    def shown(self) -> str:
        """The path, without the values of partitions."""
        return masked(self.path)

    @property
    def dataset(self) -> Dataset:
        """The file or the folder."""
        return (of_folder if self.is_folder else of_file)(self.path)

    def check(self, job: Job) -> None:
        """Refuse a target that is the source or lies in it, or that the mode doesn't go with."""
        check_target(job)

    def check_places(self, job: Job, inputs: Sequence[Input], run: str) -> None:
        """Refuse outputs that would take the place of an input, or of each other."""
        check_places(job, inputs, run)

    def sweep(self, job: Job, run: str) -> None:
        """Remove what this job has left aside if it was killed, even if it had all but ended."""
        for path in (self.path, sidecar_of(self.path), rejects_place(job, run)):
            if isinstance(path, Path):
                sweep(path)
        if job.mode == "append":
            # Each of its runs has another name.
            sweep_folder(self.path)

    def find_done(
        self, job: Job, inputs: Sequence[Input], run: str, keyring: Keyring
    ) -> Found | None:
        """Say whether this very run's output is there already."""
        return find_done(job, inputs, run, keyring, self.dataset)

    def target(self, job: Job, run: str, suffix: str) -> Target:
        """Choose how it is written."""
        return target_of(job, run, suffix)


def destination_of(job: Job) -> Destination | None:
    """Give where a job writes; None if it has no target.

    Raises
    ------
    JobError
        If it isn't written in the job's mode.
    """
    if job.target is None or isinstance(job.target, Destination):
        return job.target
    if isinstance(job.target, Path):
        folder = is_folder(job)
        return FileDestination(job.target, folder, folder and job.mode == "replace")
    if isinstance(job.target, ObjectPlace):
        return ObjectDestination(job.target)
    if job.mode == "partition":
        raise JobError(
            "a table isn't written by partitions", file=job.target.shown, hint="mode: replace"
        )
    return TableDestination(job.target, job.mode)
