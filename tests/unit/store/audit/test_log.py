"""Writing the audit log."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import psycopg
import pytest
from sqlalchemy import func, select

from tests.unit.store.audit.conftest import START, record
from tests.vectors import reference_audit
from tokenkit.errors import StoreError, StoreUnavailable, UnknownKey
from tokenkit.keys import Keyring
from tokenkit.store.audit import AuditLog, audit_key, tail
from tokenkit.store.audit.copying import copy_in
from tokenkit.store.audit.rows import NAMES
from tokenkit.store.database import Database
from tokenkit.store.models import AuditBatch, AuditEntry, AuditHead


def append(database, log, key, *records):
    with database.begin() as connection:
        log.append(connection, records, key)


def test_records_come_back_as_they_were_given(database, log, key):
    """Every field, by way of the database, in order."""
    records = [record(number) for number in range(40)]
    append(database, log, key, *records[:1])
    append(database, log, key, *records[1:])
    found = tail(database, 100)
    assert [{name: row[name] for name in NAMES} for row in found] == [
        {name: getattr(one, name) for name in NAMES} for one in records
    ]


def test_the_chain_is_that_of_the_contract(database, log, key):
    """Hashes and links as plain Python computes them from the tables."""
    for start in range(0, 30, 5):
        append(database, log, key, *(record(number) for number in range(start, start + 5)))
    version, previous = bytes(range(32)), reference_audit.FIRST_LINK
    with database.read() as connection:
        batches = connection.execute(select(AuditBatch.__table__).order_by("number")).all()
        assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))
        for batch in batches:
            entries = select(AuditEntry.__table__).where(AuditEntry.batch == batch.number)
            rows = connection.execute(entries.order_by("position")).mappings().all()
            assert [row["position"] for row in rows] == list(range(1, batch.count + 1))
            plain = [dict(row) | {"at": micros(row["at"])} for row in rows]
            hashes = reference_audit.hashes(version, batch.id, plain)
            assert hashes == [row["hash"] for row in rows]
            previous = reference_audit.link(
                version,
                previous,
                number=batch.number,
                identity=batch.id,
                written=micros(batch.written),
                first_at=min(row["at"] for row in plain),
                last_at=max(row["at"] for row in plain),
                count=len(rows),
                last_hash=hashes[-1],
                key=batch.key,
                key_id=batch.key_id,
            )
            assert batch.link == previous
            assert batch.check_value == key.check_value
        head = connection.execute(select(AuditHead.number, AuditHead.link)).one()
    assert (head.number, head.link) == (len(batches), previous)


def micros(moment):
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_no_batch_spans_two_months(database, log, key, verified):
    """Records of one call are grouped by month in UTC, so that a month can go as a whole."""
    new_york = timezone(timedelta(hours=-5))
    moments = [
        datetime(2026, 2, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 31, 18, 59, 59, 999_999, new_york),
        datetime(2026, 1, 31, 19, tzinfo=new_york),
        datetime(2025, 12, 31, 23, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    ]
    append(database, log, key, *(record(n, at=at) for n, at in enumerate(moments)))
    with database.read() as connection:
        query = select(AuditBatch.first_at, AuditBatch.last_at, AuditBatch.count)
        found = connection.execute(query.order_by(AuditBatch.number)).all()
    assert [(one.first_at.month, one.last_at.month, one.count) for one in found] == [
        (12, 12, 1),
        (1, 1, 2),
        (2, 2, 2),
    ]
    assert verified().holds


def test_what_is_rolled_back_was_never_there(database, log, key, verified):
    """Chain and head go back with the caller's transaction."""
    append(database, log, key, record(1))

    def fail():
        with database.begin() as connection:
            log.append(connection, [record(2)], key)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    append(database, log, key, record(3))
    append(database, log, key)
    assert [row["count"] for row in tail(database)] == [1, 3]
    assert verified().holds


