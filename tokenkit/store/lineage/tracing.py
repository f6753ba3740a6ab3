"""Where columns come from, and what became of them: walks over the ways of columns.

A walk is one recursive query. It takes each way once, so that circles end it; it goes nearest
first; and it stops at a limit, since an old dataset's lineage can be larger than anybody reads.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    Integer,
    ScalarSelect,
    Select,
    Text,
    bindparam,
    func,
    select,
    true,
)
from sqlalchemy.orm import aliased

from tokenkit.lineage.graph import Graph, Trace, Way
from tokenkit.store.lineage.resolving import Found
from tokenkit.store.lineage.ways import described, way
from tokenkit.store.models import ColumnEdgeRow, ColumnRunRow, RunRow

WAYS = 1_000
"""How many ways a walk takes in each direction if nothing else is said."""

# A failed run wrote nothing; one that is publishing may have.
_WRITTEN = ("publishing", "complete")

# PostgreSQL can't know how far a walk goes. It guesses too far, and then compiles code for a
# second, or reads whole tables for a few rows. These are off until the transaction ends.
_UNGUESSABLE = ("jit", "enable_hashjoin", "enable_mergejoin")


def trace(
    connection: Connection,
    found: Found,
    *,
    upstream: bool = True,
    downstream: bool = True,
    depth: int | None = None,
    limit: int = WAYS,
) -> Trace:
    """Follow a dataset's columns, or one of them, to where they come from and where they went.

    Parameters
    ----------
    connection
        To the store's database.
    found
        What :func:`~tokenkit.store.lineage.resolve` gave.
    upstream, downstream
        Which ways to go.
    depth
        How many steps to go at most.
    limit
        How many ways to take at most, in each direction; the nearest come first.

    Raises
    ------
    StoreUnavailable
        If the database breaks off.
    """
    directions: list[tuple[Way, ...] | None] = []
    truncated = False
    for wanted, up in ((upstream, True), (downstream, False)):
        ways, more = _walked(connection, found, up, depth, limit) if wanted else (None, False)
        directions.append(ways)
        truncated = truncated or more
    return Trace(
        dataset=found.dataset,
        column=found.column,
        upstream=directions[0],
        downstream=directions[1],
        truncated=truncated,
    )


def newest(connection: Connection, *, runs: int = 100) -> Graph:
    """Give the ways that the newest runs took."""
    prepare(connection)
    ids = (
        select(RunRow.id)
        .where(RunRow.status.in_(_WRITTEN))
        .order_by(RunRow.started.desc(), RunRow.id.desc())
        .limit(runs + 1)
    )
    chosen = [row.id for row in connection.execute(ids)]
    rows = connection.execute(
        described(
            select(ColumnRunRow.edge_id.label("id"), ColumnRunRow.run_id.label("run"))
            .where(ColumnRunRow.run_id.in_(chosen[:runs]))
            .subquery()
        )
    )
    latest: dict[int, Any] = {}
    for row in rows:
        if row.id not in latest or row.started > latest[row.id].started:
            latest[row.id] = row
    ways = tuple(way(row, 1) for row in sorted(latest.values(), key=lambda row: row.id))
    return Graph(ways=ways, truncated=len(chosen) > runs)


def prepare(connection: Connection) -> bool:
    """Set what walks need until the transaction ends; gives whether the database knows LATERAL."""
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(select(*(func.set_config(name, "off", True) for name in _UNGUESSABLE)))
    return True


@cache
def walk(*, upstream: bool, one_column: bool, lateral: bool) -> Executable:
    """Build the query of a walk: one row a way, the nearest first.

    Its parameters are ``dataset``, ``column`` if it starts at one, and ``rows``: how many ways.

    Parameters
    ----------
    upstream
        Which way to go.
    one_column
        Whether to start at one column rather than all of a dataset.
    lateral
        Whether the database knows LATERAL.
    """
    near, far = ("output", "input") if upstream else ("input", "output")
    rows: Any = bindparam("rows", type_=Integer)

    def ways_of(dataset: Any, name: Any) -> Select[Any]:
        edge = aliased(ColumnEdgeRow)
        found = select(
            edge.id,
            getattr(edge, f"{far}_dataset_id").label("dataset_id"),
            getattr(edge, f"{far}_column").label("name"),
        ).where(getattr(edge, f"{near}_dataset_id") == dataset)
        if name is not None:
            found = found.where(getattr(edge, f"{near}_column") == name)
        # However many ways a column has, no more of them than can be taken are looked at.
        return found.limit(rows)

    start = ways_of(
        bindparam("dataset", type_=BigInteger),
        bindparam("column", type_=Text) if one_column else None,
    )
    walked = select(start.subquery("start")).cte("walked", recursive=True)
    onward = ways_of(walked.c.dataset_id, walked.c.name)
    if lateral:
        following: Any = onward.lateral("following")
        step = select(following).join_from(walked, following, true())
    else:
        edge = aliased(ColumnEdgeRow)
        step = select(
            edge.id, getattr(edge, f"{far}_dataset_id"), getattr(edge, f"{far}_column")
        ).join_from(walked, edge, edge.id.in_(onward.with_only_columns(onward.selected_columns[0])))
    walked = walked.union(step)
    taken = select(walked.c.id, _last_run(walked.c.id).label("run")).limit(
        bindparam("rows", type_=Integer)
    )
    return described(taken.subquery("taken"))


def _last_run(edge_id: Any) -> ScalarSelect[Any]:
    return (
        select(ColumnRunRow.run_id)
        .join(RunRow, RunRow.id == ColumnRunRow.run_id)
        .where(ColumnRunRow.edge_id == edge_id, RunRow.status.in_(_WRITTEN))
        .order_by(ColumnRunRow.started.desc(), ColumnRunRow.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _walked(
    connection: Connection, found: Found, upstream: bool, depth: int | None, limit: int
) -> tuple[tuple[Way, ...], bool]:
    lateral = prepare(connection)
    query = walk(upstream=upstream, one_column=found.column is not None, lateral=lateral)
    start = {"dataset": found.id, "column": found.column, "rows": limit + 1}
    rows = connection.execute(query, start).all()
    distances = _distances(rows, found, upstream)
    # Ways were numbered in the order of their columns when they were first recorded.
    reached = sorted(
        (row for row in rows if row.id in distances), key=lambda row: (distances[row.id], row.id)
    )
    more = len(rows) > limit
    if depth is not None and reached and distances[reached[-1].id] > depth:
        # Something farther was reached, so everything within the depth was.
        reached, more = [row for row in reached if distances[row.id] <= depth], False
    return tuple(way(row, distances[row.id]) for row in reached[:limit]), more


def _distances(rows: Sequence[Any], found: Found, upstream: bool) -> dict[int, int]:
    """Give the number of steps to each way, by going from column to column."""
    near, far = ("output", "input") if upstream else ("input", "output")
    onward: defaultdict[tuple[int, str], list[Any]] = defaultdict(list)
    for row in rows:
        if row.run is None:
            # Only failed runs took it: a way nowhere, and so is what lies behind it.
            continue
        mapping = row._mapping  # noqa: SLF001 - SQLAlchemy's public way to name a row's columns
        onward[mapping[f"{near}_id"], mapping[f"{near}_column"]].append(
            (row.id, (mapping[f"{far}_id"], mapping[f"{far}_column"]))
        )
    distances: dict[int, int] = {}
    reached = {
        node
        for node in onward
        if node[0] == found.id and (found.column is None or node[1] == found.column)
    }
    frontier, distance = list(reached), 0
    while frontier:
        distance += 1
        following = []
        for node in frontier:
            for edge, target in onward[node]:
                distances.setdefault(edge, distance)
                if target not in reached and target in onward:
                    reached.add(target)
                    following.append(target)
        frontier = following
    return distances
