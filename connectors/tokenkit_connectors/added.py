"""What one run has added to a table, read again so that it can be checked."""

from dataclasses import dataclass

import polars as pl

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import TableMode, TableSource
from tokenkit.lineage import Dataset


def written(table: TableSource, mode: TableMode, run_column: str, run: str) -> TableSource:
    """Give what a run has written into a table: all of it, or the rows that it has added."""
    return table if mode == "replace" else AddedRows(table, run_column, run)


@dataclass(frozen=True, slots=True)
class AddedRows:
    """The rows of a table that one run has added, without the column that says so.

    Attributes
    ----------
    table
        The whole table.
    run_column
        The column that names a row's run.
    run
        The run's id.
    """

    table: TableSource
    run_column: str
    run: str

    @property
    def shown(self) -> str:
        """The table's name for messages."""
        return self.table.shown

    @property
    def dataset(self) -> Dataset:
        """The table's name in lineage."""
        return self.table.dataset

    @property
    def is_versioned(self) -> bool:
        """Whether the fingerprint changes whenever a row does."""
        return self.table.is_versioned

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns, but for the run's."""
        found = self.table.schema
        return pl.Schema({name: found[name] for name in found if name != self.run_column})

    @property
    def estimated_rows(self) -> int | None:
        """Nothing: how many rows are of the run isn't known."""
        return None

    def fingerprint(self) -> list[object]:
        """Give the table's."""
        return self.table.fingerprint()

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily."""
        # Columns go by their place: Polars takes names such as "*" for patterns.
        names = list(self.table.schema)
        places = [place for place, name in enumerate(names) if name != self.run_column]
        if len(places) == len(names):
            return self.table.scan().head(0)
        run = pl.nth(names.index(self.run_column))
        return self.table.scan().filter(run == self.run).select(pl.nth(places))

    def explain(self, text: str) -> JobError | None:
        """Say what an error of the scan says about the table."""
        return self.table.explain(text)
