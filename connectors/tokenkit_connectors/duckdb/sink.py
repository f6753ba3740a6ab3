"""A table of a DuckDB file, to write: in one transaction, which nobody sees before its end."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl

from tokenkit.errors import ConnectorFailed
from tokenkit.jobs.connectors import TableMode, TableSource
from tokenkit_connectors.added import written
from tokenkit_connectors.columns import refuse_other_columns, refuse_run_column
from tokenkit_connectors.duckdb.connecting import MAIN, connected, do, failures
from tokenkit_connectors.duckdb.options import SinkOptions, SourceOptions
from tokenkit_connectors.duckdb.source import DuckDBSource, dataset_of
from tokenkit_connectors.duckdb.types import written_type
from tokenkit_connectors.naming import TableName, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROWS = "tokenkit_rows"


def open_sink(options: SinkOptions) -> "DuckDBSink":
    """Make a sink of its options.

    Raises
    ------
    JobError
        If they don't name a table.
    """
    return DuckDBSink(options)


class DuckDBSink:
    """A table, made anew or added to in one transaction."""

    def __init__(self, options: SinkOptions) -> None:
        self._path = options.path
        self._source = SourceOptions(path=options.path, wait=options.wait, table=options.table)
        self._wait = options.wait
        self._run_column = options.run_column
        self._table = TableName.parse(options.table, MAIN)
        self.dataset = dataset_of(self._path, self._table.schema, self._table.table)
        self.shown = str(self.dataset)

    def __repr__(self) -> str:
        return f"DuckDBSink({self.shown})"

    def exists(self) -> bool:
        """Whether there is such a table now."""
        return self._columns() is not None

    def written(self, mode: TableMode, run: str) -> TableSource:
        """Give what a run has written, to read."""
        return written(DuckDBSource(self._source), mode, self._run_column, run)

    def check(self, schema: pl.Schema, mode: TableMode) -> None:
        """Refuse columns that the table can't hold."""
        for name, dtype in schema.items():
            written_type(dtype, name)
        if mode == "append":
            refuse_run_column(schema, self._run_column, self.shown)
            found = self._columns()
            if found is not None:
                refuse_other_columns(schema, found, self._run_column, self.shown)

    @contextlib.contextmanager
    def writing(self, schema: pl.Schema, mode: TableMode, run: str) -> "Iterator[DuckDBWriting]":
        """Begin a transaction; what isn't published by its end is rolled back."""
        with connected(self._path, self.shown, self._wait, writable=True) as connection:
            added = self._run_column if mode == "append" else None
            with failures(self.shown):
                do(connection, "BEGIN")
                if mode == "replace":
                    _make_anew(connection, self._table, schema, self.shown)
                else:
                    _prepare(connection, self._table, schema, self._run_column, run)
            writing = DuckDBWriting(connection, self._table, list(schema), added, run, self.shown)
            try:
                yield writing
            finally:
                writing.end()

    def _columns(self) -> list[str] | None:
        """Give the columns of the table, if it's there."""
        if not self._path.exists():
            return None
        reading = connected(self._path, self.shown, self._wait, writable=False)
        with reading as connection, failures(self.shown):
            return _columns(connection, self._table)


