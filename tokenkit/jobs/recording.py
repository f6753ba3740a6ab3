"""What a job tells the recorder: its run, before a row is read and before anything is named."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, TypeVar
from uuid import uuid4

import polars as pl

from tokenkit.engines.column import ColumnCall
from tokenkit.jobs.destinations import Destination
from tokenkit.jobs.job import Job
from tokenkit.jobs.origins import origin_of
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.proving.inputs import WHOLE_JOB
from tokenkit.jobs.rejects.cells import restored
from tokenkit.jobs.rejects.places import rejects_dataset
from tokenkit.jobs.report import ColumnReport
from tokenkit.jobs.tallies import Counts
from tokenkit.jobs.targets import Target, digest_of
from tokenkit.keys import Keyring
from tokenkit.keys.strict_json import compact
from tokenkit.lineage import (
    ColumnEdge,
    Dataset,
    DatasetUse,
    Field,
    Recorder,
    Recording,
    RunRecord,
    Unrecorded,
    current_recorder,
)
from tokenkit.lineage.actor import actor
from tokenkit.lineage.naming import storable
from tokenkit.lineage.run_record import Action

_DISTRIBUTION: Final = "tokenkit-vaultless"
_T = TypeVar("_T")


class JobRun:
    """One run of a job, as the recorder is told of it.

    Parameters
    ----------
    job
        What is done.
    destination
        Where its outputs go; None if there are none, and then there's nothing to record.
    inputs
        The inputs, and what is done with the columns of each.
    run
        The run's id, which the outputs name.
    before
        The inputs' fingerprints.
    keyring
        Where the keys are.

    Raises
    ------
    StoreError
        If there is no recorder to be had.
    """

    def __init__(
        self,
        job: Job,
        destination: Destination | None,
        inputs: Sequence[Input],
        run: str,
        before: Sequence[list[object]],
        keyring: Keyring,
    ) -> None:
        self._job = job
        self._inputs = inputs
        self._run = run
        self._keyring = keyring
        self._recorder: Recorder = Unrecorded() if destination is None else current_recorder()
        self._source = origin_of(job.source).dataset
        self._output = self._source if destination is None else destination.dataset
        policy = job.policy
        self._begun = replace(
            begun(run, job.operation),
            policy_digest=None if policy is None else policy.digest,
            policy=None if policy is None else compact(policy.to_mapping()).decode("ascii"),
            inputs=(
                DatasetUse(
                    dataset=self._source,
                    fields=fields_of(
                        (name, item.source.types.get(name, dtype))
                        for item in inputs
                        for name, dtype in item.schema.items()
                    ),
                    fingerprint=digest_of((size, changed) for _, size, changed, _ in before),
                    files=len(inputs),
                    bytes=sum(int(str(size)) for _, size, _, _ in before),
                ),
            ),
            outputs=(DatasetUse(dataset=self._output, fields=self._output_fields()),),
        )

    def recording(self) -> AbstractContextManager[Recording]:
        """Begin to record."""
        return self._recorder.recording(self._begun, self._keyring)

    @contextlib.contextmanager
    def published(
        self,
        recording: Recording,
        counts: Counts,
        target: Target | None,
        size: int,
        proofs: Mapping[str, str],
    ) -> Iterator[None]:
        """Record the run before its outputs get their names in the block, and that they have them.

        Parameters
        ----------
        recording
            As :meth:`recording` gave it.
        counts
            What went through.
        target
            What holds the outputs, flushed.
        size
            Their size in bytes.
        proofs
            The digests of what was read, by column.
        """
        if target is None:
            yield
            return
        record = self._record(counts, target, size, proofs)
        with publishing(recording, record, target.is_published):
            yield

    def settle(self, read: int, written: int, rejected: int) -> None:
        """Complete the record of a run that was found done; rows alone are known of it."""
        record = self._begun
        [source], [output] = record.inputs, record.outputs
        record = replace(
            record,
            inputs=(replace(source, rows=read),),
            outputs=(replace(output, rows=written), *self._set_aside(rejected)),
            columns=self._edges({}, rejected),
            **self._rows(read, rejected),
        )
        self._recorder.settle(record, self._keyring)

    def _record(
        self, counts: Counts, target: Target, size: int, proofs: Mapping[str, str]
    ) -> RunRecord:
        record = self._begun
        [source], [output] = record.inputs, record.outputs
        extent = target.extent()
        accepted = replace(
            output,
            # Of a folder that others write to as well, one run knows its own part alone.
            fingerprint=extent.fingerprint if self._job.mode == "replace" else None,
            files=extent.files,
            metadata=extent.metadata,
            rows=counts.read - counts.rejected,
            bytes=size,
        )
        return replace(
            record,
            inputs=(replace(source, rows=counts.read),),
            outputs=(accepted, *self._set_aside(counts.rejected)),
            columns=self._edges(counts.columns, counts.rejected),
            proofs={WHOLE_JOB: {storable(name): mac for name, mac in proofs.items()}}
            if proofs
            else {},
            **self._rows(counts.read, counts.rejected),
        )

    def _rows(self, read: int, rejected: int) -> dict[str, Any]:
        return {
            "status": "publishing",
            "rows_read": read,
            "rows_written": read - rejected,
            "rows_rejected": rejected,
            "rejects": self._rejects.name if rejected else None,
        }

    @property
    def _rejects(self) -> Dataset:
        return rejects_dataset(self._job, self._run)

    def _set_aside(self, rejected: int) -> list[DatasetUse]:
        """Give the file of rejected rows: its columns are the source's, as it gives them back."""
        if not rejected:
            return []
        columns = ((name, restored(dtype)) for name, dtype in self._inputs[0].schema.items())
        return [DatasetUse(dataset=self._rejects, fields=fields_of(columns), rows=rejected)]

    def _output_fields(self) -> tuple[Field, ...]:
        return fields_of(
            (name, _output_type(item, name, call))
            for item in self._inputs
            for name, call in item.calls.by_column.items()
        )

    def _edges(self, counts: Mapping[str, ColumnReport], rejected: int) -> tuple[ColumnEdge, ...]:
        kept: dict[str, None] = {}
        turned: dict[str, list[ColumnCall]] = {}
        for item in self._inputs:
            for name, call in item.calls.by_column.items():
                if call is None:
                    kept[name] = None
                else:
                    turned.setdefault(name, []).append(call)
        edges = [self._edge(name, calls, counts.get(name)) for name, calls in turned.items()]
        edges += [self._way(name, self._output, "keep") for name in kept]
        if rejected:
            edges += [
                replace(
                    self._way(cell.column, self._rejects, "seal"),
                    key=None if cell.version is None else cell.version.name,
                    key_version=None if cell.version is None else cell.version.number,
                    key_id=None if cell.version is None else cell.version.id,
                    domain=cell.domain,
                )
                for cell in self._inputs[0].cells
            ]
        return tuple(edges)

    def _edge(
        self, name: str, calls: Sequence[ColumnCall], counts: ColumnReport | None
    ) -> ColumnEdge:
        return replace(
            self._way(name, self._output, self._job.operation),
            scheme=_shared(call.rule.scheme.name for call in calls),
            key=_shared(call.version.name for call in calls),
            key_version=_shared(call.version.number for call in calls),
            key_id=_shared(call.version.id for call in calls),
            domain=_shared(call.rule.domain for call in calls),
            counts=counts,
        )

    def _way(self, name: str, output: Dataset, action: Action) -> ColumnEdge:
        column = storable(name)
        return ColumnEdge(
            input=self._source,
            input_column=column,
            output=output,
            output_column=column,
            action=action,
        )


