"""The one spelling of a run record, which the audit log holds the digest of.

It can be written again from the tables, years later, so it covers what stays as it is once the
record is taken. Three fields change after that, and are left out: ``status``, ``ended`` and
``error_code``, of which the audit log has records of its own. The policy's text is covered through
its digest, which is the SHA-256 of that text.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from tokenkit.keys.strict_json import compact
from tokenkit.lineage.datasets import DatasetUse
from tokenkit.lineage.run_record import ColumnEdge, RunRecord

_FORM: Final = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical(record: RunRecord) -> bytes:
    """Write a run record as JSON in one spelling.

    The order of inputs, outputs, columns and of every mapping doesn't matter; that of a dataset's
    fields does. Moments count in whole microseconds since 1970, in UTC.

    Examples
    --------
    >>> from uuid import UUID
    >>> record = RunRecord(id=UUID(int=1), job_run="00" * 16, operation="tokenize", actor="ann",
    ...     status="publishing", started=datetime(2026, 1, 1, tzinfo=UTC), tokenkit_version="1.0")
    >>> canonical(record)[:60]
    b'{"actor":"ann","columns":[],"form":1,"id":"00000000-0000-000'
    """
    return compact(
        {
            "form": _FORM,
            "id": str(record.id),
            "job_run": record.job_run,
            "operation": record.operation,
            "started": (record.started - _EPOCH) // timedelta(microseconds=1),
            "actor": record.actor,
            "tokenkit_version": record.tokenkit_version,
            "policy_digest": record.policy_digest,
            "inputs": _in_order(_use(use) for use in record.inputs),
            "outputs": _in_order(_use(use) for use in record.outputs),
            "columns": _in_order(_edge(edge) for edge in record.columns),
            "rows_read": record.rows_read,
            "rows_written": record.rows_written,
            "rows_rejected": record.rows_rejected,
            "rejects": record.rejects,
            "proofs": {file: dict(columns) for file, columns in record.proofs.items()},
        }
    )


def digest(record: RunRecord) -> str:
    """Give the SHA-256 of :func:`canonical`, in hexadecimal digits.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from uuid import UUID
    >>> record = RunRecord(id=UUID(int=1), job_run="00" * 16, operation="tokenize", actor="ann",
    ...     status="publishing", started=datetime(2026, 1, 1, tzinfo=UTC), tokenkit_version="1.0")
    >>> digest(record) == digest(replace(record, status="complete"))
    True
    """
    return hashlib.sha256(canonical(record)).hexdigest()


def _in_order(items: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return sorted(items, key=compact)


def _use(use: DatasetUse) -> dict[str, object]:
    return {
        "namespace": use.dataset.namespace,
        "name": use.dataset.name,
        "fields": [[field.name, field.type] for field in use.fields],
        "fingerprint": use.fingerprint,
        "files": use.files,
        "rows": use.rows,
        "bytes": use.bytes,
        # Absent where there is none, as in the records of before there was any.
        **({} if use.metadata is None else {"metadata": use.metadata}),
    }


def _edge(edge: ColumnEdge) -> dict[str, object]:
    return {
        "input": [edge.input.namespace, edge.input.name, edge.input_column],
        "output": [edge.output.namespace, edge.output.name, edge.output_column],
        "action": edge.action,
        "scheme": edge.scheme,
        "key": edge.key,
        "key_version": edge.key_version,
        "key_id": edge.key_id,
        "domain": edge.domain,
        "counts": None if edge.counts is None else edge.counts.to_mapping(),
    }
