"""A table of Delta Lake, to read: the version that is the newest when it's first looked at."""

from typing import TYPE_CHECKING, Final

import polars as pl

from tokenkit.errors import InputNotFound, JobError
from tokenkit_connectors.delta.options import SourceOptions
from tokenkit_connectors.delta.tables import Place, failures

if TYPE_CHECKING:
    from deltalake import DeltaTable


class DeltaSource:
    """One version of a table, which later commits don't change."""

    is_versioned: Final = True

    def __init__(self, options: SourceOptions) -> None:
        self._place = Place(options)
        self._version = options.version
        self._table: DeltaTable | None = None
        self.dataset = self._place.dataset
        self.shown = self._place.shown

    def __repr__(self) -> str:
        return f"DeltaSource({self.shown})"

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns."""
        scan = self.scan()
        with failures(self.shown):
            return scan.collect_schema()

    @property
    def estimated_rows(self) -> int | None:
        """How many rows the version has, if its files say so."""
        with failures(self.shown):
            counts = pl.DataFrame(self._opened().get_add_actions(flatten=True))
            known = "num_records" in counts.columns and counts["num_records"].null_count() == 0
            return int(counts["num_records"].sum()) if known else None

    def fingerprint(self) -> list[object]:
        """Say which version of which table this is."""
        table = self._opened()
        with failures(self.shown):
            return [self.dataset.namespace, self.dataset.name, table.metadata().id, table.version()]

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily; Polars reads the files."""
        table = self._opened()
        with failures(self.shown):
            return pl.scan_delta(table)

    def explain(self, text: str) -> JobError | None:
        """Say nothing: Polars' own errors are what there is."""
        del text
        return None

    def _opened(self) -> "DeltaTable":
        if self._table is None:
            self._table = self._place.open(self._version)
        if self._table is None:
            raise InputNotFound("there is no such table", file=self.shown, hint="check path or url")
        return self._table
