"""Ways of columns as the tables hold them, and as lineage names them."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Executable, and_, select
from sqlalchemy.orm import aliased

from tokenkit.lineage import ColumnCounts, ColumnEdge, Dataset
from tokenkit.lineage.graph import Way
from tokenkit.store.models import ColumnEdgeRow, ColumnRunRow, DatasetRow, RunRow


def described(taken: Any) -> Executable:
    """Build the query of the facts of ways: ``taken`` has their ids, and a run of each or none."""
    source, target = aliased(DatasetRow), aliased(DatasetRow)
    return (
        select(
            ColumnEdgeRow.id,
            source.id.label("input_id"),
            source.namespace.label("input_namespace"),
            source.name.label("input_name"),
            ColumnEdgeRow.input_column,
            target.id.label("output_id"),
            target.namespace.label("output_namespace"),
            target.name.label("output_name"),
            ColumnEdgeRow.output_column,
            ColumnEdgeRow.action,
            ColumnRunRow.scheme,
            ColumnRunRow.key,
            ColumnRunRow.key_version,
            ColumnRunRow.key_id,
            ColumnRunRow.domain,
            ColumnRunRow.done,
            ColumnRunRow.null.label("null_count"),
            ColumnRunRow.empty,
            ColumnRunRow.literal,
            ColumnRunRow.sealed,
            ColumnRunRow.invalid,
            taken.c.run,
            RunRow.operation,
            RunRow.status,
            RunRow.started,
            RunRow.actor,
            RunRow.policy_digest,
            RunRow.rows_read,
            RunRow.rows_written,
            RunRow.rows_rejected,
        )
        .join_from(taken, ColumnEdgeRow, ColumnEdgeRow.id == taken.c.id)
        .outerjoin(RunRow, RunRow.id == taken.c.run)
        # The start adds nothing but lets either index do, whichever one a planner picks.
        .outerjoin(
            ColumnRunRow,
            and_(
                ColumnRunRow.run_id == taken.c.run,
                ColumnRunRow.edge_id == taken.c.id,
                ColumnRunRow.started == RunRow.started,
            ),
        )
        .join(source, source.id == ColumnEdgeRow.input_dataset_id)
        .join(target, target.id == ColumnEdgeRow.output_dataset_id)
    )


@lru_cache(maxsize=4_096)
def _dataset(namespace: str, name: str) -> Dataset:
    # Many ways lead to few datasets.
    return Dataset(namespace, name)


def column_edge(row: Any) -> ColumnEdge:
    """Read a way of a row of :func:`described`."""
    counts = None
    if row.done is not None:
        counts = ColumnCounts(
            done=row.done,
            null=row.null_count,
            empty=row.empty,
            literal=row.literal,
            sealed=row.sealed,
            invalid=row.invalid or {},
        )
    return ColumnEdge(
        input=_dataset(row.input_namespace, row.input_name),
        input_column=row.input_column,
        output=_dataset(row.output_namespace, row.output_name),
        output_column=row.output_column,
        action=row.action,
        scheme=row.scheme,
        key=row.key,
        key_version=row.key_version,
        key_id=row.key_id,
        domain=row.domain,
        counts=counts,
    )


def way(row: Any, distance: int) -> Way:
    """Read a way and its run of a row of :func:`described`."""
    return Way(
        edge=column_edge(row),
        run=row.run,
        operation=row.operation,
        status=row.status,
        started=row.started,
        actor=row.actor,
        policy_digest=row.policy_digest,
        rows_read=row.rows_read,
        rows_written=row.rows_written,
        rows_rejected=row.rows_rejected,
        distance=distance,
    )
