"""What can be told of all batches together: how long the queue is, and what was done so far."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from tokenkit.batches.batch import QueueFacts
from tokenkit.jobs import Report
from tokenkit.policy import ColumnRule, Policy
from tokenkit.store.models.batches import BatchRow, BatchTotalRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What is counted.

    Attributes
    ----------
    measure
        ``batches``, their ``rows``, or the ``values`` of their columns.
    outcome
        What became of them.
    operation, scheme, key
        Of values: what was done, by which scheme and under which key.
    """

    measure: str
    outcome: str
    operation: str = ""
    scheme: str = ""
    key: str = ""


def add_totals(connection: Connection, counts: Mapping[Total, int]) -> None:
    """Count what a batch came to, in the transaction that ends it."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # In one order everywhere, so that two transactions never wait for each other.
    for total in sorted(counts, key=lambda one: (one.measure, one.scheme, one.key, one.outcome)):
        if not counts[total]:
            continue
        new = insert(BatchTotalRow).values(
            measure=total.measure,
            operation=total.operation,
            scheme=total.scheme,
            key=total.key,
            outcome=total.outcome,
            count=counts[total],
        )
        grown = {"count": BatchTotalRow.count + new.excluded.count}
        connection.execute(
            new.on_conflict_do_update(
                index_elements=list(BatchTotalRow.__table__.primary_key), set_=grown
            )
        )


def read_totals(connection: Connection) -> dict[Total, int]:
    """Give what all batches have come to so far."""
    row = BatchTotalRow
    found = connection.execute(
        select(row.measure, row.outcome, row.operation, row.scheme, row.key, row.count)
    )
    return {
        Total(measure=measure, outcome=outcome, operation=operation, scheme=scheme, key=key): count
        for measure, outcome, operation, scheme, key, count in found
    }


def totals_of(report: Report, policy: Policy) -> dict[Total, int]:
    """Say what a complete batch came to."""
    counts = Counter(
        {
            Total(measure="batches", outcome="complete"): 1,
            Total(measure="rows", outcome="written"): report.rows_written,
            Total(measure="rows", outcome="rejected"): report.rows_rejected,
        }
    )
    for name, column in report.columns.items():
        rule = policy.fate(name)
        if not isinstance(rule, ColumnRule):
            continue
        for outcome, count in (("done", column.done), ("failed", column.invalid_count)):
            counts[
                Total(
                    measure="values",
                    outcome=outcome,
                    operation=report.operation,
                    scheme=column.scheme,
                    key=rule.key,
                )
            ] += count
    return counts


def queue_facts(connection: Connection, now: datetime) -> QueueFacts:
    """Say how long the queue is, and how old."""
    waiting = BatchRow.state == "queued"
    every, small, running, oldest = connection.execute(
        select(
            func.count().filter(waiting),
            func.count().filter(waiting, BatchRow.is_small),
            func.count().filter(BatchRow.state == "running"),
            func.min(BatchRow.queued).filter(waiting),
        ).where(BatchRow.state.in_(("queued", "running")))
    ).one()
    age = 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
    return QueueFacts(every, small, running, age)