def test_a_frame_becomes_the_same_records(database, log, key, verified):
    """In volume, through COPY on PostgreSQL; in pieces, and with columns left out."""
    rows = 40_000
    frame = pl.DataFrame(
        {
            "count": range(rows),
            "at": [START + timedelta(microseconds=n) for n in range(rows)],
            "token_hash": [n.to_bytes(4) if n % 7 else None for n in range(rows)],
        }
    ).with_columns(
        action=pl.lit("tokenize"),
        actor=pl.lit("é \U0001f600\n"),
        outcome=pl.lit(""),
        reason=pl.when(pl.col("count") % 2 == 0).then(pl.lit("TK301")).cast(pl.Categorical),
    )
    with database.begin() as connection:
        log.append_many(connection, frame, key)
    found = tail(database, rows)
    assert [row["position"] for row in found] == list(range(1, rows + 1))
    for name in frame.columns:
        assert [row[name] for row in found] == frame[name].to_list()
    assert {row["detail"] for row in found} == {None}
    assert verified().records == rows


@pytest.mark.parametrize(
    "change",
    [
        pl.col("count").alias("other"),
        pl.lit(None, pl.String).alias("actor"),
        pl.lit("many").alias("count"),
        pl.col("at").dt.replace_time_zone(None),
        pl.lit("a\0b").alias("actor"),
    ],
    ids=["another column", "no actor", "no number", "no time zone", "NUL"],
)
def test_frames_of_another_form_are_refused(database, log, key, change):
    """With an error that names the column and no value; nothing is written."""
    frame = pl.DataFrame({"at": [START], "actor": "ada", "action": "", "outcome": "", "count": 1})
    with pytest.raises(StoreError) as caught, database.begin() as connection:
        log.append_many(connection, frame.with_columns(change), key)
    assert "many" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert tail(database) == []


def test_odd_names_are_escaped_rather_than_lost(database, log, key, verified):
    """A file's name may hold what no database keeps: it is audited all the same."""
    append(database, log, key, record(1, object="a\0b", actor="\udcff", detail="\u2028"))
    found = tail(database)[0]
    assert (found["object"], found["actor"], found["detail"]) == ("a\\x00b", "\\udcff", "\u2028")
    assert verified().holds


@pytest.mark.parametrize(
    "fields",
    [{"at": datetime(2026, 1, 1)}, {"actor": None}, {"count": 2**63}, {"key_id": "x"}],  # noqa: DTZ001
)
def test_records_that_are_none_are_refused(database, log, key, fields):
    """Without a zone, an actor, or numbers that fit."""
    with pytest.raises(StoreError) as caught:
        append(database, log, key, record(1, **fields))
    assert caught.value.__context__ is None
    assert tail(database) == []


def test_the_key_is_the_one_that_was_named(monkeypatch):
    """By the environment, by the name `audit`, or by name among the enabled ones."""
    with Keyring.from_secrets({"people": bytes(32), "cards": b"c" * 32}) as ring:
        assert audit_key(ring).name == "cards"
        ring.disable("cards", 1)
        assert audit_key(ring).name == "people"
        ring.add("audit")
        assert audit_key(ring).name == "audit"
        monkeypatch.setenv("TOKENKIT_AUDIT_KEY", "people")
        assert audit_key(ring).name == "people"
        monkeypatch.setenv("TOKENKIT_AUDIT_KEY", "other")
        with pytest.raises(UnknownKey):
            audit_key(ring)
    monkeypatch.delenv("TOKENKIT_AUDIT_KEY")
    with Keyring.from_secrets({}) as ring, pytest.raises(UnknownKey):
        audit_key(ring)


def test_a_log_goes_on_under_another_key(database, log, ring, verified):
    """Rotated, or another key: each batch names its own, and disabled ones still verify."""
    append(database, log, ring["audit"].primary, record(1))
    ring.rotate("audit")
    append(database, log, ring["audit"].primary, record(2))
    append(database, log, ring["people"].primary, record(3))
    ring.disable("audit", 1)
    assert verified().holds


