"""Retention: what a signed statement covers may go, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, func, select, update

from tests.unit.store.audit.attacks import BATCHES, RECORDS
from tests.unit.store.audit.conftest import record
from tests.unit.store.audit.test_tampering import disarm
from tokenkit.errors import AuditBroken, StoreError
from tokenkit.store.audit import AuditLog, Retention, retain, tail, verifying_keys
from tokenkit.store.audit.verification import Statements, _verify
from tokenkit.store.database import Database

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MONTHS = [datetime(2026, month, 15, tzinfo=UTC) for month in (1, 2, 2, 3, 4)]


@pytest.fixture
def months(database, log, key):
    """A log of batches of three records in January to April."""
    for number, month in enumerate(MONTHS):
        with database.begin() as connection:
            log.append(connection, [record(number * 3 + n, at=month) for n in range(3)], key)
    log.checkpoint()
    return database


@pytest.fixture
def cut(months, ring, key, checkpoints):
    """Remove what is older than a month."""

    def run(before=MARCH):
        return retain(
            months, before, verifying_keys(ring), key, actor="ada", checkpoints=checkpoints
        )

    return run


def count(database):
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(RECORDS)).scalar_one()


def remove(database, batch):
    with database.begin() as connection:
        disarm(connection, postgresql=database.is_postgresql)
        connection.execute(delete(RECORDS).where(RECORDS.c.batch == batch))


def test_old_months_go_and_the_rest_verifies(months, cut, verified, checkpoints):
    """The report says what went; a record and a signed statement say who did it, and how far."""
    done = cut()
    assert (done.removed, done.removed_batches) == (9, 3)
    assert count(months) == 7
    found = verified()
    assert (found.holds, found.batches, found.records) == (True, 6, 16)
    assert (found.removed, found.removed_batches, found.unprotected_records) == (9, 3, 0)
    (statement,) = [
        signed.statement for signed in checkpoints.read() if isinstance(signed.statement, Retention)
    ]
    assert (statement.before, statement.batch, statement.removed) == (MARCH, 5, 9)
    last = tail(months, 1)[0]
    assert (last["actor"], last["action"], last["count"]) == ("ada", "retain", 9)
    # Again, there is nothing to do; a month later, one more goes.
    assert cut().removed == 0
    assert cut(datetime(2026, 4, 1, tzinfo=UTC)).removed == 3
    found = verified()
    assert (found.holds, found.removed) == (True, 12)


def test_whole_partitions_are_dropped(months, cut):
    """On PostgreSQL no row is deleted; on SQLite the triggers are back when it's done."""
    cut()
    with months.read() as connection:
        if months.is_postgresql:
            found = connection.exec_driver_sql(
                "SELECT inhrelid::regclass::text FROM pg_inherits "
                "WHERE inhparent = 'audit_records'::regclass ORDER BY 1"
            ).all()
            assert [name for (name,) in found][:2] == [
                "audit_records_2026_03",
                "audit_records_2026_04",
            ]
    with pytest.raises(StoreError), months.begin() as connection:
        connection.execute(delete(RECORDS))


def test_a_deletion_that_is_not_covered_is_a_fault(months, cut, verified):
    """Of a later month, and of an old one that was written after the statement."""
    remove(months, 1)
    fault = verified().fault
    assert (fault.what, fault.batch, fault.position) == ("deleted", 1, 1)
    with pytest.raises(AuditBroken):
        cut()


def test_a_statement_covers_nothing_later(months, log, key, cut, verified):
    """Neither a later month, nor a batch of an old month that came after it."""
    cut()
    with months.begin() as connection:
        log.append(connection, [record(90, at=MONTHS[0])], key)
    log.checkpoint()
    assert verified().holds
    remove(months, 7)
    fault = verified().fault
    assert (fault.what, fault.batch, fault.position) == ("deleted", 7, 1)
    # The next retention isn't misled by that, either.
    with pytest.raises(AuditBroken):
        cut()


def test_a_part_of_a_batch_is_never_covered(months, cut, verified, log, key, checkpoints):
    """A batch's records go together."""
    statement = checkpoints.read()[-1].statement
    checkpoints.append(
        Retention(
            log=statement.log,
            batch=statement.batch,
            link=statement.link,
            records=statement.records,
            at=statement.at,
            check_value=statement.check_value,
            before=MARCH,
            removed=9,
            removed_batches=3,
        )
    )
    # The statement alone removes nothing, as after a crash; then retention ends what it began.
    assert (verified().holds, verified().removed) == (True, 0)
    with months.begin() as connection:
        disarm(connection, postgresql=months.is_postgresql)
        connection.execute(delete(RECORDS).where(RECORDS.c.batch == 2, RECORDS.c.position == 2))
    fault = verified().fault
    assert (fault.what, fault.batch, fault.position) == ("deleted", 2, 2)
    remove(months, 2)
    assert verified().holds
    assert cut().removed == 6
    assert verified().removed == 9


def test_the_rows_of_removed_batches_still_hold(months, cut, ring, checkpoints):
    """Without their records, each of their fields is still held by the link."""
    cut()
    statements = Statements.read(checkpoints.path, checkpoints.public)
    row = BATCHES.c
    changes = {
        "count": row.count - 1,
        "last_hash": row.id,
        "link": row.last_hash,
        "last_at": select(func.max(row.last_at)).scalar_subquery(),
        "first_at": row.written,
        "key": "people",
    }
    for name, value in changes.items():
        with months.engine.connect() as connection, connection.begin() as transaction:
            disarm(connection, postgresql=months.is_postgresql)
            connection.execute(update(BATCHES).where(row.number == 2).values({name: value}))
            found = _verify(connection, months, verifying_keys(ring), statements, None)
            transaction.rollback()
        assert found.fault is not None
        assert (found.fault.what, found.fault.batch) == ("batch altered", 2)


@pytest.mark.parametrize(
    "before",
    [
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 1, 1, tzinfo=UTC),
        datetime(9000, 1, 1, tzinfo=UTC),
    ],
)
def test_only_whole_months_that_have_ended_go(months, cut, before):
    """Anything else is refused, and nothing is removed."""
    with pytest.raises(StoreError):
        cut(before)
    assert count(months) == 15


def test_the_writer_may_not(postgresql, ring, key, checkpoints):
    """Dropping partitions is for the tables' owner; nothing is removed."""
    with Database.open(postgresql.writer_url) as database:
        with database.begin() as connection:
            AuditLog(database, checkpoints).append(connection, [record(1)], key)
        with pytest.raises(StoreError):
            retain(database, MARCH, verifying_keys(ring), key, actor="eve", checkpoints=checkpoints)
        assert count(database) == 1
    with Database.open(postgresql.url) as database:
        done = retain(
            database, MARCH, verifying_keys(ring), key, actor="ada", checkpoints=checkpoints
        )
        assert (done.removed, count(database)) == (1, 1)
