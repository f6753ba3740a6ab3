"""Job files as a pipeline sees them: what each reads, who writes that, and what it is done for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import dagster as dg

from tokenkit.dagster.names import asset_key, kind_of, lies_in, partitions_name, version_of
from tokenkit.errors import JobError
from tokenkit.jobs.job_file import DailyPartitions, JobFile, read_job_file
from tokenkit.lineage import Dataset
from tokenkit.lineage.naming import of_folder

PARTITION: Final = "PARTITION"
"""The variable that holds the key of a partition: a day, or the key of a file."""

FILE: Final = "FILE"
"""The variable that holds the path of an inbox's file."""

NAME: Final = "NAME"
"""The variable that holds the name of an inbox's file."""

_SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job file, and its place among the others.

    Attributes
    ----------
    file
        The job file.
    reads, writes
        Its datasets, by their names in lineage; None if a variable that names one has no value yet.
    upstream
        The assets that its input is: those of the jobs that write it, or one that no job writes.
    external
        What is to be shown of an input that no job writes.
    """

    file: JobFile
    reads: Dataset | None
    writes: Dataset | None
    upstream: tuple[dg.AssetKey, ...] = ()
    external: dg.AssetSpec | None = None

    @property
    def key(self) -> dg.AssetKey:
        """The asset that the job makes."""
        return dg.AssetKey(self.file.name)

    @property
    def kinds(self) -> set[str]:
        """What Dagster shows beside its name."""
        return {"tokenkit"} if self.writes is None else {"tokenkit", kind_of(self.writes)}

    @property
    def partitions(self) -> dg.PartitionsDefinition[str] | None:
        """The days or the files that it is done for."""
        match self.file.partitions:
            case None:
                return None
            case DailyPartitions(daily=first):
                return dg.DailyPartitionsDefinition(start_date=first.isoformat(), timezone="UTC")
            case _:
                return dg.DynamicPartitionsDefinition(name=partitions_name(self.file.name))

    @property
    def proves(self) -> bool:
        """Whether its output is to be proved: what it tokenizes is, unless the file says no."""
        options = self.file.fields.options
        said = options.prove or "prove" not in options.model_fields_set
        return said and self.file.fields.operation == "tokenize"

    @property
    def version(self) -> str:
        """What changes when the job file does, or its policy."""
        policy = self.file.fields.policy
        contents = [self.file.path.read_bytes()]
        if isinstance(policy, str):
            place = self.file.path.parent / policy
            contents += [place.read_bytes()] if place.is_file() else []
        return version_of(*contents)


def read_job_files(folder: Path) -> list[JobFile]:
    """Read the job files of a folder, by name: those that end in ``.yaml`` or ``.yml``.

    Raises
    ------
    JobError
        If there is no such folder, a file is wrong, or two jobs have one name.
    """
    if not folder.is_dir():
        raise JobError("there is no such folder of job files", file=str(folder))
    paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    files = [read_job_file(path) for path in paths]
    by_name: dict[str, JobFile] = {}
    for file in files:
        other = by_name.setdefault(file.name, file)
        if other is not file:
            raise JobError(
                f"two jobs have the name {file.name}: this one, and that of {other.path.name}",
                file=str(file.path),
                hint="name: a_name_of_its_own",
            )
    return files


def plan(
    files: Sequence[JobFile], *, environment: Mapping[str, str] | None = None
) -> list[PlannedJob]:
    """Find out which job reads what which other one writes.

    Parameters
    ----------
    files
        The job files.
    environment
        Where their variables are looked up; default: the process's environment. A variable that
        has no value yet is no error: the job fails when it is done, and says which one.

    Raises
    ------
    JobError
        If two jobs write the same, or two inputs would have one name.
    """
    places = {file.name: _places(file, environment) for file in files}
    _check_outputs(files, places)
    planned = [_planned(file, files, places) for file in files]
    found = {job.key: job.writes for job in planned}
    for job in planned:
        if job.external is not None and found.setdefault(job.external.key, job.reads) != job.reads:
            raise JobError(
                f"the input of {job.file.name} has the name of another asset, "
                f"{job.external.key.to_user_string()}",
                file=str(job.file.path),
                hint="rename one of the files, or the job",
            )
    return planned


def _planned(
    file: JobFile,
    files: Sequence[JobFile],
    places: Mapping[str, tuple[Dataset | None, Dataset | None]],
) -> PlannedJob:
    reads, writes = places[file.name]
    bare = PlannedJob(file=file, reads=reads, writes=writes)
    if reads is None:
        return bare
    writers = [
        dg.AssetKey(other.name)
        for other in files
        if other is not file and _is_in(places[other.name][1], reads)
    ]
    if writers:
        return replace(bare, upstream=tuple(writers))
    external = dg.AssetSpec(
        asset_key(reads, file.path.parent),
        description=f"Read by tokenkit: {reads}",
        kinds={kind_of(reads)},
    )
    return replace(bare, upstream=(external.key,), external=external)


def _is_in(inner: Dataset | None, outer: Dataset) -> bool:
    return inner is not None and lies_in(inner, outer)


def _places(
    file: JobFile, environment: Mapping[str, str] | None
) -> tuple[Dataset | None, Dataset | None]:
    # What is to stand for a day or a file in two jobs must read the same in both.
    stand_ins = {name: name for name in (PARTITION, FILE, NAME)}
    try:
        bound = file.bound(stand_ins, environment=environment)
        inbox = file.inbox(environment=environment)
        return (bound.reads if inbox is None else of_folder(inbox)), bound.writes
    except JobError:
        return None, None


def _check_outputs(
    files: Iterable[JobFile], places: Mapping[str, tuple[Dataset | None, Dataset | None]]
) -> None:
    found: dict[Dataset, JobFile] = {}
    for file in files:
        writes = places[file.name][1]
        other = file if writes is None else found.setdefault(writes, file)
        if other is not file:
            raise JobError(
                f"the job {file.name} writes what {other.name} writes",
                file=str(file.path),
                hint="give each its own sink, or read both sources in one job",
            )
