"""Connections to a DuckDB file, and what its errors mean."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenkit.errors import ConnectorFailed, JobError
from tokenkit_connectors.foreign import foreign_errors, needing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAIN = "main"
"""The schema of tables whose name says none."""
_TICK = 0.05
_MEANINGS = {
    "TransactionException": ("was changed by another job meanwhile", "run the job again"),
    "ConversionException": ("has columns that values don't fit", "correct the column's type"),
    "ConstraintException": (
        "has constraints that rows don't keep",
        "correct the rows or the table",
    ),
    "OutOfMemoryException": ("needs more memory than DuckDB may take", "raise memory_limit"),
    "CatalogException": ("lacks the table, schema or function", "check the names"),
    "BinderException": ("lacks a column or function of the query", "check the query"),
    "ParserException": ("can't read the query", "check the query in DuckDB's shell"),
}


@contextlib.contextmanager
def connected(
    path: Path, shown: str, wait: float, *, writable: bool
) -> "Iterator[DuckDBPyConnection]":
    """Connect to a file; tables that are only read don't keep other readers out.

    Parameters
    ----------
    path
        The file.
    shown
        Its name for messages.
    wait
        How many seconds to wait for others that have it open.
    writable
        Whether it is written.

    Raises
    ------
    ConnectorFailed
        If it can't be opened.
    """
    with needing("duckdb"):
        import duckdb
    found: DuckDBPyConnection | None = None
    until = time.monotonic() + wait
    while found is None:
        try:
            found = _open(path, writable=writable)
        except duckdb.Error as exc:
            held = _is_held(exc)
            problem = explained(exc, shown)
        else:
            break
        if not held:
            raise problem
        if time.monotonic() > until:
            raise ConnectorFailed(
                "another process has the file open",
                file=shown,
                hint="close it there, or raise wait",
            )
        time.sleep(_TICK)
    try:
        with failures(shown):
            do(found, "SET TimeZone = 'UTC'")
        yield found
    finally:
        with contextlib.suppress(duckdb.Error):
            found.close()


def _open(path: Path, *, writable: bool) -> "DuckDBPyConnection":
    import duckdb

    if writable:
        return duckdb.connect(str(path))
    try:
        return duckdb.connect(str(path), read_only=True)
    except duckdb.ConnectionException:
        # This process has it open to write.
        return duckdb.connect(str(path))


def _is_held(exc: Exception) -> bool:
    """Whether another process has the file, or this one in the other way, or is just opening it."""
    text = str(exc)
    reasons = ("lock on file", "different configuration", "handle conflict")
    return any(reason in text for reason in reasons)


def failures(shown: str) -> foreign_errors:
    """Say in our own words what DuckDB raises, and without its text."""
    return foreign_errors(lambda exc: explained(exc, shown))


def explained(exc: Exception, shown: str) -> JobError:
    """Say what an error of DuckDB means, by its class."""
    name = type(exc).__name__
    said, hint = _MEANINGS.get(name, (f"failed in DuckDB ({name})", "check the file and the query"))
    return ConnectorFailed(f"the database {said}", file=shown, hint=hint)


def do(
    connection: "DuckDBPyConnection", statement: str, parameters: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Run a statement to its end."""
    return connection.execute(statement, list(parameters)).fetchall()
