"""A system under test: how its tables are named, made and looked at without the connector."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import polars as pl

from tokenkit.jobs.connectors import TableSink, TableSource, find_connector


class System(ABC):
    """A real system that a connector reads or writes.

    Attributes
    ----------
    connector
        The connector's name.
    secrets
        What stands in the options and must never show.
    refused
        Columns of :data:`~tokenkit.testing.connectors.values.TYPES` that its tables can't hold.
    stored_as
        What columns of some types come back as; all others come back as they were.
    hostile_names
        Names of tables and columns that it must take as they are.
    memory
        How many bytes a process may need more for eight times the rows.
    """

    connector: str
    secrets: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    stored_as: Mapping[str, pl.DataType] = {}
    hostile_names: tuple[str, ...] = (
        'a"b', "a'b", "a;--", "*", "^.*$", "select", "naïve 名前", "a.b", "{a}", "%s", ":a", "$1",
    )  # fmt: skip
    memory: int = 64 * 2**20

    @abstractmethod
    def options(self, table: str) -> dict[str, object]:
        """Give the options of a table, as a job file has them: JSON's types alone."""

    @abstractmethod
    def unreachable(self) -> dict[str, object]:
        """Give the options of a table that can't be reached, with the secrets."""

    @abstractmethod
    def fill(self, table: str, rows: pl.DataFrame) -> None:
        """Make a table with the system's own means."""

    @abstractmethod
    def rows(self, table: str) -> pl.DataFrame | None:
        """Read a table with the system's own means; None if it isn't there."""

    def source(self, table: str) -> TableSource:
        """Open a table to read."""
        return find_connector(self.connector).open_source(self.options(table))

    def sink(self, table: str, **options: object) -> TableSink:
        """Open a table to write."""
        return find_connector(self.connector).open_sink({**self.options(table), **options})