@contextlib.contextmanager
def publishing(
    recording: Recording, record: RunRecord, is_published: Callable[[], bool]
) -> Iterator[None]:
    """Record a run before its outputs get their names in the block, and that they have them.

    Parameters
    ----------
    recording, record
        Where to, and what.
    is_published
        Says, after an error, whether an output may have its name.
    """
    recording.prepare(record)
    try:
        yield
    except BaseException:
        if is_published():
            recording.leave_open()
        raise
    recording.complete()


def begun(run: str, operation: str) -> RunRecord:
    """Give the record of a run that begins now."""
    return RunRecord(
        id=uuid4(),
        job_run=run,
        operation=operation,
        status="running",
        started=datetime.now(UTC),
        actor=actor(),
        tokenkit_version=_version(),
    )


def fields_of(columns: Iterable[tuple[str, pl.DataType]]) -> tuple[Field, ...]:
    """Describe columns; of those that several files have, as the first one has them."""
    found: dict[str, Field] = {}
    for name, dtype in columns:
        if name not in found:
            found[name] = Field(storable(name), type_name(dtype))
    return tuple(found.values())


def type_name(dtype: pl.DataType) -> str:
    """Name a type as Polars does, without the values that an Enum lists.

    Examples
    --------
    >>> type_name(pl.Enum(["Ann", "Bob"])), type_name(pl.List(pl.Enum(["Ann"])))
    ('Enum', 'List(Enum)')
    >>> type_name(pl.Decimal(10, 2))
    'Decimal(precision=10, scale=2)'
    """
    if isinstance(dtype, pl.Enum | pl.Categorical):
        return type(dtype).__name__
    if isinstance(dtype, pl.List):
        return f"List({_inner(dtype.inner)})"
    if isinstance(dtype, pl.Array):
        return f"Array({_inner(dtype.inner)}, shape=({dtype.size},))"
    if isinstance(dtype, pl.Struct):
        fields = (f"'{storable(field.name)}': {_inner(field.dtype)}" for field in dtype.fields)
        return f"Struct({{{', '.join(fields)}}})"
    return str(dtype)


@cache
def _version() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


def _inner(dtype: object) -> str:
    return type_name(dtype) if isinstance(dtype, pl.DataType) else str(dtype)


def _output_type(item: Input, name: str, call: ColumnCall | None) -> pl.DataType:
    dtype = item.source.types.get(name, item.schema[name])
    if call is None or call.rule.output != "string":
        return dtype
    if call.operation == "detokenize":
        return _INTEGERS.get(call.rule.value_type or "", dtype)
    return pl.String()


_INTEGERS: Final[Mapping[str, pl.DataType]] = {
    f"{sign}int{bits}": getattr(pl, f"{'U' if sign else ''}Int{bits}")()
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}


def _shared(values: Iterable[_T]) -> _T | None:
    """Give what is the same for every file; None if it isn't."""
    found = set(values)
    return found.pop() if len(found) == 1 else None
