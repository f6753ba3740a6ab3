"""What a job refuses: before it begins, and before anything gets its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from tokenkit.errors import (
    InputNotFound,
    JobError,
    KeyringError,
    MetadataError,
    OutputExists,
    translated,
)
from tokenkit.jobs.aside import already_there
from tokenkit.jobs.calls import Calls
from tokenkit.jobs.connectors import format_of
from tokenkit.jobs.documents import document_of
from tokenkit.jobs.inputs import find_inputs
from tokenkit.jobs.job import MODES, Job
from tokenkit.jobs.outlets import sink_of
from tokenkit.jobs.partitions import turned_path
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.rejects.writing import count_rows, is_of_run, rejects_path
from tokenkit.jobs.report import Report, refusal
from tokenkit.jobs.targets import is_folder, renamed
from tokenkit.keys import Keyring
from tokenkit.policy import ColumnMetadata, Metadata


def check_job(job: Job) -> None:
    """Refuse what can't work whatever the input is.

    Raises
    ------
    JobError
        If options contradict each other, or source and target are the same.
    """
    problem = hint = None
    if job.mode not in MODES:
        problem, hint = "a mode is replace, append or partition", "mode: replace"
    elif (job.mode == "partition") != bool(job.partition_by):
        problem = "partition goes with the columns that make the partitions"
        hint = "--mode partition --partition-by COLUMN"
    elif job.limit is not None and job.limit < 0:
        problem, hint = "a limit is a number of rows, 0 or more", "--limit 1000"
    if problem is not None:
        raise JobError(problem, hint=hint)
    if job.target is not None:
        _check_target(job, job.target)
    elif not job.dry_run:
        _ = job.output


def _check_target(job: Job, target: Path) -> None:
    if job.source.is_dir() and job.source.resolve() in target.resolve().parents:
        raise JobError(
            "the output lies in the folder that is read",
            file=str(target),
            hint="write to a place outside of it",
        )
    if not target.exists():
        return
    if job.source.exists() and target.samefile(job.source):
        raise JobError(
            "input and output are the same file",
            file=str(target),
            hint="write to another name; the input is never changed",
        )
    if job.mode != "replace":
        if not target.is_dir():
            raise JobError(f"{job.mode} needs a folder", file=str(target), hint="-o FOLDER")
    elif not target.is_file() and not target.is_dir():
        raise JobError("the output is no regular file", file=str(target))


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


def find_done(job: Job, inputs: Sequence[Input], run: str, keyring: Keyring) -> Found | None:
    """Say whether the target holds this very run's output already; None if not.

    What says so is the metadata beside tokens, whose MACs must hold. Partitions don't show whether
    all of them are there, so they are written anew.

    Raises
    ------
    OutputExists
        If the target holds something else, and isn't to be replaced.
    """
    target = job.target
    if job.force or target is None or job.dry_run or job.mode == "partition":
        return None
    if job.mode == "append":
        _check_versions(target, inputs[0], keyring)
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
        raise already_there(target)
    found = _count(job, inputs, outputs, run)
    if not found.whole:
        raise OutputExists(
            "the output is there, and rows of it or its rejected rows are not",
            file=str(target),
            hint="put back what was written, or add --force to do the job again",
        )
    return found


def _count(job: Job, inputs: Sequence[Input], outputs: Sequence[Path], run: str) -> Found:
    """Count the rows of the input, and those in the output and in a file of rejected rows."""
    rejects = rejects_path(job, run)
    with translated():
        read = sum(_rows(item, job.limit) for item in inputs)
        written = sum(sink_of(path, job.text)[1].count(path) for path in outputs)
        set_aside = count_rows(rejects) if is_of_run(rejects, run) else 0
    return Found(read, written, set_aside)


def _rows(item: Input, limit: int | None) -> int:
    item.check()
    return int(item.part(limit).rows.select(pl.len()).collect(engine="streaming").item())


def _check_versions(folder: Path, item: Input, keyring: Keyring) -> None:
    """Refuse to append tokens that don't join with those that are there."""
    ours = {
        name: _joining(ColumnMetadata.of(call.rule, call.version))
        for name, call in item.calls.transformed.items()
    }
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
        if {name: _joining(column) for name, column in columns.items()} != ours:
            raise JobError(
                f"the file {file.shown} holds tokens of other columns or other key versions",
                file=str(folder),
                hint="write to another folder, rekey the old files, or add --force: "
                "tokens of two versions don't join",
            )


def _joining(column: ColumnMetadata) -> dict[str, object]:
    """Give what two columns have to agree on if their tokens are to join."""
    said = column.to_json()
    return {name: said.get(name) for name in ("scheme", "domain", "shape", "key", "tweak")}


def holds(path: Path, run: str, keyring: Keyring) -> bool:
    """Whether a file is a run's output, by metadata that is authentic."""
    document = document_of(path)
    if document is None:
        return False
    try:
        metadata = Metadata.parse(document)
        metadata.verify(keyring, format_of(path).name)
    except (MetadataError, KeyringError):
        return False
    return bool(metadata.columns) and metadata.run == run


def check_unchanged(inputs: Sequence[Input], before: Sequence[list[object]]) -> None:
    """Refuse what was read if a file was changed meanwhile.

    Raises
    ------
    JobError
        If one was.
    """
    for item, old in zip(inputs, before, strict=True):
        if item.file.fingerprint() != old:
            raise JobError(
                "the input was changed while it was read; nothing was written",
                file=item.file.shown,
                hint="run the job again when nothing writes to it",
            )


def check_values(calls: Calls, report: Report) -> None:
    """Refuse values that don't fit, where the policy says that this is an error.

    Raises
    ------
    JobRefused
        With the report.
    """
    wrong = {}
    for name, column in report.columns.items():
        call = calls.by_column.get(name)
        fate = "error" if call is None else call.rule.on_invalid
        # What can't be sealed, and what is of no type, has nowhere to go.
        unsealed = fate == "seal" and column.invalid_count > column.sealed
        if column.invalid and (fate == "error" or unsealed):
            wrong[name] = column
    if wrong:
        raise refusal(replace(report, status="refused"), wrong)
