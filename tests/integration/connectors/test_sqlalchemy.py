"""SQLAlchemy URLs: SQLite files and a PostgreSQL server."""

import sqlite3

import polars as pl
import psycopg
import pytest

from tests.integration.connectors.postgresql_system import PASSWORD, PostgresSystem, quoted
from tokenkit.errors import ConnectorFailed, ConnectorMissing, JobError, UnsupportedType
from tokenkit.jobs.connectors import find_connector
from tokenkit.testing.connectors import SourceConformance, System
from tokenkit.testing.connectors.values import numbered

WIDE = ["int8", "int16", "int32", "uint8", "uint16", "uint32"]
TYPES = {
    pl.Boolean: "BOOLEAN", pl.Int64: "BIGINT", pl.Float64: "FLOAT", pl.String: "TEXT",
    pl.Binary: "BLOB", pl.Date: "DATE", pl.Time: "TIME", pl.Datetime: "DATETIME",
}  # fmt: skip


class SQLiteFile(System):
    """An SQLite file."""

    connector = "sqlalchemy"
    # SQLite keeps decimals as floats, and no time zones.
    refused = frozenset({"decimal", "instant", "uint64"})

    def __init__(self, folder):
        self.path = folder / "tables.db"
        self.stored_as = dict.fromkeys(WIDE, pl.Int64())
        self.stored_as |= {"float32": pl.Float64(), "category": pl.String()}

    def options(self, table):
        return {"url": f"sqlite:///{self.path}", "table": quoted(table)}

    def unreachable(self):
        return {"url": f"sqlite:///{self.path.parent}/no/such.db", "table": "a"}

    def fill(self, table, rows):
        rows = rows.cast({n: self.stored_as[n] for n in rows.columns if n in self.stored_as})
        columns = ", ".join(f"{quoted(n)} {TYPES[type(t)]}" for n, t in rows.schema.items())
        written = rows.with_columns(
            pl.selectors.date().dt.strftime("%Y-%m-%d"),
            pl.selectors.time().dt.strftime("%H:%M:%S%.6f"),
            pl.selectors.datetime().dt.strftime("%Y-%m-%d %H:%M:%S%.6f"),
        )
        marks = ", ".join("?" * rows.width)
        connection = sqlite3.connect(self.path)
        connection.execute(f"DROP TABLE IF EXISTS {quoted(table)}")
        connection.execute(f"CREATE TABLE {quoted(table)} ({columns})")
        connection.executemany(f"INSERT INTO {quoted(table)} VALUES ({marks})", written.rows())
        connection.commit()
        connection.close()

    def rows(self, table):
        raise NotImplementedError


class SQLAlchemyOnPostgres(PostgresSystem):
    """A PostgreSQL database, read by SQLAlchemy."""

    connector = "sqlalchemy"

    def __init__(self, url, connection):
        super().__init__(url, connection)
        self.url = self.url.replace("postgresql://", "postgresql+psycopg://")
        self.read_as = dict.fromkeys(WIDE, pl.Int64()) | {"float32": pl.Float64()}

    def unreachable(self):
        return {"url": f"postgresql+psycopg://ann:{PASSWORD}@localhost:1/x", "table": "a"}

    def fill(self, table, rows):
        super().fill(table, rows)
        self.stored_as = {**self.stored_as, **self.read_as}


class TestSQLite(SourceConformance):
    """The kit's tests of sources, on SQLite."""

    @pytest.fixture
    def system(self, tmp_path):
        return SQLiteFile(tmp_path)


class TestPostgreSQL(SourceConformance):
    """The kit's tests of sources, on PostgreSQL."""

    @pytest.fixture
    def system(self, empty_postgresql):
        with psycopg.connect(empty_postgresql.url, prepare_threshold=None) as connection:
            yield SQLAlchemyOnPostgres(empty_postgresql.url, connection)


def query(tmp_path, text, **options):
    url = f"sqlite:///{tmp_path / 'tables.db'}"
    return find_connector("sqlalchemy").open_source({"url": url, "query": text, **options})


def test_queries_say_their_types_by_their_rows(tmp_path):
    """A colon in a query is no parameter; a type that is given counts."""
    SQLiteFile(tmp_path).fill("t", numbered(25_000))
    text = "SELECT number, 'a:b' AS text, NULL AS unknown FROM t -- :x"
    source = query(tmp_path, text, types={"unknown": "String"})
    found = source.scan().collect()
    assert found.schema == {"number": pl.Int64, "text": pl.String, "unknown": pl.String}
    assert found.height == 25_000
    with pytest.raises(UnsupportedType) as caught:
        _ = query(tmp_path, text).schema
    assert caught.value.column == "unknown"


def test_a_later_value_of_another_type_is_an_error(tmp_path):
    """SQLite holds anything anywhere: what doesn't fit the first rows ends the scan."""
    SQLiteFile(tmp_path).fill("t", numbered(25_000))
    source = query(
        tmp_path, "SELECT CASE WHEN number > 20000 THEN 'secret' ELSE number END AS n FROM t"
    )
    scan = source.scan()
    with pytest.raises(Exception, match=r"read on") as caught:
        scan.collect()
    error = source.explain("")
    assert isinstance(error, ConnectorFailed)
    assert "secret" not in str(error) + str(caught.value)


def test_a_driver_that_is_missing_is_said(tmp_path):
    """The error names the package."""
    source = find_connector("sqlalchemy").open_source(
        {"url": "mysql+nosuchdriver://db/shop", "table": "t"}
    )
    with pytest.raises((ConnectorMissing, ConnectorFailed)):
        _ = source.schema


def test_decimals_of_sqlite_are_refused(tmp_path):
    """It keeps them as floats, which would change them."""
    connection = sqlite3.connect(tmp_path / "tables.db")
    connection.execute("CREATE TABLE t (price NUMERIC(12, 2))")
    connection.close()
    url = f"sqlite:///{tmp_path / 'tables.db'}"
    with pytest.raises(UnsupportedType):
        _ = find_connector("sqlalchemy").open_source({"url": url, "table": "t"}).schema


def test_types_that_are_none_are_refused(tmp_path):
    """A type that isn't known is an error of the job file."""
    with pytest.raises(JobError):
        query(tmp_path, "SELECT 1 AS a", types={"a": "Int128"})