def test_the_writer_appends_and_changes_nothing(postgresql, key, checkpoints):
    """PostgreSQL itself refuses UPDATE, DELETE and TRUNCATE, on every partition."""
    with Database.open(postgresql.writer_url) as database:
        log = AuditLog(database, checkpoints)
        append(database, log, key, *(record(number) for number in range(0, 150, 10)))
        frame = pl.DataFrame({"at": [START], "actor": "", "action": "", "outcome": ""})
        with database.begin() as connection:
            log.append_many(connection, frame, key)
        log.checkpoint()
    partitions = postgresql.server.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'audit_records'::regclass",
        database=postgresql.name,
    )
    assert len(partitions) == 6
    with psycopg.connect(postgresql.writer_url, autocommit=True) as connection:
        for table in ("audit_records", "audit_batches", *(name for (name,) in partitions)):
            for statement in (
                "UPDATE {} SET key = ''",
                "DELETE FROM {}",
                "TRUNCATE {}",
                "DROP TABLE {}",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.format(table).encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())


def test_a_connection_that_breaks_off_is_told_as_such(postgresql, key):
    """Within COPY as elsewhere; what the driver says isn't attached."""
    frame = pl.DataFrame({"at": [START], "actor": "ada", "action": "", "outcome": ""})

    def broken(database):
        with database.begin() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            postgresql.server.execute(f"SELECT pg_terminate_backend({pid})")
            copy_in(connection, b"")

    def refused(database):
        with database.begin() as connection:
            copy_in(connection, b"no copy at all")

    with Database.open(postgresql.url) as database:
        for attempt, kind in ((broken, StoreUnavailable), (refused, StoreError)):
            with pytest.raises(kind) as caught:
                attempt(database)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None
        with database.begin() as connection:
            AuditLog(database).append_many(connection, frame, key)
        assert len(tail(database)) == 1


_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tokenkit.keys import Keyring
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit import AuditLog
from tokenkit.store.database import Database

url, name, rounds = sys.argv[1:]
with Keyring.from_secrets({"audit": bytes(range(32))}) as ring, Database.open(url) as database:
    log = AuditLog(database)
    for number in range(int(rounds)):
        at = datetime(2026, 1 + number % 3, 1, tzinfo=UTC)
        records = [
            AuditRecord(at=at, actor=name, action="test", outcome="complete", count=number * 3 + n)
            for n in range(number % 3 + 1)
        ]
        with database.begin() as connection:
            log.append(connection, records, ring["audit"].primary)
"""


@pytest.mark.slow
def test_eight_processes_write_one_chain(database, database_url, tmp_path, verified, monkeypatch):
    """At once, into months that have no partition yet: nothing is lost, and the chain holds."""
    rounds = 24
    environment = os.environ | {
        "TOKENKIT_AUDIT_CHECKPOINTS": str(tmp_path / "checkpoints.jsonl"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    environment.pop("TOKENKIT_AUDIT_SIGNING_KEY")
    command = [sys.executable, "-c", _WRITER, database_url]
    processes = [
        subprocess.Popen([*command, f"w{number}", str(rounds)], env=environment)
        for number in range(8)
    ]
    assert [process.wait(120) for process in processes] == [0] * 8
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("TOKENKIT_AUDIT_SIGNING_KEY")
    beside = tmp_path / "data" / "tokenkit" / "audit" / "audit-signing-key.pub.pem"
    (tmp_path / "signing" / "key.pub.pem").write_bytes(beside.read_bytes())
    found = verified()
    assert found.holds
    assert (found.batches, found.records) == (8 * rounds, 8 * rounds * 2)
    # Each process made a last checkpoint when it ended, under a key that one of them made.
    assert found.unprotected_records == 0
    with database.read() as connection:
        query = select(AuditEntry.actor, func.count()).group_by(AuditEntry.actor)
        assert set(connection.execute(query).all()) == {(f"w{n}", rounds * 2) for n in range(8)}
        for number in range(8):
            order = select(AuditEntry.count).where(AuditEntry.actor == f"w{number}")
            counts = connection.scalars(order.order_by(AuditEntry.batch, AuditEntry.position)).all()
            assert list(counts) == sorted(counts)
