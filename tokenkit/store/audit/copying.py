"""PostgreSQL's COPY, in and out, by way of its driver."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from tokenkit.engines.audit_chain import RECORD_TYPE
from tokenkit.errors import StoreError, StoreUnavailable, TokenkitError

if TYPE_CHECKING:
    import psycopg

RECORD_COLUMNS = ("batch", "position", *(field.name for field in RECORD_TYPE), "hash")
"""The columns of a record's row, in the order in which they are copied."""

BATCH_COLUMNS = (
    *("number", "id", "written", "first_at", "last_at", "count"),
    *("last_hash", "link", "key", "key_id", "check_value"),
)
"""The columns of a batch's row, in the order in which they are copied."""

_PIECE_BYTES = 2**20


def quoted(columns: tuple[str, ...]) -> str:
    """Write column names for SQL.

    Examples
    --------
    >>> quoted(("at", "object"))
    '"at", "object"'
    """
    return ", ".join(f'"{column}"' for column in columns)


def copy_in(connection: Connection, content: bytes) -> None:
    """Send records' rows.

    Raises
    ------
    StoreError
        If the database refuses them.
    StoreUnavailable
        If it can't be reached any more.
    """
    with (
        driver_errors(),
        _cursor(connection) as cursor,
        cursor.copy(copy_statement()) as copy,
    ):
        copy.write(content)


def copy_statement() -> bytes:
    """Give the statement after which records' rows are sent."""
    return f"COPY audit_records ({quoted(RECORD_COLUMNS)}) FROM STDIN (FORMAT BINARY)".encode()


def copy_out(connection: Connection, query: str) -> Iterator[bytes]:
    """Receive a query's rows, whole ones, in pieces of about a megabyte.

    Raises
    ------
    StoreError
        If the database refuses.
    StoreUnavailable
        If it can't be reached any more.
    """
    statement = f"COPY ({query}) TO STDOUT (FORMAT BINARY)"
    with driver_errors(), _cursor(connection) as cursor, cursor.copy(statement) as copy:
        pieces, size = [], 0
        for piece in copy:
            pieces.append(piece)
            size += len(piece)
            if size >= _PIECE_BYTES:
                yield b"".join(pieces)
                pieces, size = [], 0
        if pieces:
            yield b"".join(pieces)


@contextlib.contextmanager
def _cursor(connection: Connection) -> "Iterator[psycopg.Cursor[Any]]":
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    with driver.cursor() as cursor:
        yield cursor


@contextlib.contextmanager
def driver_errors() -> Iterator[None]:
    """Let errors of the driver be tokenkit's, without what they quote."""
    import psycopg  # noqa: PLC0415 - an extra's

    failure: TokenkitError
    try:
        yield
    except psycopg.OperationalError:
        failure = StoreUnavailable(
            "the audit log's database broke off", hint="see whether the server runs, and try again"
        )
    except psycopg.Error as error:
        failure = StoreError(
            f"the database refused to copy audit records (SQLSTATE {error.sqlstate or 'unknown'})"
        )
    else:
        return
    try:
        raise failure
    finally:
        # Within a with statement the driver's error counts as being handled, and stays attached.
        failure.__context__ = None
