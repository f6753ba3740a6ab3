"""Run records for tests, and the rows of them in the store's tables."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import insert, select, text

from tokenkit.lineage import ColumnCounts, ColumnEdge, Dataset, DatasetUse, Field, RunRecord
from tokenkit.lineage.canonical import digest
from tokenkit.store.models import (
    AuditEntry,
    ColumnEdgeRow,
    ColumnRunRow,
    DatasetRow,
    PolicyRow,
    RunInputRow,
    RunOutputRow,
    RunRow,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

START = datetime(2026, 11, 1, 2, tzinfo=UTC)
POLICY = '{"columns":{"card":{"key":"payments","scheme":"credit-card"}}}'


def file(name: str) -> Dataset:
    """A file of the folder /data, or with an absolute path."""
    return Dataset("file", name if name.startswith("/") else f"/data/{name}")


def edge(
    source: Dataset, column: str, target: Dataset, name: str | None = None, **how: Any
) -> ColumnEdge:
    """A way on which values became tokens, unless something else is said."""
    done = {
        "action": "tokenize",
        "scheme": "credit-card",
        "key": "payments",
        "key_version": 1,
        "key_id": 77,
        "domain": "credit-card",
        "counts": ColumnCounts(done=90, null=5, empty=3, invalid={"length": 2}),
    }
    if how.get("action") == "keep":
        done = dict.fromkeys(done)
    return ColumnEdge(
        input=source,
        input_column=column,
        output=target,
        output_column=name or column,
        **{**done, **how},
    )


def record(number: int, *edges: ColumnEdge, **facts: Any) -> RunRecord:
    """Run ``number``, begun so many minutes after the first, with these ways."""
    inputs = dict.fromkeys(edge.input for edge in edges)
    outputs = dict.fromkeys(edge.output for edge in edges)
    given: dict[str, Any] = {
        "id": UUID(int=(number + 1) << 96 | number),
        "job_run": f"{number:032x}",
        "operation": "tokenize",
        "status": "complete",
        "started": START + timedelta(minutes=number),
        "ended": START + timedelta(minutes=number, seconds=30),
        "actor": "ann",
        "tokenkit_version": "0.1.0",
        "inputs": tuple(
            _use(one, [e.input_column for e in edges if e.input == one]) for one in inputs
        ),
        "outputs": tuple(
            _use(one, [e.output_column for e in edges if e.output == one]) for one in outputs
        ),
        "columns": edges,
        "rows_read": 100,
        "rows_written": 98,
        "rows_rejected": 2,
    }
    return RunRecord(**{**given, **facts})


def with_policy(policy: str = POLICY) -> dict[str, str]:
    """The facts of a policy."""
    return {"policy": policy, "policy_digest": hashlib.sha256(policy.encode()).hexdigest()}


def store(connection: Connection, *records: RunRecord) -> None:
    """Put records into the tables."""
    for one in records:
        if one.policy is not None:
            known = select(PolicyRow.digest).where(PolicyRow.digest == one.policy_digest)
            if connection.execute(known).first() is None:
                row = {"digest": one.policy_digest, "content": one.policy}
                connection.execute(insert(PolicyRow).values(**row, first_seen=one.started))
        facts = (
            "id", "job_run", "operation", "status", "started", "ended", "actor", "rejects",
            "tokenkit_version", "policy_digest", "rows_read", "rows_written", "rows_rejected",
            "error_code",
        )  # fmt: skip
        proofs = {name: dict(columns) for name, columns in one.proofs.items()}
        connection.execute(
            insert(RunRow).values(**{name: getattr(one, name) for name in facts}, proofs=proofs)
        )
        for table, uses in ((RunInputRow, one.inputs), (RunOutputRow, one.outputs)):
            for use in uses:
                connection.execute(
                    insert(table).values(
                        run_id=one.id,
                        dataset_id=_dataset(connection, use.dataset, one.started),
                        started=one.started,
                        fields=[[field.name, field.type] for field in use.fields],
                        fingerprint=use.fingerprint,
                        files=use.files,
                        rows=use.rows,
                        bytes=use.bytes,
                    )
                )
        for way in one.columns:
            _way(connection, one, way)


def log(
    connection: Connection, run: RunRecord, outcome: str, *, number: int = 1, **detail: Any
) -> None:
    """Put a record of a run into the audit log; its chain is another test's business."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT tokenkit_audit_partition(:at)"), {"at": run.started})
    connection.execute(
        insert(AuditEntry).values(
            batch=number,
            position=1,
            at=run.started,
            actor=run.actor,
            action=run.operation,
            outcome=outcome,
            run=str(run.id),
            detail=json.dumps(detail or {"digest": digest(run)}),
            hash=bytes(32),
        )
    )


def _use(dataset: Dataset, columns: list[str]) -> DatasetUse:
    fields = tuple(Field(name, "String") for name in dict.fromkeys(columns))
    return DatasetUse(dataset=dataset, fields=fields, fingerprint="ab" * 32, rows=100, bytes=2_048)


def _dataset(connection: Connection, dataset: Dataset, seen: datetime) -> int:
    known = select(DatasetRow.id).where(
        DatasetRow.namespace == dataset.namespace, DatasetRow.name == dataset.name
    )
    found = connection.execute(known).scalar()
    if found is None:
        connection.execute(
            insert(DatasetRow).values(
                namespace=dataset.namespace, name=dataset.name, first_seen=seen
            )
        )
        found = connection.execute(known).scalar_one()
    return found


def _way(connection: Connection, run: RunRecord, way: ColumnEdge) -> None:
    facts = {
        "input_dataset_id": _dataset(connection, way.input, run.started),
        "input_column": way.input_column,
        "output_dataset_id": _dataset(connection, way.output, run.started),
        "output_column": way.output_column,
        "action": way.action,
    }
    known = select(ColumnEdgeRow.id).filter_by(**facts)
    found = connection.execute(known).scalar()
    if found is None:
        connection.execute(insert(ColumnEdgeRow).values(**facts))
        found = connection.execute(known).scalar_one()
    counts = way.counts
    connection.execute(
        insert(ColumnRunRow).values(
            run_id=run.id,
            edge_id=found,
            started=run.started,
            scheme=way.scheme,
            key=way.key,
            key_version=way.key_version,
            key_id=way.key_id,
            domain=way.domain,
            done=counts and counts.done,
            null=counts and counts.null,
            empty=counts and counts.empty,
            literal=counts and counts.literal,
            sealed=counts and counts.sealed,
            invalid=counts and dict(counts.invalid),
        )
    )
