"""Opening a database: what its URL may be, and what is never said of it."""

import logging
import sqlite3
import stat
import subprocess
import sys
import traceback
from typing import Any

import pytest

from tokenkit.errors import StoreError, StoreUnavailable
from tokenkit.store.address import Address, read_address
from tokenkit.store.database import Database

SECRET = "hunter2"
WRONG = (
    "postgresql://ann:hunter2@127.0.0.1:1/lineage",
    "postgres://ann:hunter2@127.0.0.1:1,127.0.0.1:2/x?target_session_attrs=read-write",
    "postgresql://ann@127.0.0.1:1/x?password=hunter2",
    "postgresql://ann:hunter2@127.0.0.1/x?sslmode=hunter2",
    "postgresql://ann:hunter2@127.0.0.1:hunter2/x",
    "postgresql://ann:hunter2@127.0.0.1/x?hunter2",
    "postgresql://ann:hunter2",
    "postgresql://ann:hunter2/x",
    "postgresql://ann:/hunter2@127.0.0.1:1/x",
    "postgresql://ann:?hunter2@127.0.0.1:1/x",
    "postgresql://ann:#hunter2@127.0.0.1:1/x",
    "postgresql://ann:a[hunter2@127.0.0.1:1/x",
    "postgresql://ann:p@hunter2@127.0.0.1:1/x",
    "postgresql://ann:hunter2\N{ACCOUNT OF}@127.0.0.1:1/x",
    "postgresql://ann:%zzhunter2@127.0.0.1:1/x",
    "postgresql://ann:hunter2@127.0.0.1:1/x\0",
    f"postgresql://ann:hunter2@{'a' * 70}/x",
    "mysql://ann:hunter2@db/x",
    "sqlite://ann:hunter2@db/x",
    "hunter2",
)


def everything_of(error: BaseException) -> str:
    """Give an error, what is attached to it, and its traceback, as text."""
    assert error.__cause__ is None
    assert error.__context__ is None
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("url", WRONG)
def test_no_error_shows_a_password(url, caplog):
    """Nor anything that the driver says; wherever in the URL the password stands."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StoreError) as caught:
        Database.open(url)
    # The line of the test that holds the URL is no part of it: the parameter isn't in the source.
    assert SECRET not in everything_of(caught.value)
    assert SECRET not in caplog.text
    assert SECRET not in str(caught.value.hint)


def test_an_open_database_shows_no_password(postgresql):
    """Neither it, nor its engine, nor its address."""
    url = postgresql.url.replace("postgres@", f"postgres:{SECRET}@")
    with Database.open(url) as database, database.begin() as connection:
        for thing in (database, database.engine, database.engine.url, database.address, connection):
            assert SECRET not in f"{thing!r} {thing}"


def test_what_the_server_says_is_withheld(database):
    """A statement that is refused quotes neither its values nor the server's words."""
    with pytest.raises(StoreError) as caught, database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO runs (id, actor) VALUES ('hunter2', 'hunter2')")
    assert SECRET not in everything_of(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:pw@db:5432/lineage", "PostgreSQL at db:5432, database lineage"),
        ("postgres://db1:1,db2:2/x?sslmode=require", "PostgreSQL at db1:1,db2:2, database x"),
        ("postgresql://ann@[::1]:5432/x", "PostgreSQL at [::1]:5432, database x"),
        ("postgresql:///x?host=/var/run", "PostgreSQL at /var/run, database x"),
        ("postgresql://%2Fvar%2Frun/x", "PostgreSQL at /var/run, database x"),
        ("postgresql://", "PostgreSQL at the default socket, database -"),
        ("postgresql://ann:hun/ter2@db/x", "PostgreSQL"),
        ("sqlite://", "SQLite in memory"),
        ("sqlite:///:memory:", "SQLite in memory"),
        ("sqlite:///lineage.db", "the SQLite file lineage.db"),
    ],
)
def test_an_address_is_shown_as_far_as_it_is_sure(url, shown):
    """Hosts and database; and neither where a password may have slipped into them."""
    assert str(read_address(url)) == shown
    assert url not in repr(read_address(url)) or url == "sqlite://"


def test_the_default_is_in_the_users_folder(tmp_path, monkeypatch):
    """Folder and file are for their owner alone."""
    monkeypatch.delenv("TOKENKIT_DATABASE_URL", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    file = tmp_path / "tokenkit" / "tokenkit.db"
    assert read_address() == Address(file)
    with Database.open() as database, database.begin():
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (*file.parent.iterdir(), file)}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_an_option_of_a_sqlite_url_is_refused():
    """Rather than passed over."""
    with pytest.raises(StoreError, match="without options"):
        read_address("sqlite:////data/tokenkit.db?mode=ro")


def test_what_is_no_database_is_refused(tmp_path):
    """A file of another kind is left alone."""
    file = tmp_path / "other.db"
    file.write_bytes(b"hunter2 " * 1000)
    with pytest.raises(StoreError, match="isn't one"):
        Database.open(f"sqlite:///{file}")
    assert file.read_bytes() == b"hunter2 " * 1000


def test_a_missing_driver_is_named(monkeypatch):
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError) as caught:
        Database.open("postgresql://db/x")
    assert caught.value.hint == "pip install 'tokenkit-vaultless[postgresql]'"


def test_a_url_says_more_than_the_defaults(postgresql):
    """Its own name of the application and its own timeout stand; ours are there without."""
    with Database.open(postgresql.url) as database, database.begin() as connection:
        found = connection.exec_driver_sql("SHOW application_name").scalar_one()
    assert found == "tokenkit"
    url = f"{postgresql.url}&application_name=nightly&connect_timeout=7"
    with Database.open(url) as database, database.begin() as connection:
        found = connection.exec_driver_sql("SHOW application_name").scalar_one()
        driver: Any = connection.connection.driver_connection
        seconds = driver.info.get_parameters()["connect_timeout"]
    assert (found, seconds) == ("nightly", "7")


def test_the_server_that_takes_writes_is_found(postgresql):
    """Of several hosts, of which one doesn't answer."""
    folder = postgresql.server.folder
    url = f"postgresql://postgres@/{postgresql.name}?host=/nowhere,{folder}"
    with Database.open(f"{url}&target_session_attrs=read-write") as database:
        assert database.is_postgresql
    with pytest.raises(StoreUnavailable):
        Database.open(f"{url}&target_session_attrs=read-only")


def test_an_embedded_database_waits_for_writers_and_keeps_what_it_has(tmp_path):
    """WAL, foreign keys and full synchronisation are on; a writer locks from the start."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Database.open(url) as database:
        with database.read() as connection:
            pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas]
        assert found == ["wal", 1, 2, 30_000]
        with database.begin():
            other = sqlite3.connect(tmp_path / "store.db", timeout=0, isolation_level=None)
            with pytest.raises(sqlite3.OperationalError):
                other.execute("BEGIN IMMEDIATE")
            other.close()


def test_importing_tokenkit_imports_no_database():
    """SQLAlchemy is for those who record or ask."""
    code = (
        "import sys, tokenkit, tokenkit.cli.app\n"
        "assert not {'sqlalchemy', 'alembic', 'psycopg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
