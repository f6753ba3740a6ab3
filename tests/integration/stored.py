"""What the store holds, read straight from its tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tokenkit.lineage import ColumnCounts, ColumnEdge, Dataset, DatasetUse, Field, RunRecord
from tokenkit.store.database import Database
from tokenkit.store.models.every import Base


@dataclass(frozen=True)
class Stored:
    """The tables of a database."""

    database: Database

    def rows(self, table: str, **wanted: object) -> list[dict[str, Any]]:
        """Give the rows of a table that have these values."""
        columns = Base.metadata.tables[table].c
        query = select(*columns).where(*(columns[name] == wanted[name] for name in wanted))
        with self.database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    @property
    def runs(self) -> list[RunRecord]:
        """Every run, by its start."""
        found = [self._record(row) for row in self.rows("runs")]
        return sorted(found, key=lambda record: record.started)

    @property
    def run(self) -> RunRecord:
        """The only run."""
        [found] = self.runs
        return found

    def audit(self, record: RunRecord) -> list[dict[str, Any]]:
        """Give the audit records of a run, in their order."""
        found = self.rows("audit_records", run=str(record.id))
        return sorted(found, key=lambda row: (row["batch"], row["position"]))

    def outcomes(self, record: RunRecord) -> list[str]:
        """Give how the run went, by its audit records."""
        return [row["outcome"] for row in self.audit(record)]

    def digests(self, record: RunRecord) -> set[str | None]:
        """Give the digests that its audit records hold."""
        return {json.loads(row["detail"]).get("digest") for row in self.audit(record)}

    def _record(self, row: dict[str, Any]) -> RunRecord:
        datasets = {
            found["id"]: Dataset(found["namespace"], found["name"])
            for found in self.rows("datasets")
        }
        policies = self.rows("policies", digest=row["policy_digest"])
        return RunRecord(
            **row,
            policy=policies[0]["content"] if policies else None,
            inputs=self._uses("run_inputs", row["id"], datasets),
            outputs=self._uses("run_outputs", row["id"], datasets),
            columns=tuple(self._edges(row["id"], datasets)),
        )

    def _uses(self, table: str, run: UUID, datasets: dict[int, Dataset]) -> tuple[DatasetUse, ...]:
        found = [
            DatasetUse(
                dataset=datasets[row["dataset_id"]],
                fields=tuple(Field(*field) for field in row["fields"]),
                **{name: row[name] for name in ("fingerprint", "files", "rows", "bytes")},
            )
            for row in self.rows(table, run_id=run)
        ]
        return tuple(sorted(found, key=lambda use: use.dataset))

    def _edges(self, run: UUID, datasets: dict[int, Dataset]) -> Sequence[ColumnEdge]:
        ways = {row["id"]: row for row in self.rows("column_edges")}
        found = []
        for row in self.rows("column_runs", run_id=run):
            way = ways[row["edge_id"]]
            counts = None
            if row["done"] is not None:
                told = ("done", "empty", "literal", "sealed", "invalid")
                counts = ColumnCounts(null=row["nulls"], **{name: row[name] for name in told})
            found.append(
                ColumnEdge(
                    input=datasets[way["input_dataset_id"]],
                    input_column=way["input_column"],
                    output=datasets[way["output_dataset_id"]],
                    output_column=way["output_column"],
                    action=way["action"],
                    counts=counts,
                    **{
                        name: row[name]
                        for name in ("scheme", "key", "key_version", "key_id", "domain")
                    },
                )
            )
        return sorted(found, key=lambda edge: (edge.output, edge.output_column, edge.action))
