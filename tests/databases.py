"""Databases for tests: each test gets its own, on PostgreSQL and on SQLite."""

import itertools
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tokenkit.store.database import Database
from tokenkit.store.upgrading import upgrade
from tokenkit.testing.postgresql import PostgresServer

_NUMBERS = itertools.count(1)
_TEMPLATE = "tokenkit_template"


@dataclass(frozen=True)
class PostgresDatabase:
    """A database of the tests' server, and the URLs of those who use it."""

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        """As the superuser, who owns the tables."""
        return self.server.url(self.name)

    @property
    def writer_url(self) -> str:
        """As one who has the role tokenkit_writer, and no more."""
        return self.server.url(self.name, "ann_writer")

    @property
    def reader_url(self) -> str:
        """As one who has the role tokenkit_reader, and no more."""
        return self.server.url(self.name, "ann_reader")


@pytest.fixture(scope="session")
def postgresql_server() -> Generator[PostgresServer, None, None]:
    """Start PostgreSQL, once for all tests."""
    with PostgresServer() as server:
        server.execute(f"CREATE DATABASE {_TEMPLATE}")
        with Database.open(server.url(_TEMPLATE), check=False) as database:
            upgrade(database)
        for kind in ("writer", "reader"):
            server.execute(f"CREATE USER ann_{kind} IN ROLE tokenkit_{kind}")
        yield server


@pytest.fixture
def empty_postgresql(
    postgresql_server: PostgresServer,
) -> Generator[PostgresDatabase, None, None]:
    """Make a database without tables."""
    yield from _made(postgresql_server, "template1")


@pytest.fixture
def postgresql(postgresql_server: PostgresServer) -> Generator[PostgresDatabase, None, None]:
    """Make a database with the store's tables."""
    yield from _made(postgresql_server, _TEMPLATE)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path) -> str:
    """Give the URL of a database with the store's tables, on each back end."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store' / 'tokenkit.db'}"
        Database.open(url).close()
        return url
    made: PostgresDatabase = request.getfixturevalue("postgresql")
    return made.url


@pytest.fixture
def database(database_url: str) -> Generator[Database, None, None]:
    """Open a database with the store's tables, on each back end."""
    with Database.open(database_url) as opened:
        yield opened


def _made(server: PostgresServer, template: str) -> Generator[PostgresDatabase, None, None]:
    name = f"test_{next(_NUMBERS)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield PostgresDatabase(server, name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
