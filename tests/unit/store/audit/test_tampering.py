"""A thousand tamperings of the log, straight in the database as its superuser: each is found."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete

from tests.unit.store.audit.attacks import BATCHES, KINDS, LAST, RECORDS, SIZES, Attack
from tests.unit.store.audit.conftest import record
from tokenkit.keys import Keyring
from tokenkit.store.audit import verify, verifying_keys
from tokenkit.store.audit.verification import Statements, _verify

TAMPERINGS = 1_000


@pytest.fixture
def whole(database, log, key):
    """A log of several batches in several months, with a checkpoint of all of them."""
    number = 0
    for size in SIZES:
        with database.begin() as connection:
            # A batch's records are of one month, or there would be more batches.
            same = record(number * 3).at
            records = [record(number + n, at=same + timedelta(seconds=n)) for n in range(size)]
            log.append(connection, records, key)
        number += size
    log.checkpoint()
    return database


def disarm(connection: Connection, *, postgresql: bool) -> None:
    """Take the triggers away, as a superuser can."""
    if postgresql:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in names.all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


@pytest.mark.slow
def test_a_thousand_tamperings_are_found(whole, ring, checkpoints):
    """Each in a transaction that is rolled back; the first bad record is named every time."""
    statements = Statements.read(checkpoints.path, checkpoints.public)
    keys = verifying_keys(ring)
    draw = random.Random(20270131)
    wrong = []
    for number in range(TAMPERINGS):
        kind = KINDS[number % len(KINDS)]
        with whole.engine.connect() as connection, connection.begin() as transaction:
            disarm(connection, postgresql=whole.is_postgresql)
            expected = kind(Attack(connection, draw, postgresql=whole.is_postgresql))
            fault = _verify(connection, whole, keys, statements, None).fault
            transaction.rollback()
        found = (
            None if fault is None else (fault.batch, fault.position, fault.what in expected.what)
        )
        if found != (expected.batch, expected.position, True):
            wrong.append((number, kind.__name__, expected, fault))
    assert wrong == []
    with whole.read() as connection:
        assert _verify(connection, whole, keys, statements, None).holds


def test_the_tail_after_the_last_checkpoint_is_told(whole, log, key, verified):
    """Cut off, it isn't missed: so it is counted, and a checkpoint protects it."""
    with whole.begin() as connection:
        log.append(connection, [record(1), record(2)], key)
    found = verified()
    assert (found.holds, found.unprotected_batches, found.unprotected_records) == (True, 2, 2)
    with whole.begin() as connection:
        disarm(connection, postgresql=whole.is_postgresql)
        Attack(connection, random.Random(1), postgresql=whole.is_postgresql).head(LAST)
        connection.execute(delete(RECORDS).where(RECORDS.c.batch > LAST))
        connection.execute(delete(BATCHES).where(BATCHES.c.number > LAST))
    assert verified().holds


def test_who_has_another_key_forges_nothing(whole, ring, verified):
    """A keyring without the log's keys says so, and takes nothing for right."""
    with Keyring.from_secrets({"audit": b"x" * 32}) as other:
        found = verify(whole, verifying_keys(other))
    assert found.fault is not None
    assert (found.fault.what, found.fault.batch, found.records) == ("key unknown", 1, 0)
    assert verified().holds
