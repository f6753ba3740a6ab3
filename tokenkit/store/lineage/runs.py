"""Runs: lists of them, the newest first, and the one that an id means."""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, SelectBase, and_, or_, select, union_all

from tokenkit.errors import NotRecorded
from tokenkit.lineage import Dataset
from tokenkit.lineage.naming import storable
from tokenkit.lineage.run_record import Status
from tokenkit.store.models import DatasetRow, RunInputRow, RunOutputRow, RunRow

_HEX = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are wanted; None lets all through.

    Attributes
    ----------
    since, until
        Begun at or after, and before.
    status, operation, actor
        Exactly these.
    dataset_id
        Those that read or wrote this dataset.
    """

    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None
    operation: str | None = None
    actor: str | None = None
    dataset_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in one line; the attributes are those of :class:`~tokenkit.lineage.RunRecord`."""

    id: UUID
    job_run: str
    operation: str
    status: Status
    started: datetime
    ended: datetime | None
    actor: str
    rows_read: int
    rows_written: int
    rows_rejected: int
    error_code: str | None
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "id": str(self.id),
            "job_run": self.job_run,
            "operation": self.operation,
            "status": self.status,
            "started": self.started.isoformat(),
            "ended": None if self.ended is None else self.ended.isoformat(),
            "actor": self.actor,
            "rows_read": self.rows_read,
            "rows_written": self.rows_written,
            "rows_rejected": self.rows_rejected,
            "error_code": self.error_code,
            "inputs": [str(dataset) for dataset in self.inputs],
            "outputs": [str(dataset) for dataset in self.outputs],
        }


@dataclass(frozen=True, slots=True)
class Page:
    """Some runs, the newest first, and whether there are older ones."""

    runs: tuple[RunSummary, ...]
    more: bool


def list_runs(
    connection: Connection,
    wanted: RunFilter | None = None,
    *,
    limit: int = 20,
    after: UUID | None = None,
) -> Page:
    """List runs, the newest first.

    Parameters
    ----------
    connection
        To the store's database.
    wanted
        Which runs; default: all.
    limit
        How many at most.
    after
        Go on after this run, the last of the page before.

    Raises
    ------
    NotRecorded
        If the run to go on after isn't on record.
    StoreUnavailable
        If the database breaks off.
    """
    wanted = wanted or RunFilter()
    run = RunRow
    columns = (
        run.id, run.job_run, run.operation, run.status, run.started, run.ended, run.actor,
        run.rows_read, run.rows_written, run.rows_rejected, run.error_code,
    )  # fmt: skip
    conditions = [
        column == storable(value)
        for column, value in (
            (run.status, wanted.status),
            (run.operation, wanted.operation),
            (run.actor, wanted.actor),
        )
        if value is not None
    ]
    if wanted.since is not None:
        conditions.append(run.started >= wanted.since)
    if wanted.until is not None:
        conditions.append(run.started < wanted.until)
    if after is not None:
        place = connection.execute(select(run.started).where(run.id == after)).scalar()
        if place is None:
            raise _unknown(str(after))
        conditions.append(or_(run.started < place, and_(run.started == place, run.id < after)))
    query = select(*columns).where(*conditions)
    if wanted.dataset_id is not None:
        query = query.where(run.id.in_(_using(wanted.dataset_id)))
    query = query.order_by(run.started.desc(), run.id.desc()).limit(limit + 1)
    found = [RunSummary(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001
    return Page(_with_datasets(connection, found[:limit]), len(found) > limit)


def find_run(connection: Connection, text: str) -> UUID:
    """Find the run that an id, the beginning of one, or a job's run id means.

    Raises
    ------
    NotRecorded
        If it means none, or the beginning of an id means several.
    StoreUnavailable
        If the database breaks off.
    """
    digits = text.strip().lower().replace("-", "")
    if not _HEX.fullmatch(digits):
        raise NotRecorded(
            f"{text} is no run's id",
            hint="give four or more of its hexadecimal digits; `tokenkit lineage runs` shows ids",
        )
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    begun = select(RunRow.id).where(RunRow.id.between(first, last)).limit(2)
    found = list(connection.execute(begun).scalars())
    if not found:
        # The id that outputs name is the job's, which several runs may share: the newest is meant.
        named = select(RunRow.id).where(RunRow.job_run == digits).order_by(RunRow.started.desc())
        found = list(connection.execute(named.limit(1)).scalars())
    if not found:
        raise _unknown(text)
    if len(found) > 1:
        raise NotRecorded(f"several runs' ids begin with {text}", hint="give more of its digits")
    return found[0]


def _unknown(text: str) -> NotRecorded:
    return NotRecorded(
        f"no run {text} is recorded", hint="`tokenkit lineage runs` shows what is recorded"
    )


def _using(dataset_id: int) -> SelectBase:
    uses = union_all(
        *(
            select(use.run_id).where(use.dataset_id == dataset_id)
            for use in (RunInputRow, RunOutputRow)
        )
    ).subquery()
    return select(uses.c.run_id)


def _with_datasets(connection: Connection, runs: Sequence[RunSummary]) -> tuple[RunSummary, ...]:
    inputs, outputs = (
        _datasets(connection, use, [run.id for run in runs]) for use in (RunInputRow, RunOutputRow)
    )
    return tuple(
        dataclasses.replace(run, inputs=tuple(inputs[run.id]), outputs=tuple(outputs[run.id]))
        for run in runs
    )


def _datasets(
    connection: Connection, use: type[RunInputRow | RunOutputRow], ids: Iterable[UUID]
) -> defaultdict[UUID, list[Dataset]]:
    found: defaultdict[UUID, list[Dataset]] = defaultdict(list)
    query = (
        select(use.run_id, DatasetRow.namespace, DatasetRow.name)
        .join(DatasetRow, DatasetRow.id == use.dataset_id)
        .where(use.run_id.in_(list(ids)))
        .order_by(DatasetRow.namespace, DatasetRow.name)
    )
    for run, namespace, name in connection.execute(query):
        found[run].append(Dataset(namespace, name))
    return found
