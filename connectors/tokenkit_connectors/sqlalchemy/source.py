"""A table, a view or a query of a SQLAlchemy URL, to read in batches."""

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tokenkit.errors import ConnectorFailed, InputNotFound, JobError, UnsupportedType
from tokenkit.jobs.connectors import Stream
from tokenkit_connectors.foreign import foreign_errors, needing
from tokenkit_connectors.naming import TableName, query_name, table_or_query
from tokenkit_connectors.sqlalchemy.address import dataset_of
from tokenkit_connectors.sqlalchemy.options import SourceOptions
from tokenkit_connectors.sqlalchemy.types import HINT, column_type, named_type

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.sql import Executable

_ROWS_AT_ONCE: Final = 10_000
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")


class SQLAlchemySource:
    """A table, a view or a query; one statement, so all rows are of one moment."""

    is_versioned: Final = False
    estimated_rows: Final = None

    def __init__(self, options: SourceOptions) -> None:
        table_or_query(options.table, options.query)
        self._url = options.url
        self._query = options.query
        self._table = None if options.table is None else TableName.parse(options.table, "")
        self._types = {name: named_type(text, name) for name, text in options.types.items()}
        if self._table is None:
            self.dataset = dataset_of(self._url, query_name(options.query or ""))
        else:
            self.dataset = dataset_of(self._url, self._table.schema, self._table.table)
        self.shown = str(self.dataset)
        self._stream: Stream | None = None

    def __repr__(self) -> str:
        return f"SQLAlchemySource({self.shown})"

    @property
    def schema(self) -> pl.Schema:
        """Names and types: the table's own, or those of a query's first rows."""
        with self._connected() as connection, self._failures():
            statement, found = self._statement(connection)
            if self._table is None:
                with self._begun(connection, statement) as result:
                    found = self._guessed(list(result.keys()), result.fetchmany(_ROWS_AT_ONCE))
        return pl.Schema(found)

    def fingerprint(self) -> list[object]:
        """Say which table this is: SQL tells no version of it."""
        return [self.dataset.namespace, self.dataset.name]

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily."""
        schema = self.schema
        self._stream = Stream(lambda: self._frames(schema), schema)
        return self._stream.scan()

    def explain(self, text: str) -> JobError | None:
        """Give what ended the scan."""
        del text
        return None if self._stream is None else self._stream.failure

    def _frames(self, schema: pl.Schema) -> Iterator[pl.DataFrame]:
        with self._connected() as connection, contextlib.ExitStack() as stack:
            with self._failures():
                statement, _ = self._statement(connection)
                result = stack.enter_context(self._begun(connection, statement))
            while True:
                with self._failures():
                    rows = [tuple(row) for row in result.fetchmany(_ROWS_AT_ONCE)]
                    frame = pl.DataFrame(rows, schema=schema, orient="row", strict=True)
                if not rows:
                    return
                yield frame

    @contextlib.contextmanager
    def _connected(self) -> "Iterator[Connection]":
        with needing("sqlalchemy"):
            from sqlalchemy import create_engine, pool
        # The driver is imported here too.
        with needing("sqlalchemy"), self._failures(keep=ImportError):
            engine = create_engine(self._url.get_secret_value(), poolclass=pool.NullPool)
            connection = engine.connect()
        try:
            yield connection
        finally:
            with contextlib.suppress(Exception):
                connection.close()

    def _failures(self, keep: type[Exception] | None = None) -> foreign_errors:
        def explain(exc: Exception) -> JobError:
            name = type(exc).__name__
            if name == "NoSuchTableError":
                return InputNotFound(
                    "there is no such table", file=self.shown, hint="check its name"
                )
            if isinstance(exc, TypeError | ValueError | pl.exceptions.PolarsError):
                return ConnectorFailed(
                    "a value isn't of its column's type", file=self.shown, hint=HINT
                )
            return ConnectorFailed(
                f"the database failed ({name})", file=self.shown, hint="check url, table and query"
            )

        return foreign_errors(explain, keep=keep)

    def _statement(self, connection: "Connection") -> "tuple[Executable, dict[str, pl.DataType]]":
        """Give what is asked, and the types of a table's columns."""
        from sqlalchemy import column, inspect, select, table, text
        from sqlalchemy.sql import quoted_name

        if self._table is None:
            # A colon in a query is no parameter.
            query = (self._query or "").strip().rstrip(";")
            return text(_PARAMETER.sub(r"\\:", query)), {}
        schema = self._table.schema or None
        # SQLite takes numbers for decimals.
        has_decimals = connection.dialect.name != "sqlite"
        types, columns = {}, []
        for found in inspect(connection).get_columns(self._table.table, schema):
            name, kind = found["name"], found["type"]
            types[name] = self._types.get(name) or column_type(
                kind, name, has_decimals=has_decimals
            )
            # Some words that mean something are not on SQLAlchemy's lists.
            columns.append(column(quoted_name(name, quote=True), kind))
        place = None if schema is None else quoted_name(schema, quote=True)
        whole = table(quoted_name(self._table.table, quote=True), *columns, schema=place)
        return select(*columns).select_from(whole), types

    @contextlib.contextmanager
    def _begun(self, connection: "Connection", statement: "Executable") -> "Iterator[Result[Any]]":
        options = {"stream_results": True, "max_row_buffer": _ROWS_AT_ONCE}
        result = connection.execute(statement, execution_options=options)
        try:
            yield result
        finally:
            result.close()

    def _guessed(self, names: list[str], rows: Any) -> dict[str, pl.DataType]:
        if len(set(names)) < len(names):
            raise JobError(
                "the query's columns need names of their own", file=self.shown, hint="AS name"
            )
        values = list(zip(*rows, strict=True)) or [()] * len(names)
        found = {}
        for name, column in zip(names, values, strict=True):
            dtype = self._types.get(name) or pl.Series(list(column), strict=True).dtype
            if isinstance(dtype, pl.Null | pl.Object):
                raise UnsupportedType("its values don't tell the type", column=name, hint=HINT)
            found[name] = dtype
        return found
