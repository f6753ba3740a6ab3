"""The store's database: connections and transactions, on PostgreSQL and on SQLite."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, StaticPool

from tokenkit.errors import StoreError, StoreUnavailable
from tokenkit.store.address import Address, read_address
from tokenkit.store.deadlines import Deadlines
from tokenkit.store.failures import store_errors

CONNECT_SECONDS = 10
"""How long a connection may take to be made."""
LOCK_SECONDS = 30
"""How long SQLite waits for another process to end its transaction."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server's connections may take; jobs have none.

    Attributes
    ----------
    connections
        How many there are at most.
    seconds
        How long a transaction may take, as may waiting for a connection, and making one. A
        transaction that takes longer is broken off from this side, so that nobody waits for a
        server that went silent.
    """

    connections: int
    seconds: float


_PAUSE = 0.01
_READS = "tokenkit_reads"


class Database:
    """An open database; a context manager that closes it.

    Examples
    --------
    >>> with Database.open("sqlite://") as database, database.begin() as connection:
    ...     connection.exec_driver_sql("SELECT count(*) FROM runs").scalar_one()
    0
    """

    def __init__(self, address: Address, engine: Engine) -> None:
        self.address = address
        self.engine = engine

    @classmethod
    def open(
        cls, url: str | None = None, *, check: bool = True, limits: Limits | None = None
    ) -> Self:
        """Open a database.

        An embedded one, of SQLite, is made where there is none, and brought up to date.

        Parameters
        ----------
        url
            Where it is; see :func:`~tokenkit.store.address.read_address`.
        check
            Whether its tables must be of this version.
        limits
            What connections may take; by default as much as they need.

        Raises
        ------
        StoreUnavailable
            If it can't be reached.
        SchemaOutdated
            If PostgreSQL's tables are of another version; ``tokenkit db upgrade`` changes them.
        StoreError
            If the URL, or the driver, isn't there.
        """
        from tokenkit.store.upgrading import (  # noqa: PLC0415 - it needs this module
            bring_up,
            require_current,
        )

        address = read_address(url)
        if address.uri is not None:
            engine = _postgresql(address.uri, limits)
        else:
            engine = _sqlite(address.file, limits)
        database = cls(address, engine)
        if not check:
            return database
        try:
            if database.is_postgresql:
                require_current(database)
            else:
                bring_up(database)
        except BaseException:
            database.close()
            raise
        return database

    @property
    def is_postgresql(self) -> bool:
        """Whether it's PostgreSQL."""
        return self.address.is_postgresql

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in a transaction, which is committed unless an exception leaves it.

        Raises
        ------
        StoreError
            If the database fails; nothing has been written then.
        """
        with store_errors(str(self.address)), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection in a transaction that sees one state, and changes nothing.

        Raises
        ------
        StoreError
            If the database fails.
        """
        with store_errors(str(self.address)), self.engine.connect() as raw:
            options: dict[str, Any] = {_READS: True}
            if self.is_postgresql:
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            yield raw.execution_options(**options)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self.address}>"


def _postgresql(uri: str, limits: Limits | None) -> Engine:
    try:
        import psycopg  # noqa: PLC0415 - an extra
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    except ImportError:
        raise StoreError(
            "PostgreSQL needs the package psycopg",
            hint="pip install 'tokenkit-vaultless[postgresql]'",
        ) from None

    def connect() -> "psycopg.Connection[Any]":
        # libpq reads the URI: several hosts, TLS options and files of passwords are its business.
        # What it says comes before what stands here.
        ours: dict[str, Any] = {"fallback_application_name": "tokenkit"}
        if "PGCONNECT_TIMEOUT" not in os.environ:
            ours["connect_timeout"] = CONNECT_SECONDS
        if limits is not None:
            # Whole seconds, of which libpq takes two at least.
            ours["connect_timeout"] = max(2, round(limits.seconds))
            ours["keepalives_idle"] = max(1, round(limits.seconds))
            ours["tcp_user_timeout"] = round(limits.seconds * 1000)
        try:
            return psycopg.connect(uri, **(ours | conninfo_to_dict(uri)))
        except ValueError:
            # A host that can't be the name of one; SQLAlchemy knows the driver's errors alone.
            raise psycopg.OperationalError("no such host") from None

    pool: dict[str, Any] = {"pool_pre_ping": True}
    if limits is not None:
        # The connection is looked at under the deadline, not before it begins.
        pool = {
            "pool_pre_ping": False,
            "pool_size": limits.connections,
            "max_overflow": 0,
            "pool_timeout": limits.seconds,
        }
    engine = create_engine(
        "postgresql+psycopg://", creator=connect, pool_recycle=1800, hide_parameters=True, **pool
    )
    if limits is not None:
        Deadlines(limits.seconds).watch(engine)
    return engine


def _sqlite(file: Path | None, limits: Limits | None) -> Engine:
    if file is None:
        # One connection, or each would see a memory of its own.
        engine = create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
    else:
        _make_private(file)
        engine = create_engine(
            URL.create("sqlite", database=str(file)),
            connect_args={"timeout": LOCK_SECONDS if limits is None else limits.seconds},
            poolclass=NullPool,
            hide_parameters=True,
        )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_private(file: Path) -> None:
    reason = ""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
    if reason:
        raise StoreUnavailable(
            f"the SQLite file {file} can't be opened: {reason}",
            hint="check the folder and its permissions, or name another file in "
            "TOKENKIT_DATABASE_URL",
        )


def _prepare(connection: Any, _record: object) -> None:
    # The driver would begin transactions late, and end them before tables are made.
    connection.isolation_level = None
    _log_ahead(connection)
    for pragma in ("foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _log_ahead(connection: Any) -> None:
    """Let readers go on while others write; a file that does so already stays as it is."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            # A new file's first users meet here, and SQLite itself doesn't wait for this lock.
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(_PAUSE)


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later could not wait for another that does.
    reads = connection.get_execution_options().get(_READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
