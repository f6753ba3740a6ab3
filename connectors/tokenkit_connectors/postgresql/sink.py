"""A table of PostgreSQL, to write: by COPY, in one transaction."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from tokenkit.errors import ConnectorFailed
from tokenkit.jobs.connectors import TableMode, TableSource
from tokenkit_connectors.added import written
from tokenkit_connectors.columns import refuse_other_columns, refuse_run_column
from tokenkit_connectors.naming import TableName, quoted
from tokenkit_connectors.postgresql.address import Address
from tokenkit_connectors.postgresql.catalogue import FoundTable, find_table
from tokenkit_connectors.postgresql.connecting import SCHEMA, connected, failures
from tokenkit_connectors.postgresql.options import SinkOptions, SourceOptions
from tokenkit_connectors.postgresql.replacing import Replacement, definition
from tokenkit_connectors.postgresql.rows import FORMAT, encoded
from tokenkit_connectors.postgresql.source import PostgresSource
from tokenkit_connectors.postgresql.types import written_type

if TYPE_CHECKING:
    from psycopg import Connection


class PostgresSink:
    """A table, swapped in or added to in one transaction."""

    def __init__(self, options: SinkOptions) -> None:
        self._address = Address.read(options.url)
        self._source = SourceOptions(url=options.url, table=options.table)
        self._run_column = options.run_column
        self._wait = options.wait
        self._table = TableName.parse(options.table, SCHEMA)
        self.dataset = self._address.dataset(self._table.schema, self._table.table)
        self.shown = str(self.dataset)

    def __repr__(self) -> str:
        return f"PostgresSink({self.shown})"

    def exists(self) -> bool:
        """Whether there is such a table now."""
        return self._found() is not None

    def written(self, mode: TableMode, run: str) -> TableSource:
        """Give what a run has written, to read."""
        return written(PostgresSource(self._source), mode, self._run_column, run)

    def check(self, schema: pl.Schema, mode: TableMode) -> None:
        """Refuse columns that the table can't hold."""
        for name, dtype in schema.items():
            written_type(dtype, name)
        if mode == "append":
            refuse_run_column(schema, self._run_column, self.shown)
            found = self._found()
            if found is not None:
                self._refuse_misfits(schema, found)

    @contextlib.contextmanager
    def writing(self, schema: pl.Schema, mode: TableMode, run: str) -> "Iterator[PostgresWriting]":
        """Begin a transaction; what isn't published by its end is rolled back."""
        run_column = self._run_column if mode == "append" else None
        with connected(self._address.url, self.shown, read_only=False) as connection:
            with failures(self.shown):
                if run_column is not None:
                    self._add_run_column(connection)
                self._limit_wait(connection)
                found = find_table(connection, self._table)
                replacement = None
                if found is None:
                    added = "" if run_column is None else f", {quoted(run_column)} text"
                    columns = f"{definition(schema)}{added}"
                    _do(connection, f"CREATE TABLE {self._table.quoted} ({columns})")
                elif mode == "append":
                    self._refuse_misfits(schema, found)
                    self._remove_run(connection, found, run)
                else:
                    # Others go on reading and writing; nobody else replaces or alters it.
                    lock = "SHARE UPDATE EXCLUSIVE MODE"
                    if found.relkind == "r":
                        _do(connection, f"LOCK TABLE {self._table.quoted} IN {lock}")
                        found = find_table(connection, self._table) or found
                    replacement = Replacement(connection, self._table, found, schema, self.shown)
            into = self._table if replacement is None else replacement.name
            writing = PostgresWriting(connection, into, replacement, self.shown)
            writing.columns = list(schema)
            writing.added = None if run_column is None else (run_column, run)
            yield writing

    def _found(self) -> FoundTable | None:
        reading = connected(self._address.url, self.shown, read_only=True)
        with reading as connection, failures(self.shown):
            return find_table(connection, self._table)

    def _limit_wait(self, connection: "Connection[Any]") -> None:
        milliseconds = str(max(1, int(self._wait * 1_000)))
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [milliseconds])

    def _refuse_misfits(self, schema: pl.Schema, found: FoundTable) -> None:
        refuse_other_columns(schema, found.columns, self._run_column, self.shown)
        misfit = found.misfit(schema)
        if misfit is not None or found.relkind not in {"r", "p"}:
            problem = (
                "it is no table that rows are added to"
                if misfit is None
                else "a column doesn't keep the rows' values as they are"
            )
            raise ConnectorFailed(
                problem, file=self.shown, column=misfit, hint="write to another table"
            )

    def _add_run_column(self, connection: "Connection[Any]") -> None:
        """Add it in a transaction of its own: until that one ends, nobody else could read."""
        self._limit_wait(connection)
        found = find_table(connection, self._table)
        if found is not None and self._run_column not in found.columns:
            column = quoted(self._run_column)
            _do(
                connection,
                f"ALTER TABLE {self._table.quoted} ADD COLUMN IF NOT EXISTS {column} text",
            )
        connection.commit()

    def _remove_run(self, connection: "Connection[Any]", found: FoundTable, run: str) -> None:
        # Two processes of the same run would each not see what the other adds.
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"tokenkit {found.oid} {run}"]
        )
        # A sign of percent in a name is no placeholder.
        place, column = (
            text.replace("%", "%%") for text in (self._table.quoted, quoted(self._run_column))
        )
        connection.execute(f"DELETE FROM {place} WHERE {column} = %s".encode(), [run])


class PostgresWriting:
    """Rows on their way into a table, in a transaction."""

    columns: Sequence[str] = ()
    added: tuple[str, str] | None = None

    def __init__(
        self,
        connection: "Connection[Any]",
        into: TableName,
        replacement: Replacement | None,
        shown: str,
    ) -> None:
        self._connection = connection
        self._into = into
        self._replacement = replacement
        self._shown = shown
        self._rows = 0
        self._published = False

    def write(self, rows: pl.DataFrame) -> None:
        """Take some more rows."""
        names = [*self.columns]
        taken = rows.select(self.columns) if rows.columns != names else rows
        if self.added is not None:
            column, run = self.added
            names.append(column)
            taken = taken.with_columns(pl.lit(run).alias(column))
        listed = ", ".join(quoted(name) for name in names)
        content = encoded(taken, self._shown)
        statement = f"COPY {self._into.quoted} ({listed}) FROM STDIN ({FORMAT})"
        with failures(self._shown), self._connection.cursor() as cursor:
            with cursor.copy(statement.encode()) as copy:
                copy.write(content)
            self._rows += cursor.rowcount

    def count(self) -> int:
        """Count the rows that the server says it has taken."""
        return self._rows

    def publish(self) -> None:
        """Swap the table in, where one is replaced, and commit."""
        with failures(self._shown):
            if self._replacement is not None:
                self._replacement.swap()
            self._published = True
            try:
                self._connection.commit()
            except Exception:
                # If the connection broke, nobody knows whether the server has committed.
                self._published = self._connection.broken
                raise

    def is_published(self) -> bool:
        """Whether it was committed, or may have been."""
        return self._published


def _do(connection: "Connection[Any]", statement: str) -> None:
    connection.execute(statement.encode())
