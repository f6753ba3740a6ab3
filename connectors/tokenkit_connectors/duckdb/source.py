"""A table, a view or a query of a DuckDB file, to read."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from tokenkit.errors import InputNotFound, JobError
from tokenkit.jobs.connectors import Stream
from tokenkit.lineage import Dataset
from tokenkit.lineage.naming import of_file, of_table
from tokenkit_connectors.duckdb.connecting import MAIN, connected, do, failures
from tokenkit_connectors.duckdb.options import SourceOptions
from tokenkit_connectors.duckdb.types import read_expression
from tokenkit_connectors.naming import TableName, query_name, table_or_query

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from duckdb import DuckDBPyConnection

_ROWS_AT_ONCE: Final = 50_000


def open_source(options: SourceOptions) -> "DuckDBSource":
    """Make a source of its options.

    Raises
    ------
    JobError
        If they name neither a table nor a query, or both.
    """
    return DuckDBSource(options)


def dataset_of(path: Path, *names: str) -> Dataset:
    """Name a table of a file in lineage, without the values of partitions."""
    return of_table("duckdb", of_file(path).name, *names)


class DuckDBSource:
    """A table, a view or a query; read in batches, all of one moment."""

    is_versioned: Final = False

    def __init__(self, options: SourceOptions) -> None:
        table_or_query(options.table, options.query)
        self._path = options.path
        self._wait = options.wait
        self._query = options.query
        self._table = None if options.table is None else TableName.parse(options.table, MAIN)
        if self._table is None:
            self.dataset = dataset_of(self._path, query_name(options.query or ""))
        else:
            self.dataset = dataset_of(self._path, self._table.schema, self._table.table)
        self.shown = str(self.dataset)
        self._stream: Stream | None = None

    def __repr__(self) -> str:
        return f"DuckDBSource({self.shown})"

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns."""
        with self._connected() as connection, failures(self.shown):
            reader = connection.sql(f"{self._select(connection)} LIMIT 0").to_arrow_reader()
            return pl.DataFrame(reader.read_all()).schema

    @property
    def estimated_rows(self) -> int | None:
        """How many rows DuckDB thinks the table has."""
        if self._table is None:
            return None
        with self._connected() as connection, failures(self.shown):
            found = do(
                connection,
                "SELECT estimated_size FROM duckdb_tables()"
                " WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
                [self._table.schema, self._table.table],
            )
        return int(found[0][0]) if found else None

    def fingerprint(self) -> list[object]:
        """Say which table this is: DuckDB tells no version of it."""
        return [self.dataset.namespace, self.dataset.name]

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily, by one statement."""
        self._stream = Stream(self._frames, self.schema)
        return self._stream.scan()

    def explain(self, text: str) -> JobError | None:
        """Give what ended the scan."""
        del text
        return None if self._stream is None else self._stream.failure

    def _frames(self) -> Iterator[pl.DataFrame]:
        with self._connected() as connection:
            with failures(self.shown):
                reader = connection.sql(self._select(connection)).to_arrow_reader(_ROWS_AT_ONCE)
            while True:
                with failures(self.shown):
                    batch = next(reader, None)
                if batch is None:
                    return
                yield pl.DataFrame(batch)

    def _connected(self) -> "AbstractContextManager[DuckDBPyConnection]":
        if not self._path.exists():
            raise InputNotFound("there is no such database", file=self.shown, hint="check the path")
        return connected(self._path, self.shown, self._wait, writable=False)

    def _select(self, connection: "DuckDBPyConnection") -> str:
        if self._table is None:
            # What ends a line ends a comment too.
            rows = f"({(self._query or '').strip().rstrip(';')}\n)"
        else:
            rows = self._table.quoted
            if not _is_there(connection, self._table):
                raise InputNotFound(
                    "there is no such table", file=self.shown, hint="check its name"
                )
        found = connection.sql(f"SELECT * FROM {rows}")
        columns = zip(found.columns, found.types, strict=True)
        named = (read_expression(name, kind) for name, kind in columns)
        return f"SELECT {', '.join(named)} FROM {rows}"


def _is_there(connection: "DuckDBPyConnection", table: TableName) -> bool:
    """Whether there is a table or a view of that name, letter by letter."""
    return bool(
        do(
            connection,
            "SELECT 1 FROM information_schema.tables"
            " WHERE table_catalog = current_database() AND table_schema = ? AND table_name = ?",
            [table.schema, table.table],
        )
    )
