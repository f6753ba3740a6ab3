"""The graph of lineage: the ways of columns, and the newest run that took each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.run_record import ColumnEdge, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The way of one column's values, as the newest run that took it left it.

    Attributes
    ----------
    edge
        From which column to which, how, and with what counts.
    run, operation, status, started, actor
        The newest run that took it and didn't fail.
    policy_digest
        The digest of its policy; None if there was none.
    rows_read, rows_written, rows_rejected
        The rows of that run.
    distance
        How many steps it is from what was asked about: 1 is the nearest.
    """

    edge: ColumnEdge
    run: UUID
    operation: str
    status: Status
    started: datetime
    actor: str
    policy_digest: str | None = None
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    distance: int = 1

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "distance": self.distance,
            **edge_json(self.edge),
            "run": {
                "id": str(self.run),
                "operation": self.operation,
                "status": self.status,
                "started": self.started.isoformat(),
                "actor": self.actor,
                "policy_digest": self.policy_digest,
                "rows_read": self.rows_read,
                "rows_written": self.rows_written,
                "rows_rejected": self.rows_rejected,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Ways of columns, to be drawn.

    Attributes
    ----------
    ways
        In any order.
    dataset, column
        What was asked about; None for all that is recorded.
    truncated
        Whether there is more than is given.
    """

    ways: tuple[Way, ...]
    dataset: Dataset | None = None
    column: str | None = None
    truncated: bool = False

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "dataset": None if self.dataset is None else str(self.dataset),
            "column": self.column,
            "ways": _json(self.ways),
            "truncated": self.truncated,
        }

    def columns(self) -> dict[Dataset, list[str]]:
        """Give the columns of each dataset, in the order in which the ways name them."""
        found: dict[Dataset, dict[str, None]] = {}
        for way in self.ways:
            found.setdefault(way.edge.input, {})[way.edge.input_column] = None
            found.setdefault(way.edge.output, {})[way.edge.output_column] = None
        if self.dataset is not None:
            columns = found.setdefault(self.dataset, {})
            columns |= {} if self.column is None else {self.column: None}
        return {dataset: list(columns) for dataset, columns in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where a dataset or a column comes from, and what became of it.

    Attributes
    ----------
    dataset, column
        What was asked about; no column means all of them.
    upstream, downstream
        The ways to it and from it, the nearest first; None where it wasn't asked for.
    truncated
        Whether there is more than is given.
    """

    dataset: Dataset
    column: str | None
    upstream: tuple[Way, ...] | None
    downstream: tuple[Way, ...] | None
    truncated: bool = False

    def graph(self) -> Graph:
        """Give both directions as one graph; a way that closes a circle stands in it once."""
        ways = {
            (e.output, e.output_column, e.input, e.input_column, e.action): way
            for way in (*(self.upstream or ()), *(self.downstream or ()))
            for e in (way.edge,)
        }
        return Graph(
            ways=tuple(ways.values()),
            dataset=self.dataset,
            column=self.column,
            truncated=self.truncated,
        )

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold; a direction that wasn't asked for is null."""
        return {
            "dataset": str(self.dataset),
            "column": self.column,
            "upstream": _json(self.upstream),
            "downstream": _json(self.downstream),
            "truncated": self.truncated,
        }


def edge_json(edge: ColumnEdge) -> dict[str, Any]:
    """Give what JSON can hold of a column's way."""
    return {
        "input": {"dataset": str(edge.input), "column": edge.input_column},
        "output": {"dataset": str(edge.output), "column": edge.output_column},
        "action": edge.action,
        "scheme": edge.scheme,
        "key": edge.key,
        "key_version": edge.key_version,
        "key_id": edge.key_id,
        "domain": edge.domain,
        "counts": None if edge.counts is None else edge.counts.to_mapping(),
    }


def _json(ways: tuple[Way, ...] | None) -> list[dict[str, Any]] | None:
    return None if ways is None else [way.to_json() for way in ways]
