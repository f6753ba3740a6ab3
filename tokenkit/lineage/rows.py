"""The rows that a run record comes down to: plain values by the tables' column names."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from tokenkit.keys.strict_json import compact
from tokenkit.lineage.audit_record import AuditRecord
from tokenkit.lineage.canonical import digest
from tokenkit.lineage.datasets import DatasetUse
from tokenkit.lineage.run_record import ColumnEdge, RunRecord

Row: TypeAlias = dict[str, Any]


def run_row(record: RunRecord) -> Row:
    """Give the row of the run itself."""
    return {
        "id": record.id,
        "job_run": record.job_run,
        "operation": record.operation,
        "status": record.status,
        "started": record.started,
        "ended": record.ended,
        "actor": record.actor,
        "tokenkit_version": record.tokenkit_version,
        "policy_digest": record.policy_digest,
        "rows_read": record.rows_read,
        "rows_written": record.rows_written,
        "rows_rejected": record.rows_rejected,
        "rejects": record.rejects,
        "error_code": record.error_code,
        "proofs": {file: dict(columns) for file, columns in record.proofs.items()},
    }


def use_row(record: RunRecord, use: DatasetUse, dataset: int) -> Row:
    """Give the row of a dataset that the run read or wrote, by the dataset's number."""
    return {
        "run_id": record.id,
        "dataset_id": dataset,
        "started": record.started,
        "fields": [[field.name, field.type] for field in use.fields],
        "fingerprint": use.fingerprint,
        "files": use.files,
        "rows": use.rows,
        "bytes": use.bytes,
    }


def output_row(record: RunRecord, use: DatasetUse, dataset: int) -> Row:
    """Give the row of a dataset that the run wrote, by the dataset's number."""
    return {**use_row(record, use, dataset), "table_metadata": use.metadata}


def way_row(record: RunRecord, edge: ColumnEdge, way: int) -> Row:
    """Give the row of what the run did on a column's way, by the way's number."""
    counts = edge.counts
    return {
        "run_id": record.id,
        "edge_id": way,
        "started": record.started,
        "scheme": edge.scheme,
        "key": edge.key,
        "key_version": edge.key_version,
        "key_id": edge.key_id,
        "domain": edge.domain,
        "done": None if counts is None else counts.done,
        "nulls": None if counts is None else counts.null,
        "empty": None if counts is None else counts.empty,
        "literal": None if counts is None else counts.literal,
        "sealed": None if counts is None else counts.sealed,
        "invalid": None if counts is None else dict(counts.invalid),
    }


def audit_of(
    record: RunRecord,
    outcome: str,
    at: datetime,
    detail: Mapping[str, object] | None = None,
    *,
    with_digest: bool = True,
) -> list[AuditRecord]:
    """Give the audit records of a run that has come so far.

    Parameters
    ----------
    record
        The run.
    outcome
        How far it is: ``prepared``, with one record for each key version; or ``complete`` or
        ``failed``, with one alone.
    at
        When.
    detail
        Further facts, beside the digest of the record.
    with_digest
        Whether the whole record is known, so that its digest is among the facts.

    Examples
    --------
    >>> from datetime import UTC
    >>> from uuid import UUID
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> record = RunRecord(id=UUID(int=1), job_run="00" * 16, operation="tokenize", actor="ann",
    ...     status="publishing", started=now, tokenkit_version="1.0")
    >>> [found.outcome for found in audit_of(record, "prepared", now)]
    ['prepared']
    """
    facts = {**({"digest": digest(record)} if with_digest else {}), **(detail or {})}
    whole = AuditRecord(
        at=at,
        actor=record.actor,
        action=record.operation,
        outcome=outcome,
        object=str(record.outputs[0].dataset) if record.outputs else None,
        run=str(record.id),
        reason=record.error_code,
        detail=compact(facts).decode("ascii"),
    )
    if outcome != "prepared":
        return [whole]
    counts: dict[tuple[str, int | None], int | None] = {}
    for edge in record.columns:
        if edge.key is not None:
            version = (edge.key, edge.key_id)
            done = _done(record, edge)
            known = counts.get(version, 0)
            counts[version] = None if known is None or done is None else known + done
    return [
        AuditRecord(
            at=at,
            actor=whole.actor,
            action=whole.action,
            outcome=outcome,
            object=whole.object,
            run=whole.run,
            key=key,
            key_id=key_id,
            count=count,
            detail=whole.detail,
        )
        for (key, key_id), count in sorted(counts.items(), key=str)
    ] or [whole]


def _done(record: RunRecord, edge: ColumnEdge) -> int | None:
    """Give how many values were turned under the edge's key version; None if nobody knows."""
    if edge.action == "seal":
        return record.rows_rejected
    return None if edge.counts is None else edge.counts.done + edge.counts.sealed
