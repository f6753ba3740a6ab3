"""Migrations of the store's tables: which revision a database is at, and the ways up and down."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from tokenkit.errors import SchemaOutdated, StoreError
from tokenkit.store.database import Database
from tokenkit.store.failures import store_errors

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")
_UPGRADE_LOCK = 7_205_759_403_792_794
"""The number of PostgreSQL's advisory lock; it only has to be no one else's."""
_ALEMBIC = threading.Lock()
"""Alembic keeps the migration that is running in its module."""


def revisions() -> tuple[str, ...]:
    """Name every revision, the oldest first.

    Examples
    --------
    >>> revisions()[0]
    '0001'
    """
    # The files are named by them, so that alembic needn't be imported to know the newest.
    return tuple(sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")))


def current(connection: Connection) -> str | None:
    """Give the revision of a database; None if it has no tables of the store."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)


def require_current(database: Database) -> None:
    """Refuse a database whose tables are of another version.

    Raises
    ------
    SchemaOutdated
        If they are.
    """
    with database.read() as connection:
        found = current(connection)
    newest = revisions()[-1]
    if found is None:
        raise SchemaOutdated(
            f"{database.address} has no tables of the store yet", hint="tokenkit db upgrade"
        )
    if found > newest:
        raise _too_new(database, found)
    if found != newest:
        raise SchemaOutdated(
            f"the tables in {database.address} are of revision {found}, and {newest} is needed",
            hint="tokenkit db upgrade",
        )


def bring_up(database: Database) -> None:
    """Bring an embedded database up to date; costs no more than a look if it is."""
    with database.read() as connection:
        found = current(connection)
    if found != revisions()[-1]:
        upgrade(database)


def upgrade(database: Database, revision: str = "head") -> tuple[str | None, str]:
    """Bring the tables up to a revision, all or nothing.

    Returns
    -------
    before, after
        The revisions; before is None if there were no tables.

    Raises
    ------
    StoreError
        If the database refuses, or is of a newer version than this tokenkit.
    """
    return _move(database, _target(revision), "upgrade")


def statements(database: Database, revision: str = "head") -> str:
    """Write the SQL that :func:`upgrade` would run, for whoever has to read it first.

    Raises
    ------
    StoreError
        If the database can't be read, or is of a newer version than this tokenkit.
    """
    with database.read() as connection:
        before = current(connection)
    target = _target(revision)
    if before is not None and before > revisions()[-1]:
        raise _too_new(database, before)
    if before == target:
        return ""
    from alembic import command  # noqa: PLC0415

    config = _configuration()
    config.output_buffer = written = io.StringIO()
    config.attributes["dialect"] = database.engine.dialect.name
    with _ALEMBIC:
        command.upgrade(config, f"{before or 'base'}:{target}", sql=True)
    return written.getvalue()


def downgrade(database: Database, revision: str) -> tuple[str | None, str]:
    """Take the tables back to a revision, or to none with ``base``; what only they held is lost.

    Raises
    ------
    StoreError
        If the database refuses.
    """
    return _move(database, revision, "downgrade")


def _move(database: Database, revision: str, way: str) -> tuple[str | None, str]:
    revision = _target(revision)
    # Imported for this alone: a job that finds its tables up to date needn't wait for it.
    from alembic import command  # noqa: PLC0415

    with _ALEMBIC, store_errors(str(database.address)), _whole(database) as connection:
        # Read under the lock: another process may just have done it.
        before = current(connection)
        if before is not None and before > revisions()[-1]:
            raise _too_new(database, before)
        config = _configuration()
        config.attributes["connection"] = connection
        getattr(command, way)(config, revision)
    return before, revision


def _target(revision: str) -> str:
    newest = revisions()[-1]
    if revision not in {"head", "base", *revisions()}:
        raise StoreError(
            "there is no such revision", hint=f"revisions are {', '.join(revisions())}"
        )
    return newest if revision == "head" else revision


def _configuration() -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def _whole(database: Database) -> Iterator[Connection]:
    """Give a connection in a transaction that no other process's upgrade runs beside."""
    with database.engine.connect() as connection:
        if database.is_postgresql:
            with connection.begin():
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK}
                )
                yield connection
            return
        # SQLite changes a table by making it anew: rows that refer to it are looked at when all is
        # done, which has to be said before the transaction begins.
        driver = connection.connection.cursor()
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise StoreError(f"{database.address} would have rows that refer to nothing")
        finally:
            driver.execute("PRAGMA foreign_keys = ON")
            driver.close()


def _too_new(database: Database, found: str) -> SchemaOutdated:
    return SchemaOutdated(
        f"the tables in {database.address} are of revision {found}, which this version of tokenkit "
        "doesn't know",
        hint="pip install --upgrade tokenkit-vaultless",
    )
