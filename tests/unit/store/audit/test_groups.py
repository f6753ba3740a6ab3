"""Groups of records, each committed by itself in one statement."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.unit.store.audit.conftest import START, record
from tokenkit.errors import StoreError
from tokenkit.store.audit import tail
from tokenkit.store.audit.groups import GroupWriter
from tokenkit.store.audit.rows import NAMES
from tokenkit.store.models import AuditBatch

LIFE: list[dict[str, Any]] = [
    {},
    {"actor": 'a"b\\c\x01\u2028é', "detail": "x\0y\ud800", "object": "{}"},
    {"at": START + timedelta(days=3, microseconds=999_999)},
    {"count": 2**63 - 1, "key_id": 2**32 - 1, "token_hash": b"\0" * 32},
]


def near(number, **fields):
    """A record of the same hour."""
    return record(number, **({"at": START + timedelta(seconds=number)} | fields))


def rows(database):
    """Give what is in the log, without its places."""
    return [{name: row[name] for name in NAMES} for row in tail(database, 10_000)]


@pytest.fixture
def writer(database, log):
    return GroupWriter(database, log)


def test_groups_are_what_the_log_would_have_written(database, log, key, writer, verified):
    """The same rows, whatever stands in them, across months; the chain holds."""
    records = [near(number, **LIFE[number % len(LIFE)]) for number in range(40)]
    with database.begin() as connection:
        log.append(connection, records, key)
    once = rows(database)
    for start in range(0, 40, 5):
        writer.write(records[start : start + 5], key)
    # A batch is of one month, so that those of two come in another order.
    assert sorted(rows(database), key=str) == sorted(once + once, key=str)
    assert verified().records == 80
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(AuditBatch)).scalar_one() >= 9


def test_writers_at_once_make_one_chain(database, log, key, verified):
    """Four threads with writers of their own, and the log's own way between: nothing is lost,
    nothing is twice, and the chain holds."""
    failures = []

    def work(part):
        writer = GroupWriter(database, log)
        try:
            for number in range(25):
                writer.write([near(part * 1000 + number)], key)
                if number % 10 == 0:
                    with database.begin() as connection:
                        log.append(connection, [near(part * 1000 + 500 + number)], key)
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found = [row["object"] for row in rows(database)]
    assert len(found) == len(set(found)) == verified().records
    assert len(found) == 4 * 25 + sum(
        number % 10 == part for part in range(4) for number in range(25)
    )


def test_a_head_that_moved_is_noticed(database, log, key, writer, verified):
    """Each group finds that somebody else has written since, and goes on from there."""
    for number in range(0, 30, 2):
        writer.write([near(number)], key)
        # As after a second in which nobody else wrote: the head that is known is believed.
        writer._alone_from = 0.0
        with database.begin() as connection:
            log.append(connection, [near(number + 1)], key)
    assert [row["count"] for row in rows(database)] == list(range(30))
    assert verified().records == 30


def test_what_cannot_be_written_leaves_the_log_as_it_was(database, key, writer, verified):
    """A record without a time zone; the next group is written as if nothing had been."""
    writer.write([near(1)], key)
    with pytest.raises(StoreError):
        writer.write([near(2), near(3, at=START.replace(tzinfo=None))], key)
    writer.write([near(4)], key)
    assert [row["object"][-9:] for row in rows(database)] == ["1.parquet", "4.parquet"]
    assert verified().records == 2
