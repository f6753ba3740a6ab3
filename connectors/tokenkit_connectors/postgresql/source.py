"""A table, a view or a query of PostgreSQL, to read."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tokenkit.errors import ConnectorFailed, JobError
from tokenkit.jobs.connectors import Stream
from tokenkit_connectors.naming import TableName, query_name, table_or_query
from tokenkit_connectors.postgresql.address import Address
from tokenkit_connectors.postgresql.connecting import (
    SCHEMA,
    connected,
    connected_by_arrow,
    failures,
)
from tokenkit_connectors.postgresql.options import SourceOptions
from tokenkit_connectors.postgresql.types import ReadColumn, read_column

if TYPE_CHECKING:
    from psycopg import Connection

_BYTES_AT_ONCE: Final = 4 * 2**20
_FARTHEST: Final = {pl.Date: 95_000_000, pl.Datetime: 82 * 10**17}
"""Days and microseconds: 260,000 years, behind which Polars writes no dates."""


class PostgresSource:
    """A table, a view or a query; one statement, so all rows are of one moment."""

    is_versioned: Final = False

    def __init__(self, options: SourceOptions) -> None:
        table_or_query(options.table, options.query)
        self._address = Address.read(options.url)
        self._query = options.query
        self._table = None if options.table is None else TableName.parse(options.table, SCHEMA)
        if self._table is None:
            self.dataset = self._address.dataset(query_name(options.query or ""))
        else:
            self.dataset = self._address.dataset(self._table.schema, self._table.table)
        self.shown = str(self.dataset)
        self._stream: Stream | None = None

    def __repr__(self) -> str:
        return f"PostgresSource({self.shown})"

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns, by the server's catalogue."""
        return pl.Schema({column.name: column.dtype for column in self._columns()})

    @property
    def estimated_rows(self) -> int | None:
        """How many rows the server thinks the table has."""
        if self._table is None:
            return None
        with self._connected() as connection, failures(self.shown):
            found = connection.execute(
                "SELECT c.reltuples FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = %s AND c.relname = %s",
                [self._table.schema, self._table.table],
            ).fetchone()
        # Before it was ever counted, -1.
        return int(found[0]) if found and found[0] > 0 else None

    def fingerprint(self) -> list[object]:
        """Say which table this is: PostgreSQL tells no version of it."""
        return [self.dataset.namespace, self.dataset.name]

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily."""
        columns = self._columns()
        schema = pl.Schema({column.name: column.dtype for column in columns})
        self._stream = Stream(lambda: self._frames(columns), schema)
        return self._stream.scan()

    def explain(self, text: str) -> JobError | None:
        """Give what ended the scan."""
        del text
        return None if self._stream is None else self._stream.failure

    @property
    def _rows(self) -> str:
        if self._table is not None:
            return self._table.quoted
        # What ends a line ends a comment too.
        return f"({(self._query or '').strip().rstrip(';')}\n) AS rows_of_query"

    def _connected(self) -> "contextlib.AbstractContextManager[Connection[Any]]":
        return connected(self._address.url, self.shown, read_only=True)

    def _columns(self) -> list[ReadColumn]:
        with self._connected() as connection, failures(self.shown, reading=True):
            found = connection.execute(f"SELECT * FROM {self._rows} LIMIT 0").description or []
            texts = {
                row[0]
                for row in connection.execute(
                    "SELECT oid FROM pg_type WHERE oid = ANY(%s) AND (typtype = 'e' OR typname ="
                    " 'citext')",
                    [[column.type_code for column in found]],
                )
            }
        names = [column.name for column in found]
        if len(set(names)) < len(names) or not names:
            raise JobError(
                "the query's columns need names of their own", file=self.shown, hint="AS name"
            )
        return [read_column(column, is_text=column.type_code in texts) for column in found]

    def _frames(self, columns: list[ReadColumn]) -> Iterator[pl.DataFrame]:
        selected = ", ".join(column.expression for column in columns)
        with connected_by_arrow(self._address.url, self.shown) as connection:
            with failures(self.shown):
                cursor = connection.cursor()
                cursor.adbc_statement.set_options(
                    **{"adbc.postgresql.batch_size_hint_bytes": str(_BYTES_AT_ONCE)}
                )
                # Names of columns may hold what a driver would take for a parameter.
                cursor.execute(f"SELECT {selected} FROM {self._rows}")
                reader = cursor.fetch_record_batch()
            try:
                while True:
                    with failures(self.shown):
                        batch = next(reader, None)
                        frame = None if batch is None else _turned(pl.DataFrame(batch), columns)
                    if frame is None:
                        return
                    self._refuse_infinity(frame)
                    yield frame
            finally:
                with contextlib.suppress(Exception):
                    cursor.adbc_cancel()
                    cursor.close()

    def _refuse_infinity(self, frame: pl.DataFrame) -> None:
        for column in frame:
            end = _FARTHEST.get(type(column.dtype))
            if end is not None and not column.to_physical().is_between(-end, end).all():
                raise ConnectorFailed(
                    "a date or a time is infinity, or farther than 260,000 years",
                    file=self.shown,
                    column=column.name,
                    hint="read a query: NULLIF(column, 'infinity')",
                )


def _turned(frame: pl.DataFrame, columns: list[ReadColumn]) -> pl.DataFrame:
    """Give decimals their type; NaN isn't one, and is an error."""
    return pl.DataFrame(
        [
            series.cast(column.dtype) if column.needs_cast else series
            for series, column in zip(frame, columns, strict=True)
        ]
    )
