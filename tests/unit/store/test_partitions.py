"""The months of the audit log: made when they are needed, by whoever comes first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from tokenkit.testing.postgresql import PostgresServer

BORDER = datetime(2026, 3, 1, tzinfo=UTC)
INSERT = (
    "INSERT INTO audit_records (batch, position, at, actor, action, outcome, hash) "
    "VALUES (%s, %s, %s, 'ann', 'tokenize', 'complete', 'x')"
)


def test_eight_writers_cross_the_border_of_a_month_at_once(postgresql):
    """All of their records are kept, each in its month, and both partitions are guarded."""
    ready = threading.Barrier(8)

    def write(number: int) -> None:
        with psycopg.connect(postgresql.writer_url) as connection:
            ready.wait(60)
            for position in range(20):
                at = BORDER + timedelta(microseconds=position - 10)
                with connection.transaction():
                    # As the log is written: the end of the chain is locked first.
                    connection.execute("SELECT number FROM audit_head WHERE id = 1 FOR UPDATE")
                    connection.execute("SELECT tokenkit_audit_partition(%s)", [at])
                    connection.execute(INSERT, [number, position, at])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    found = postgresql.server.execute(
        "SELECT tableoid::regclass::text, count(*), min(at), max(at) FROM audit_records "
        "GROUP BY 1 ORDER BY 1",
        database=postgresql.name,
    )
    microsecond = timedelta(microseconds=1)
    assert found == [
        ("audit_records_2026_02", 80, BORDER - 10 * microsecond, BORDER - microsecond),
        ("audit_records_2026_03", 80, BORDER, BORDER + 9 * microsecond),
    ]
    for table, *_ in found:
        for way in ("UPDATE {} SET actor = 'eve'", "DELETE FROM {}", "TRUNCATE {}"):
            for url in (postgresql.writer_url, postgresql.url):
                with (
                    psycopg.connect(url) as connection,
                    pytest.raises(psycopg.errors.InsufficientPrivilege),
                ):
                    connection.execute(sql.SQL(way).format(sql.Identifier(table)))


def test_eight_writers_make_a_month_without_another_lock(postgresql):
    """The function alone is safe to race for, with nothing locked before."""
    ready = threading.Barrier(8)

    def make(_number: int) -> None:
        with psycopg.connect(postgresql.writer_url) as connection:
            ready.wait(60)
            connection.execute("SELECT tokenkit_audit_partition('2027-06-01Z')")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))


def test_a_new_month_waits_for_nobody_who_reads_or_writes(postgresql):
    """An audit that is verified for minutes, and a transaction that writes, go on beside it."""
    with psycopg.connect(postgresql.writer_url) as first:
        first.execute("SELECT tokenkit_audit_partition(%s)", [BORDER])
        first.commit()
        first.execute(INSERT, [1, 1, BORDER])
        with (
            psycopg.connect(postgresql.reader_url) as reader,
            psycopg.connect(postgresql.writer_url) as second,
        ):
            reader.execute("SELECT count(*) FROM audit_records")
            second.execute("SET lock_timeout = '5s'")
            later = BORDER + timedelta(days=40)
            second.execute("SELECT tokenkit_audit_partition(%s)", [later])
            second.execute(INSERT, [2, 1, later])


def test_a_month_has_the_indexes_of_the_whole(postgresql):
    """None is missing, and none is there twice."""
    postgresql.server.execute(
        "SELECT tokenkit_audit_partition('2028-02-29Z')", database=postgresql.name
    )
    found = postgresql.server.execute(
        "SELECT count(*), count(inhparent) FROM pg_index LEFT JOIN pg_inherits "
        "ON inhrelid = indexrelid WHERE indrelid = 'audit_records_2028_02'::regclass",
        database=postgresql.name,
    )
    whole = postgresql.server.execute(
        "SELECT count(*) FROM pg_index WHERE indrelid = 'audit_records'::regclass",
        database=postgresql.name,
    )
    assert found == [whole[0] * 2]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_months_are_those_of_utc(postgresql, zone):
    """Whatever the time zone of the session that makes the partition."""
    with psycopg.connect(postgresql.writer_url) as connection:
        connection.execute(sql.SQL("SET TIME ZONE {}").format(zone))
        for number, at in enumerate((BORDER - timedelta(microseconds=1), BORDER)):
            connection.execute("SELECT tokenkit_audit_partition(%s)", [at])
            connection.execute(INSERT, [number, 1, at])
    found = postgresql.server.execute(
        "SELECT tableoid::regclass::text FROM audit_records ORDER BY at", database=postgresql.name
    )
    assert found == [("audit_records_2026_02",), ("audit_records_2026_03",)]


def test_a_month_without_partition_takes_no_records(postgresql):
    """There is none for what belongs nowhere: it couldn't be dropped by the month."""
    with (
        psycopg.connect(postgresql.writer_url) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(INSERT, [1, 1, BORDER])


def test_functions_of_others_are_not_called(postgresql):
    """In a schema that others may write to, a function that fits better is passed over."""
    owner = {"database": postgresql.name}
    postgresql.server.execute("GRANT CREATE ON SCHEMA public TO tokenkit_writer", **owner)
    with psycopg.connect(postgresql.writer_url) as connection:
        for parameters in ("text, text", "text, text, text"):
            connection.execute(
                f"CREATE FUNCTION format({parameters}) RETURNS text LANGUAGE plpgsql AS $$ "
                "BEGIN RAISE EXCEPTION 'called'; END $$".encode()
            )
        connection.execute("SELECT tokenkit_audit_partition('2029-06-01Z')")


def test_a_schema_of_its_own_holds_the_store(postgresql_server: PostgresServer):
    """Where the search path names one, all is there, and both roles can use it."""
    from tokenkit.store.database import Database
    from tokenkit.store.upgrading import upgrade

    server = postgresql_server
    server.execute("CREATE DATABASE with_schema")
    server.execute("CREATE SCHEMA lineage", database="with_schema")
    try:
        path = "&options=-csearch_path%3Dlineage"
        with Database.open(server.url("with_schema") + path, check=False) as database:
            upgrade(database)
        with psycopg.connect(server.url("with_schema", "ann_writer") + path) as connection:
            connection.execute("SELECT tokenkit_audit_partition(%s)", [BORDER])
            connection.execute(INSERT, [1, 1, BORDER])
        with psycopg.connect(server.url("with_schema", "ann_reader") + path) as connection:
            found = connection.execute("SELECT tableoid::regclass::text FROM audit_records")
            assert found.fetchall() == [("audit_records_2026_03",)]
        Database.open(server.url("with_schema", "ann_writer") + path).close()
        tables = server.execute(
            "SELECT DISTINCT schemaname FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
            database="with_schema",
        )
        assert tables == [("lineage",)]
    finally:
        server.execute("DROP DATABASE with_schema WITH (FORCE)")
