"""What PostgreSQL itself refuses: to those who write records, and to their tables' owner."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import LargeBinary, insert

from tests.unit.store.test_migrations import rows
from tokenkit.errors import StoreError
from tokenkit.store.database import Database
from tokenkit.store.models import AuditBatch, AuditEntry, RunRow
from tokenkit.store.models.declarative import Moment
from tokenkit.store.models.every import Base
from tokenkit.store.upgrading import upgrade
from tokenkit.testing.postgresql import PostgresServer

LOG = ("audit_records", "audit_records_2026_01", "audit_records_2026_02", "audit_batches")
EVERY = (
    *LOG, "audit_head", "datasets", "policies", "runs", "run_inputs", "run_outputs",
    "column_edges", "column_runs", "alembic_version",
)  # fmt: skip
JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.fixture
def filled(postgresql):
    """Make two partitions and a record in each."""
    with psycopg.connect(postgresql.writer_url) as connection:
        for number, month in enumerate((1, 2), 1):
            at = JANUARY.replace(month=month)
            connection.execute("SELECT tokenkit_audit_partition(%s)", [at])
            connection.execute(
                "INSERT INTO audit_records (batch, position, at, actor, action, outcome, hash) "
                "VALUES (%s, 1, %s, 'ann', 'tokenize', 'complete', 'x')",
                [number, at],
            )
            connection.execute(
                "INSERT INTO audit_batches VALUES (%s, %s, %s, %s, %s, 1, 'x', 'x', 'k', 1, 'x')",
                [number, bytes([number]), at, at, at],
            )
    return postgresql


def refused(url: str, statement: str) -> bool:
    """Whether PostgreSQL itself refuses a statement for want of the right to it."""
    with psycopg.connect(url) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return True
        finally:
            connection.rollback()
    return False


@pytest.mark.parametrize("table", EVERY)
def test_the_writer_can_neither_delete_nor_truncate(filled, table):
    """On no table, and on no partition."""
    assert refused(filled.writer_url, f"DELETE FROM {table}")
    assert refused(filled.writer_url, f"TRUNCATE {table} CASCADE")
    assert refused(filled.writer_url, f"DROP TABLE {table} CASCADE")


MOVED = {
    "audit_head": {"number", "link"},
    "runs": {
        "status", "ended", "policy_digest", "rows_read", "rows_written", "rows_rejected", "rejects",
        "error_code", "proofs",
    },
}  # fmt: skip


def test_every_table_of_lineage_and_audit_is_tested_here():
    """A new one can't be left out."""
    tested = {name for name in EVERY if not re.search(r"_\d{4}_\d\d$|alembic", name)}
    modules = ("tokenkit.store.models.lineage", "tokenkit.store.models.audit")
    mapped = {
        mapper.class_.__tablename__
        for mapper in Base.registry.mappers
        if mapper.class_.__module__ in modules
    }
    assert tested == mapped


@pytest.mark.parametrize("table", EVERY)
def test_the_writer_changes_no_column_but_those_that_move(filled, table):
    """Each column of each table is tried, and each refused by PostgreSQL itself."""
    columns = filled.server.execute(
        f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'",
        database=filled.name,
    )
    assert columns
    changed = {
        name
        for (name,) in columns
        if not refused(filled.writer_url, f'UPDATE {table} SET "{name}" = "{name}"')
    }
    assert changed == MOVED.get(table, set())


@pytest.mark.parametrize("way", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_an_embedded_log_cannot_be_changed(tmp_path, way):
    """SQLite's triggers refuse it, of records, of batches, and of the chain's end."""
    with Database.open(f"sqlite:///{tmp_path / 'store.db'}") as database:
        with database.begin() as connection:
            for model in (AuditEntry, AuditBatch):
                values = {
                    column.name: JANUARY if isinstance(column.type, Moment) else b"1"
                    if isinstance(column.type, LargeBinary) else 1
                    for column in model.__table__.columns
                }  # fmt: skip
                connection.execute(insert(model).values(values))
        tables = {"audit_records": "actor", "audit_batches": "key"}
        if way.startswith("DELETE"):
            tables["audit_head"] = "link"
        for table, column in tables.items():
            with pytest.raises(StoreError, match="refuses"), database.begin() as connection:
                connection.exec_driver_sql(way.format(table, column, column))


@pytest.mark.parametrize("table", LOG)
def test_the_log_cannot_be_changed(filled, table):
    """By the writer for want of the right; by the owner since triggers refuse."""
    changed = "actor = 'eve'" if "records" in table else "key = 'eve'"
    for url in (filled.writer_url, filled.url):
        assert refused(url, f"UPDATE {table} SET {changed}")
        assert refused(url, f"DELETE FROM {table}")
        assert refused(url, f"TRUNCATE {table}")


@pytest.mark.parametrize("table", EVERY)
def test_the_reader_only_reads(filled, table):
    """It sees all tables, and changes none."""
    assert not refused(filled.reader_url, f"SELECT * FROM {table}")
    for way in ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
        assert refused(filled.reader_url, way.format(table))
    assert refused(filled.reader_url, "SELECT tokenkit_audit_partition(now())")


def test_the_writer_makes_no_tables_but_partitions(filled):
    """The function makes the month's partition, twice without harm, and guards it."""
    assert refused(filled.writer_url, "CREATE TABLE x (y int)")
    with psycopg.connect(filled.writer_url) as connection:
        for _ in range(2):
            connection.execute("SELECT tokenkit_audit_partition('2030-12-31T23:59:59.999999Z')")
    assert refused(filled.url, "TRUNCATE audit_records_2030_12")


def test_the_search_path_of_the_caller_means_nothing(filled):
    """A function that runs with the owner's rights finds the owner's tables alone."""
    with psycopg.connect(filled.writer_url, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE audit_records (x int)")
        connection.execute("SELECT tokenkit_audit_partition('2031-05-01Z')")
    found = filled.server.execute(
        "SELECT inhparent::regclass::text FROM pg_inherits "
        "WHERE inhrelid = 'audit_records_2031_05'::regclass",
        database=filled.name,
    )
    assert found == [("audit_records",)]


def test_a_run_that_has_ended_stays_as_it_is(database):
    """Its record can't be changed; one that is under way can."""
    for status, changes in (("publishing", True), ("complete", False), ("failed", False)):
        with database.begin() as connection:
            connection.execute(insert(RunRow).values(rows(uuid4()) | {"status": status}))
        statement = f"UPDATE runs SET rows_read = 2 WHERE status = '{status}'"
        if changes:
            with database.begin() as connection:
                connection.exec_driver_sql(statement)
        else:
            with pytest.raises(StoreError), database.begin() as connection:
                connection.exec_driver_sql(statement)


def test_who_may_not_make_roles_is_told_what_to_ask_for():
    """An owner without CREATEROLE gets the statements, and no tables; then it works."""
    with PostgresServer() as server:
        server.execute("CREATE USER plain_owner")
        server.execute("CREATE DATABASE owned OWNER plain_owner")
        with Database.open(server.url("owned", "plain_owner"), check=False) as database:
            with pytest.raises(StoreError) as caught:
                upgrade(database)
            assert caught.value.hint is not None
            for statement in caught.value.hint.partition(": ")[2].split("; "):
                server.execute(statement)
            assert upgrade(database)[0] is None
