"""Runs that are done already: their output is found where it belongs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tokenkit.errors import InputNotFound, KeyringError, MetadataError, OutputExists, translated
from tokenkit.jobs.appending import check_versions
from tokenkit.jobs.aside import already_there
from tokenkit.jobs.connectors import format_of
from tokenkit.jobs.documents import document_of
from tokenkit.jobs.inputs import find_inputs
from tokenkit.jobs.job import Job
from tokenkit.jobs.outlets import sink_of
from tokenkit.jobs.overwriting import may_overwrite
from tokenkit.jobs.partitions import turned_path
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.rejects.aside import set_aside
from tokenkit.jobs.targets import is_folder, renamed
from tokenkit.keys import Keyring
from tokenkit.lineage.datasets import Dataset
from tokenkit.policy import ColumnMetadata, Metadata


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows of a run were found in their places."""

    read: int
    written: int
    rejected: int

    @property
    def whole(self) -> bool:
        """Whether no row is missing."""
        return self.read == self.written + self.rejected


def find_done(
    job: Job, inputs: Sequence[Input], run: str, keyring: Keyring, output: Dataset
) -> Found | None:
    """Say whether a file or a folder holds this very run's output already; None if not.

    What says so is the metadata beside tokens, whose MACs must hold. Partitions don't show whether
    all of them are there, so they are written anew.

    Raises
    ------
    OutputExists
        If the target holds something else, and isn't to be replaced.
    """
    if job.force or job.dry_run or job.mode == "partition":
        return None
    target = job.output_path
    if job.mode == "append":
        _check_files(target, inputs[0], keyring)
        suffix = job.output_format or inputs[0].suffix
        outputs = [target / f"part-{run}{suffix}"]
        found = _count(job, inputs, outputs, run) if holds(outputs[0], run, keyring) else None
        return found if found is not None and found.whole else None
    if not target.exists():
        return None
    outputs = [target]
    if is_folder(job):
        outputs = [target / renamed(turned_path(item), job.output_format) for item in inputs]
    if not all(holds(path, run, keyring) for path in outputs):
        if may_overwrite(job, output):
            return None
        raise already_there(target)
    found = _count(job, inputs, outputs, run)
    if not found.whole:
        if job.overwrite:
            return None
        raise OutputExists(
            "the output is there, and rows of it or its rejected rows are not",
            file=str(target),
            hint="put back what was written, or add --force to do the job again",
        )
    return found


def _count(job: Job, inputs: Sequence[Input], outputs: Sequence[Path], run: str) -> Found:
    """Count the rows of the input, and those in the output and in a file of rejected rows."""
    with translated():
        written = sum(sink_of(path, job.text)[1].count(path) for path in outputs)
        return Found(rows_read(job, inputs), written, set_aside(job, run))


def rows_read(job: Job, inputs: Sequence[Input]) -> int:
    """Count the rows that a job reads."""
    with translated():
        return sum(_rows(item, job.limit) for item in inputs)


def _rows(item: Input, limit: int | None) -> int:
    item.check()
    return int(item.part(limit).rows.select(pl.len()).collect(engine="streaming").item())


def _check_files(folder: Path, item: Input, keyring: Keyring) -> None:
    """Refuse to add a file of tokens that don't join with those that are there."""
    try:
        files = find_inputs(folder)
    except InputNotFound:
        # A run that was killed may have left a sidecar alone.
        files = []
    for file in files:
        document = document_of(file.path)
        columns: Mapping[str, ColumnMetadata] = {}
        if document is not None:
            metadata = Metadata.parse(document)
            metadata.verify(keyring, format_of(file.path).name)
            columns = metadata.columns
        check_versions(item, columns, str(folder), f"the file {file.shown}")


def holds(path: Path, run: str, keyring: Keyring) -> bool:
    """Whether a file is a run's output, by metadata that is authentic."""
    return is_of(document_of(path), format_of(path).name, run, keyring)


def is_of(document: str | bytes | None, kind: str, run: str, keyring: Keyring) -> bool:
    """Whether a document of metadata is a run's, and authentic."""
    if document is None:
        return False
    try:
        metadata = Metadata.parse(document)
        metadata.verify(keyring, kind)
    except (MetadataError, KeyringError):
        return False
    return bool(metadata.columns) and metadata.run == run
