"""A run explained years later: the whole record, and whether it is still what was recorded."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, select

from tokenkit.errors import NotRecorded
from tokenkit.lineage import Dataset, DatasetUse, Field, RunRecord
from tokenkit.lineage.canonical import digest
from tokenkit.store.lineage.ways import column_edge, described
from tokenkit.store.models import (
    AuditEntry,
    ColumnRunRow,
    DatasetRow,
    PolicyRow,
    RunInputRow,
    RunOutputRow,
    RunRow,
)

_OUTCOMES = {"complete", "failed"}


@dataclass(frozen=True, slots=True)
class Integrity:
    """Whether a run's record is what the audit log says it was.

    Attributes
    ----------
    verdict
        ``"intact"``, ``"altered"``, or ``"unknown"``, if the audit log holds no digest of it.
    digest
        Of the record as it is now: SHA-256 of its canonical form, in hexadecimal digits.
    recorded, at
        The newest digest in the audit log, and when it was written there.
    altered
        What is not what it was: ``"record"``, ``"status"``, ``"policy"``.
    """

    verdict: Literal["intact", "altered", "unknown"]
    digest: str
    recorded: str | None = None
    at: datetime | None = None
    altered: tuple[str, ...] = ()


def load_run(connection: Connection, run: UUID) -> RunRecord:
    """Put a run's record together again from the tables.

    Raises
    ------
    NotRecorded
        If there is no such run.
    StoreUnavailable
        If the database breaks off.
    """
    query = (
        select(RunRow.__table__, PolicyRow.content.label("policy"))
        .outerjoin(PolicyRow, PolicyRow.digest == RunRow.policy_digest)
        .where(RunRow.id == run)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotRecorded(
            f"no run {run} is recorded", hint="`tokenkit lineage runs` shows what is recorded"
        )
    outputs = _uses(connection, RunOutputRow, run)
    taken = (
        select(ColumnRunRow.edge_id.label("id"), ColumnRunRow.run_id.label("run"))
        .where(ColumnRunRow.run_id == run)
        .subquery()
    )
    edges = [column_edge(way) for way in connection.execute(described(taken))]
    places = {
        (use.dataset, field.name): (number, place)
        for number, use in enumerate(outputs)
        for place, field in enumerate(use.fields)
    }
    edges.sort(
        key=lambda edge: (
            places.get((edge.output, edge.output_column), (len(outputs), 0)),
            edge.output_column,
            edge.input,
            edge.input_column,
        )
    )
    return RunRecord(
        **dict(row._mapping),  # noqa: SLF001 - SQLAlchemy's public name of a row's columns
        inputs=_uses(connection, RunInputRow, run),
        outputs=outputs,
        columns=tuple(edges),
    )


def check(connection: Connection, record: RunRecord) -> Integrity:
    """Compare a run's record with the digest of it in the audit log.

    This is worth as much as the audit log: ``tokenkit audit verify`` says whether that was altered.

    Raises
    ------
    StoreUnavailable
        If the database breaks off.
    """
    now = digest(record)
    entry = AuditEntry
    query = (
        select(entry.at, entry.outcome, entry.detail)
        .where(entry.run == str(record.id))
        .order_by(entry.batch, entry.position)
    )
    entries = connection.execute(query).all()
    recorded = [(found, row.at) for row in entries if (found := _digest_in(row.detail)) is not None]
    outcomes = {row.outcome for row in entries} & _OUTCOMES
    altered = []
    if any(found != now for found, _ in recorded):
        altered.append("record")
    # The status changes after the record is taken; the audit log has a record of each change.
    if recorded and outcomes != {record.status} & _OUTCOMES:
        altered.append("status")
    if (
        record.policy is not None
        and hashlib.sha256(record.policy.encode()).hexdigest() != record.policy_digest
    ):
        altered.append("policy")
    newest, at = recorded[-1] if recorded else (None, None)
    verdict: Literal["intact", "altered", "unknown"] = "intact" if recorded else "unknown"
    return Integrity("altered" if altered else verdict, now, newest, at, tuple(altered))


def _digest_in(detail: str | None) -> str | None:
    try:
        read = json.loads(detail or "")
    except ValueError:
        return None
    found = read.get("digest") if isinstance(read, dict) else None
    return found if isinstance(found, str) else None


def _uses(
    connection: Connection, use: type[RunInputRow | RunOutputRow], run: UUID
) -> tuple[DatasetUse, ...]:
    query = (
        select(use.__table__, DatasetRow.namespace, DatasetRow.name)
        .join(DatasetRow, DatasetRow.id == use.dataset_id)
        .where(use.run_id == run)
        .order_by(DatasetRow.namespace, DatasetRow.name)
    )
    return tuple(_use(row) for row in connection.execute(query))


def _use(row: Any) -> DatasetUse:
    return DatasetUse(
        dataset=Dataset(row.namespace, row.name),
        fields=tuple(_field(field) for field in row.fields),
        fingerprint=row.fingerprint,
        files=row.files,
        rows=row.rows,
        bytes=row.bytes,
    )


def _field(stored: Any) -> Field:
    if isinstance(stored, dict):
        return Field(stored["name"], stored["type"])
    return Field(*stored)