class DuckDBWriting:
    """Rows on their way into a table, in a transaction."""

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        table: TableName,
        columns: Sequence[str],
        run_column: str | None,
        run: str,
        shown: str,
    ) -> None:
        self._connection = connection
        self._table = table
        self._names = ", ".join(quoted(name) for name in columns)
        self._run_column = None if run_column is None else quoted(run_column)
        self._run = run
        self._shown = shown
        self._is_open = True
        self._published = False

    def write(self, rows: pl.DataFrame) -> None:
        """Take some more rows."""
        names, values, parameters = self._names, self._names, []
        if self._run_column is not None:
            names, values, parameters = f"{names}, {self._run_column}", f"{names}, ?", [self._run]
        with failures(self._shown):
            self._connection.register(_ROWS, rows)
            do(
                self._connection,
                f"INSERT INTO {self._table.quoted} ({names}) SELECT {values} FROM {_ROWS}",
                parameters,
            )
            self._connection.unregister(_ROWS)

    def count(self) -> int:
        """Count the rows that this transaction has added."""
        own = "" if self._run_column is None else f" WHERE {self._run_column} = ?"
        parameters = [] if self._run_column is None else [self._run]
        with failures(self._shown):
            counted = f"SELECT count(*) FROM {self._table.quoted}{own}"
            return int(do(self._connection, counted, parameters)[0][0])

    def publish(self) -> None:
        """Commit."""
        self._published = True
        with failures(self._shown):
            try:
                do(self._connection, "COMMIT")
            except Exception as exc:
                # Where the file itself failed, only the next to open it will know.
                self._published = type(exc).__name__ in {"FatalException", "IOException"}
                raise
        self._is_open = False

    def is_published(self) -> bool:
        """Whether it was committed, or may have been."""
        return self._published

    def end(self) -> None:
        """Roll back what wasn't published."""
        if self._is_open and not self._published:
            self._is_open = False
            # A transaction that failed by itself has been rolled back.
            with contextlib.suppress(Exception):
                self._connection.interrupt()
                do(self._connection, "ROLLBACK")


def _make_anew(
    connection: "DuckDBPyConnection", table: TableName, schema: pl.Schema, shown: str
) -> None:
    """Put an empty table in the place of the old one, with the comments of both."""
    place = [table.schema, table.table]
    where = "WHERE database_name = current_database() AND schema_name = ? AND table_name = ?"
    bound = do(
        connection,
        f"SELECT constraint_type FROM duckdb_constraints() {where}"
        f" UNION ALL SELECT 'INDEX' FROM duckdb_indexes() {where}"
        f" UNION ALL SELECT 'DEFAULT' FROM duckdb_columns() {where} AND column_default IS NOT NULL",
        place * 3,
    )
    if bound:
        raise ConnectorFailed(
            "the table has constraints, defaults or indexes, which would be lost",
            file=shown,
            hint="write to another table, or drop them first",
        )
    comments = [
        (f"TABLE {table.quoted}", found)
        for (found,) in do(
            connection,
            f"SELECT comment FROM duckdb_tables() {where} AND comment IS NOT NULL",
            place,
        )
    ]
    comments += [
        (f"COLUMN {table.quoted}.{quoted(name)}", found)
        for name, found in do(
            connection,
            f"SELECT column_name, comment FROM duckdb_columns() {where} AND comment IS NOT NULL",
            place,
        )
        if name in schema
    ]
    do(connection, f"CREATE OR REPLACE TABLE {table.quoted} ({_definition(schema)})")
    for what, text in comments:
        literal = "'" + text.replace("'", "''") + "'"
        do(connection, f"COMMENT ON {what} IS {literal}")


def _prepare(
    connection: "DuckDBPyConnection", table: TableName, schema: pl.Schema, run_column: str, run: str
) -> None:
    """Make a table to add to, or take out what an earlier run of the same id has added."""
    run_name = quoted(run_column)
    found = _columns(connection, table)
    if found is None:
        do(connection, f"CREATE TABLE {table.quoted} ({_definition(schema)}, {run_name} VARCHAR)")
    elif run_column not in found:
        do(connection, f"ALTER TABLE {table.quoted} ADD COLUMN {run_name} VARCHAR")
    else:
        do(connection, f"DELETE FROM {table.quoted} WHERE {run_name} = ?", [run])


def _definition(schema: pl.Schema) -> str:
    return ", ".join(
        f"{quoted(name)} {written_type(dtype, name)}" for name, dtype in schema.items()
    )


def _columns(connection: "DuckDBPyConnection", table: TableName) -> list[str] | None:
    """Give the columns of a table; None if there is none of that name."""
    found = do(
        connection,
        "SELECT column_name FROM information_schema.columns WHERE table_catalog ="
        " current_database() AND table_schema = ? AND table_name = ? ORDER BY ordinal_position",
        [table.schema, table.table],
    )
    return [name for (name,) in found] or None
