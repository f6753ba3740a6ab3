"""A job file, and the job that it describes once its variables have values."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import TableSink, TableSource, TextOptions, find_connector
from tokenkit.jobs.destinations import destination_of
from tokenkit.jobs.job import Job
from tokenkit.jobs.job_file.fields import (
    FileSink,
    FileSource,
    InboxPartitions,
    JobFields,
    Partitions,
    TablePlace,
)
from tokenkit.jobs.job_file.variables import names_in, resolved
from tokenkit.jobs.objects.place import ObjectPlace, place_of
from tokenkit.jobs.origins import origin_of
from tokenkit.keys import Keyring
from tokenkit.lineage.datasets import Dataset
from tokenkit.policy import Policy, read_policy


@dataclass(frozen=True, slots=True)
class JobFile:
    """A job file, checked as far as that can be done before its variables have values.

    Attributes
    ----------
    path
        Where it is. Paths in it start from its folder.
    fields
        What stands in it, variables unresolved.

    Examples
    --------
    See :func:`read_job_file`.
    """

    path: Path
    fields: JobFields = field(repr=False)

    @property
    def name(self) -> str:
        """The job's name: what the file says, or the file's own."""
        return self.fields.name or default_name(self.path)

    @property
    def description(self) -> str:
        """What the job is for."""
        return self.fields.description

    @property
    def tags(self) -> Mapping[str, str]:
        """Labels for a pipeline."""
        return self.fields.tags

    @property
    def owners(self) -> tuple[str, ...]:
        """E-mail addresses, and teams as ``team:crm``."""
        return self.fields.owners

    @property
    def partitions(self) -> Partitions | None:
        """The days or the files that it is done for, one at a time, if it is."""
        return self.fields.partitions

    @property
    def schedule(self) -> str | None:
        """When it is done, as cron says."""
        return self.fields.schedule

    @property
    def variables(self) -> frozenset[str]:
        """The variables that need values."""
        fields = self.fields
        policy = fields.policy if isinstance(fields.policy, str) else None
        return names_in([fields.source.model_dump(), fields.sink.model_dump()]) | names_in(
            [fields.rejects, policy]
        )

    def inbox(self, *, environment: Mapping[str, str] | None = None) -> Path | None:
        """Give the folder whose files it is done for, one at a time; None if it isn't.

        Parameters
        ----------
        environment
            Where variables are looked up; default: the process's environment.

        Raises
        ------
        JobError
            If a variable has no value.
        """
        partitions = self.fields.partitions
        if not isinstance(partitions, InboxPartitions):
            return None
        known = os.environ if environment is None else environment
        return self.path.parent / str(resolved(partitions.inbox, known))

    def bound(
        self,
        variables: Mapping[str, str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> "BoundJob":
        """Give variables their values.

        Parameters
        ----------
        variables
            Values by name.
        environment
            Where those that aren't among them are looked up; default: the process's environment.

        Raises
        ------
        JobError
            If a variable has no value.
        """
        known = os.environ if environment is None else environment
        given = variables or {}
        values = {
            name: given[name] if name in given else known[name]
            for name in self.variables
            if name in given or name in known
        }
        return BoundJob(self, values)


@dataclass(frozen=True, slots=True)
class BoundJob:
    """A job file whose variables have values.

    Attributes
    ----------
    file
        The job file.

    Raises
    ------
    JobError
        If a variable has no value, a connector isn't there, or its options are wrong.
    """

    file: JobFile
    _values: Mapping[str, str] = field(repr=False)
    _source: "Path | ObjectPlace | TableSource" = field(init=False, repr=False)
    _sink: "Path | ObjectPlace | TableSink" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_source", self._opened_source())
        object.__setattr__(self, "_sink", self._opened_sink())

    @property
    def reads(self) -> Dataset:
        """What it reads, by its name in lineage; found without connecting."""
        return origin_of(self._source).dataset

    @property
    def writes(self) -> Dataset:
        """What it writes, by its name in lineage; found without connecting."""
        destination = destination_of(self._job(None))
        if destination is None:
            raise JobError("the job writes nothing", file=str(self.file.path))
        return destination.dataset

    def job(
        self,
        *,
        keyring: Keyring | None = None,
        limit: int | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> Job:
        """Give the job, to be done by :func:`tokenkit.jobs.run`.

        Parameters
        ----------
        keyring
            Where the keys are; default: the current keyring.
        limit
            Read only so many rows of each input; default: what the file says.
        dry_run
            Count, and write nothing.
        force
            Do again what has been done already.

        Raises
        ------
        PolicyError, SchemeError
            If the policy is wrong.
        """
        return self._job(self._policy(), keyring, limit=limit, dry_run=dry_run, force=force)

    def _job(
        self,
        policy: Policy | None,
        keyring: Keyring | None = None,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> Job:
        fields = self.file.fields
        sink = fields.sink
        suffix = sink.format if isinstance(sink, FileSink) else None
        return Job(
            operation=fields.operation,
            source=self._source,
            target=self._sink,
            policy=policy,
            keyring=keyring,
            mode=sink.mode,
            partition_by=sink.partition_by if isinstance(sink, FileSink) else (),
            output_format=None if suffix is None else f".{suffix.removeprefix('.')}",
            text=_text(fields.source),
            rejects=None if fields.rejects is None else self._rejects(fields.rejects),
            prove=fields.options.prove,
            limit=fields.options.limit if limit is None else limit,
            dry_run=dry_run,
            overwrite=fields.options.overwrite,
            force=force,
        )

    def _policy(self) -> Policy | None:
        policy = self.file.fields.policy
        if policy is None:
            return None
        return read_policy(self._path(policy) if isinstance(policy, str) else policy)

    def _opened_source(self) -> "Path | ObjectPlace | TableSource":
        source = self.file.fields.source
        if isinstance(source, FileSource):
            return self._place(source.path, source.storage_options)
        return find_connector(source.connector).open_source(self._options(source), self._folder)

    def _opened_sink(self) -> "Path | ObjectPlace | TableSink":
        sink = self.file.fields.sink
        if isinstance(sink, FileSink):
            return self._place(sink.path, sink.storage_options)
        return find_connector(sink.connector).open_sink(self._options(sink), self._folder)

    def _options(self, place: TablePlace) -> dict[str, object]:
        found: dict[str, object] = resolved(place.options, self._values)
        return found

    @property
    def _folder(self) -> Path:
        return self.file.path.parent

    def _rejects(self, written: str) -> Path | ObjectPlace:
        """Give the place of rejected rows; an object's store is told what the sink's is told."""
        fields = self.file.fields
        sides = [side for side in (fields.sink, fields.source) if not isinstance(side, TablePlace)]
        options = next((side.storage_options for side in sides if side.storage_options), {})
        return self._place(written, options)

    def _place(self, written: str, options: Mapping[str, str]) -> Path | ObjectPlace:
        place = place_of(str(resolved(written, self._values)), resolved(options, self._values))
        return place if isinstance(place, ObjectPlace) else self._folder / place

    def _path(self, written: str) -> Path:
        return self._folder / str(resolved(written, self._values))


def default_name(path: Path) -> str:
    """Name a job after its file.

    Examples
    --------
    >>> default_name(Path("jobs/Daily-Customers.yaml"))
    'daily_customers'
    """
    return path.name.partition(".")[0].lower().replace("-", "_")


def _text(source: FileSource | TablePlace) -> TextOptions:
    if not isinstance(source, FileSource):
        return TextOptions()
    return TextOptions(
        delimiter=source.delimiter,
        quote=source.quote,
        encoding=source.encoding,
        header=source.header,
        names=source.names,
        types=source.types,
    )
