"""Rows that many runs share: found, or made by whoever comes first.

Two processes may want the same new row at once. Rows are asked for first, since most are there;
what is missing is inserted unless another process has just done so, in an order that is the same
for all, so that no two wait for each other; and then asked for again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Table, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from tokenkit.lineage import ColumnEdge, Dataset, RunRecord
from tokenkit.store.models import Base, ColumnEdgeRow, DatasetRow, PolicyRow

_AT_ONCE = 300
"""SQLite takes 32,766 parameters at most, and older ones 999."""


def table_of(model: type[Base]) -> Table:
    """Give a model's table, for statements that need no session."""
    return cast("Table", model.__table__)


def remember_policy(connection: Connection, record: RunRecord, now: datetime) -> None:
    """Keep the policy of a run, if it isn't yet."""
    if record.policy_digest is None or record.policy is None:
        return
    there = select(PolicyRow.digest).where(PolicyRow.digest == record.policy_digest)
    if connection.execute(there).first() is None:
        row = {"digest": record.policy_digest, "content": record.policy, "first_seen": now}
        _insert_missing(connection, table_of(PolicyRow), [row])


def dataset_numbers(
    connection: Connection, datasets: Iterable[Dataset], now: datetime
) -> dict[Dataset, int]:
    """Give the numbers of datasets; new ones get one."""
    wanted = sorted(set(datasets))
    found = _datasets(connection, wanted)
    missing = [dataset for dataset in wanted if dataset not in found]
    if missing:
        rows = [
            {"namespace": dataset.namespace, "name": dataset.name, "first_seen": now}
            for dataset in missing
        ]
        _insert_missing(connection, table_of(DatasetRow), rows)
        found |= _datasets(connection, missing)
    return found


def way_numbers(connection: Connection, edges: Sequence[ColumnEdge], now: datetime) -> list[int]:
    """Give the numbers of the ways that columns take, in the order of the edges."""
    ends = dataset_numbers(
        connection, [end for edge in edges for end in (edge.input, edge.output)], now
    )
    keys = [
        (
            ends[edge.output],
            edge.output_column,
            ends[edge.input],
            edge.input_column,
            edge.action,
        )
        for edge in edges
    ]
    found = _ways(connection, keys)
    missing = sorted(set(keys) - found.keys())
    if missing:
        rows = [dict(zip(_WAY, key, strict=True)) for key in missing]
        _insert_missing(connection, table_of(ColumnEdgeRow), rows)
        found |= _ways(connection, missing)
    return [found[key] for key in keys]


_Way = tuple[int, str, int, str, str]
_WAY = (
    "output_dataset_id",
    "output_column",
    "input_dataset_id",
    "input_column",
    "action",
)


def _datasets(connection: Connection, wanted: Sequence[Dataset]) -> dict[Dataset, int]:
    found: dict[Dataset, int] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        names = [(each.namespace, each.name) for each in wanted[start : start + _AT_ONCE]]
        rows = connection.execute(
            select(DatasetRow.namespace, DatasetRow.name, DatasetRow.id).where(
                tuple_(DatasetRow.namespace, DatasetRow.name).in_(names)
            )
        )
        found |= {Dataset(row.namespace, row.name): row.id for row in rows}
    return found


def _ways(connection: Connection, keys: Sequence[_Way]) -> dict[_Way, int]:
    found: dict[_Way, int] = {}
    for output, source in sorted({(key[0], key[2]) for key in keys}):
        rows = connection.execute(
            select(
                ColumnEdgeRow.output_column,
                ColumnEdgeRow.input_column,
                ColumnEdgeRow.action,
                ColumnEdgeRow.id,
            ).where(
                ColumnEdgeRow.output_dataset_id == output,
                ColumnEdgeRow.input_dataset_id == source,
            )
        )
        found |= {
            (output, row.output_column, source, row.input_column, row.action): row.id
            for row in rows
        }
    return found


def _insert_missing(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).on_conflict_do_nothing(), list(rows))
