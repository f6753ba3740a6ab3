"""Tables that a job reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import Source, TextOptions, refuse_options
from tokenkit.jobs.connectors.tables import TableSource
from tokenkit.jobs.inlets import Inlet
from tokenkit.lineage.current import current_recorder
from tokenkit.lineage.datasets import Dataset

TABLE: Final = "table"
"""What the metadata of tables is bound to, whichever connector reads them."""


@dataclass(frozen=True, slots=True)
class TableOrigin:
    """A table, or the result of a query."""

    table: TableSource

    @property
    def shown(self) -> str:
        """Its name for messages and reports."""
        return self.table.shown

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""
        return self.table.dataset

    def inlets(self) -> Sequence[Inlet]:
        """Give the table: it is one input."""
        return [TableInlet(self.table)]


@dataclass(frozen=True, slots=True)
class TableInlet:
    """A table as one input of a job."""

    table: TableSource
    kind: str = TABLE
    suffix: str = ""
    size: int = 0

    @property
    def shown(self) -> str:
        """Its name for messages and records."""
        return self.table.shown

    @property
    def relative(self) -> Path:
        """Its name; no output is named after a table."""
        return Path(TABLE)

    @property
    def partition(self) -> Mapping[str, str | None]:
        """A table's columns are all in it."""
        return {}

    @property
    def is_versioned(self) -> bool:
        """Whether the fingerprint changes whenever a row does."""
        return self.table.is_versioned

    def fingerprint(self) -> list[object]:
        """Say which table this is, or which version of it, in the form of a file's fingerprint."""
        return [self.table.dataset.namespace, 0, 0, self.table.fingerprint()]

    def open(self, text: TextOptions) -> Source:
        """Read its columns, and find its metadata in the store."""
        refuse_options(text)
        return _OpenTable(self.table)


class _OpenTable:
    """A table whose columns are known."""

    types: Mapping[str, pl.DataType] = {}
    rows: int | None = None

    def __init__(self, table: TableSource) -> None:
        self._table = table
        self.schema = table.schema
        self.estimated_rows = table.estimated_rows
        self.metadata: str | bytes | None = current_recorder().metadata_of(table.dataset)

    def check(self) -> None:
        """Do nothing: the system that holds the table has checked its rows."""

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily."""
        return self._table.scan()

    def explain(self, text: str) -> JobError | None:
        """Say what an error of the scan says about the table."""
        return self._table.explain(text)
