"""Rows of the log in the order of the chain, as they stand in the database, whatever they are.

An altered row may hold anything that its column takes: SQLite takes almost everything. So nothing
is read through the models, and the native module decides what a row can be.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection

from tokenkit.errors import StoreUnavailable
from tokenkit.store.audit.copying import BATCH_COLUMNS, RECORD_COLUMNS, copy_out, quoted

Rows: TypeAlias = bytes | list[tuple[Any, ...]]

_MOST_BATCHES = 20_000
_MOST_RECORDS = 500_000
_ROWS = 8_192
_NUMBERS = frozenset({"number", "batch", "position", "count", "key_id"})


class Range(NamedTuple):
    """Batches after one number and up to another."""

    after: int | None
    through: int | None

    @property
    def condition(self) -> str:
        """The range as SQL, of the column that stands in its place."""
        parts = []
        if self.after is not None:
            parts.append(f"{{0}} > {self.after:d}")
        if self.through is not None:
            parts.append(f"{{0}} <= {self.through:d}")
        return " AND ".join(parts) or "TRUE"


class Reader:
    """Reads the log's rows within one transaction."""

    def __init__(self, connection: Connection, *, postgresql: bool) -> None:
        self._connection = connection
        self._postgresql = postgresql

    def ranges(self) -> Iterator[Range]:
        """Give ranges of batches, of about as many records each as memory should hold at once."""
        after: int | None = None
        while True:
            integers = "TRUE" if self._postgresql else "typeof(number) = 'integer'"
            condition = Range(after, None).condition.format("number")
            found = self._connection.exec_driver_sql(
                f'SELECT number, "count" FROM audit_batches WHERE {condition} AND {integers} '  # noqa: S608 - numbers
                f"ORDER BY number LIMIT {_MOST_BATCHES}"
            ).all()
            if not found:
                return
            records, through = 0, found[0][0]
            for number, count in found:
                through = number
                records += count if isinstance(count, int) else 0
                if records >= _MOST_RECORDS:
                    break
            yield Range(after, through)
            after = through

    def batches(self, among: Range) -> Iterator[Rows]:
        """Give rows of batches by number."""
        condition = among.condition.format("number")
        return self._rows(
            f"SELECT {self._columns(BATCH_COLUMNS)} FROM audit_batches WHERE {condition} "  # noqa: S608 - numbers
            "ORDER BY number"
        )

    def records(self, among: Range) -> Iterator[Rows]:
        """Give rows of records by batch and position."""
        condition = among.condition.format("batch")
        return self._rows(
            f"SELECT {self._columns(RECORD_COLUMNS)} FROM audit_records WHERE {condition} "  # noqa: S608 - numbers
            'ORDER BY batch, "position", "at"'
        )

    def count(self, batch: int) -> int:
        """Count the records of a batch."""
        query = f"SELECT count(*) FROM audit_records WHERE batch = {batch:d}"  # noqa: S608 - a number
        return int(self._connection.exec_driver_sql(query).scalar_one())

    def promised(self, batch: int) -> int:
        """Give the number of records that a batch's row tells; 0 if there is no such row."""
        query = f'SELECT "count" FROM audit_batches WHERE number = {batch:d}'  # noqa: S608 - a number
        return int(self._connection.exec_driver_sql(query).scalar() or 0)

    def total(self) -> int:
        """Give about how many records the batches' rows tell."""
        query = 'SELECT sum("count") FROM audit_batches'
        found = self._connection.exec_driver_sql(query).scalar()
        return int(found or 0)

    def stored(self, batch: int, position: int) -> bytes | None:
        """Give the hash that stands at a place, if there is one that can be read."""
        query = (
            f"SELECT hash FROM audit_records WHERE batch = {batch:d} "  # noqa: S608 - numbers
            f'AND "position" = {position:d} LIMIT 1'
        )
        found = self._connection.exec_driver_sql(query).scalar()
        return found if isinstance(found, bytes) else None

    def head(self) -> tuple[int, bytes] | None:
        """Give what the head's row says, if it can be read."""
        found = self._connection.exec_driver_sql(
            "SELECT number, link FROM audit_head WHERE id = 1"
        ).one_or_none()
        if found is None or not isinstance(found[0], int) or not isinstance(found[1], bytes):
            return None
        return found[0], found[1]

    def _columns(self, columns: tuple[str, ...]) -> str:
        if self._postgresql:
            return quoted(columns)
        # As bytes, no text is refused for not being UTF-8; what should be a number and is none
        # becomes bytes, too, and nothing becomes null that wasn't.
        return ", ".join(
            f"CASE WHEN typeof(\"{column}\") IN ('integer', 'null') THEN \"{column}\" ELSE x'' END"
            if column in _NUMBERS
            else f'CAST("{column}" AS BLOB)'
            for column in columns
        )

    def _rows(self, query: str) -> Iterator[Rows]:
        if self._postgresql:
            yield from copy_out(self._connection, query)
            return
        failed = False
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(query)
            while rows := cursor.fetchmany(_ROWS):
                yield list(rows)
        except sqlite3.Error:
            failed = True
        finally:
            cursor.close()
        if failed:
            raise StoreUnavailable(
                "the audit log can't be read from its SQLite file",
                hint="see whether the file is damaged: sqlite3 FILE 'PRAGMA integrity_check'",
            )
