"""What a run has written, opened again to be detokenized."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tokenkit.errors import InputNotFound, JobError
from tokenkit.jobs.connectors.tables import ReadableTable, TableSource
from tokenkit.jobs.destinations import Destination
from tokenkit.jobs.inlets import Inlet
from tokenkit.jobs.job import Job
from tokenkit.jobs.objects import ObjectPlace
from tokenkit.jobs.origins import found_files
from tokenkit.jobs.outlets import written_text
from tokenkit.jobs.preparation import Input, open_input
from tokenkit.jobs.tables.inlets import TABLE, TableInlet
from tokenkit.keys import Keyring
from tokenkit.policy import Metadata


def open_outputs(job: Job, destination: Destination, run: str, keyring: Keyring) -> list[Input]:
    """Open what a run of a job has written, with the calls that detokenize it.

    Raises
    ------
    InputNotFound
        If there is nothing.
    JobError
        If it's another run's, or a table can't be read through its connector.
    InputError, MetadataError, KeyringError
        If it can't be read, or its metadata not be trusted.
    """
    back = replace(
        job,
        operation="detokenize",
        policy=None,
        partition_by=(),
        replay=False,
        prove=False,
        dry_run=True,
    )
    opened = []
    for inlet in _inlets(job, destination, run):
        is_table = inlet.kind == TABLE
        text = job.text if is_table else written_text(inlet.relative, job.text)
        item = open_input(replace(back, text=text), inlet, keyring)
        document = item.source.metadata
        if document is not None and not is_table:
            # A table's metadata is that of the newest run that added to it.
            _require_run(Metadata.parse(document).run, run, inlet)
        opened.append(item)
    return opened


def _inlets(job: Job, destination: Destination, run: str) -> Sequence[Inlet]:
    target = job.target
    if not isinstance(target, Path | ObjectPlace):
        return [TableInlet(_table(job, run, destination.shown))]
    files = found_files(target)
    if job.mode != "replace":
        # The folder is others' too; theirs are the other names.
        files = [file for file in files if file.relative.name.startswith(f"part-{run}.")]
    if not files:
        raise InputNotFound(
            "what the run has written isn't there",
            file=destination.shown,
            hint="run the job again",
        )
    return files


def _table(job: Job, run: str, shown: str) -> TableSource:
    sink: object = job.target
    if isinstance(sink, ReadableTable) and job.mode != "partition":
        return sink.written(job.mode, run)
    raise JobError(
        "the connector can't read the table that it writes, so that it can't be checked",
        file=shown,
        hint="ask for a connector whose sinks have the method written()",
    )


def _require_run(found: str, wanted: str, file: Inlet) -> None:
    if found != wanted:
        raise JobError(
            "the output is another run's",
            file=file.shown,
            hint="check it against that run, or run the job again",
        )
