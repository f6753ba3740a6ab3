"""Connections to a server, and what its errors mean."""

import contextlib
from typing import TYPE_CHECKING, Any

from tokenkit.errors import ConnectorFailed, InputNotFound, JobError
from tokenkit_connectors.foreign import foreign_errors, needing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adbc_driver_manager.dbapi import Connection as ArrowConnection
    from psycopg import Connection

EXTRA = "postgresql"
SCHEMA = "public"
"""The schema of tables whose name says none."""
_NO_TABLE = {"42P01", "3F000"}
_STATES = {
    "08": ("can't be reached, or broke off", "check that it runs, then run the job again"),
    "22021": (
        "takes no NUL in text, nor what isn't in its encoding",
        "drop the column, or correct its values",
    ),
    "22": ("has columns that values don't fit", "correct the column's type, or the values"),
    "23": ("has constraints that rows don't keep", "correct the rows, or drop the constraints"),
    "25006": ("can only be read", "target_session_attrs=read-write finds the primary"),
    "28": ("lets nobody in with this user and password", "check url, PGPASSWORD and pg_hba.conf"),
    "2BP01": ("has views or others that depend on the table", "drop them, or write elsewhere"),
    "3D000": ("has no such database", "check url"),
    "3F000": ("lacks the schema", "create it first"),
    "40": ("was changed by another job meanwhile", "run the job again"),
    "42501": ("refuses this to the user of the url", "GRANT what the job needs"),
    "42601": ("can't read the query", "try it in psql"),
    "42703": ("lacks a column of the query", "try it in psql"),
    "42P01": ("lacks the table", "check its name, and its schema's"),
    "42P07": ("got a table of that name meanwhile", "run the job again"),
    "53": ("has no space, memory or connections left", "free some, then run the job again"),
    "55P03": ("has others holding the table", "run the job again, or raise wait"),
    "57": ("can't be reached, or broke off", "check that it runs, then run the job again"),
}


def explained(exc: Exception, shown: str) -> JobError:
    """Say what an error of the server or the driver means, by its SQLSTATE; never its text."""
    state = str(getattr(exc, "sqlstate", None) or "")
    if not state and type(exc).__name__ in {"OperationalError", "ConnectionTimeout"}:
        state = "08"
    found = _STATES.get(state) or _STATES.get(state[:2])
    said, hint = found or (f"failed: {state or type(exc).__name__}", "look into the server's log")
    return ConnectorFailed(f"PostgreSQL {said}", file=shown, hint=hint)


def failures(shown: str, *, reading: bool = False) -> foreign_errors:
    """Say in our own words what the server and the drivers raise."""

    def explain(exc: Exception) -> JobError:
        error = explained(exc, shown)
        if reading and str(getattr(exc, "sqlstate", "")) in _NO_TABLE:
            return InputNotFound("there is no such table", file=shown, hint="check its name")
        return error

    return foreign_errors(explain)


@contextlib.contextmanager
def connected(url: str, shown: str, *, read_only: bool) -> "Iterator[Connection[Any]]":
    """Connect; what isn't committed by the end of the block is rolled back.

    Raises
    ------
    ConnectorFailed
        If the server can't be reached, or lets nobody in.
    """
    with needing(EXTRA):
        import psycopg
    with failures(shown):
        connection = psycopg.connect(url, application_name="tokenkit")
        connection.read_only = read_only
        # Names and numbers are read alike, whatever the server's defaults are.
        connection.execute(
            "SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8'; SET datestyle = 'ISO'"
        )
    try:
        yield connection
    finally:
        with contextlib.suppress(psycopg.Error):
            connection.close()


@contextlib.contextmanager
def connected_by_arrow(url: str, shown: str) -> "Iterator[ArrowConnection]":
    """Connect by ADBC, to read.

    Raises
    ------
    ConnectorFailed
        If the server can't be reached, or lets nobody in.
    """
    with needing(EXTRA):
        from adbc_driver_postgresql import dbapi
    with failures(shown):
        connection = dbapi.connect(url)
    try:
        with failures(shown), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        yield connection
    finally:
        with contextlib.suppress(Exception):
            connection.close()
