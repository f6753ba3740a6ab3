"""Small groups of records into PostgreSQL, each committed by itself, with few round trips.

A service's requests wait for each commit. What :meth:`AuditLog.append` does in nine round trips is
one statement here, as long as nobody else writes: it says which head it goes on from, and does
nothing if that isn't the head any more. Then the head is locked first, which makes three of it. The
rows that are written are the same.
"""

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from tokenkit.engines import audit_chain
from tokenkit.engines.audit_chain import EPOCH, ID_BYTES, MICROSECOND, ChainBatch
from tokenkit.errors import AuditBroken
from tokenkit.keys import KeyVersion
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit.copying import BATCH_COLUMNS, RECORD_COLUMNS, driver_errors, quoted
from tokenkit.store.audit.log import AuditLog
from tokenkit.store.audit.rows import NAMES, by_month, from_records
from tokenkit.store.failures import store_errors

if TYPE_CHECKING:
    import psycopg

    from tokenkit.store.database import Database

_BEGIN = "BEGIN; SELECT number, link FROM audit_head WHERE id = 1 FOR UPDATE;"
_SHARED_SECONDS = 1.0
"""For how long the head is locked first, after somebody else has moved it."""
_TYPES = {"at": "timestamptz", "count": "bigint", "key_id": "bigint", "token_hash": "bytea"}
_FIELDS = ", ".join(f'"{name}" {_TYPES.get(name, "text")}' for name in NAMES)
_FACTS = ", ".join(f"%({name})s" for name in BATCH_COLUMNS if name != "number")
_AT_ONCE = f"""
WITH head AS (
    UPDATE audit_head SET number = number + 1, link = %(link)s
    WHERE id = 1 AND number = %(before)s AND link = %(previous)s RETURNING number
), batch AS (
    INSERT INTO audit_batches ({quoted(BATCH_COLUMNS)}) SELECT number, {_FACTS} FROM head
), records AS (
    INSERT INTO audit_records ({quoted(RECORD_COLUMNS)})
    SELECT head.number, found.* FROM head, json_to_recordset(%(records)s::json)
    AS found("position" bigint, {_FIELDS}, "hash" bytea)
)
SELECT FROM head
"""  # noqa: S608 - made of our own names of columns


class _Head(NamedTuple):
    number: int
    link: bytes


class GroupWriter:
    """Appends groups of records to the log, each in a transaction of its own.

    Parameters
    ----------
    database
        The store's database.
    log
        Its audit log, which makes the checkpoints that are due, and writes what isn't a small group
        for PostgreSQL.
    """

    def __init__(self, database: "Database", log: AuditLog) -> None:
        self._database = database
        self._shown = str(database.address)
        self._log = log
        self._head: _Head | None = None
        self._month: datetime | None = None
        self._alone_from = 0.0

    def write(self, records: Sequence[AuditRecord], key: KeyVersion) -> None:
        """Append records to the log and commit them.

        Parameters
        ----------
        records
            The records; there is one at least.
        key
            The version under which they are chained.

        Raises
        ------
        StoreError
            If they can't be written; the log is as it was then, unless the commit's answer was
            lost.
        """
        months = list(by_month(from_records(records)))
        known, self._head = self._head, None
        if not self._database.is_postgresql or len(months) > 1 or self._log.checkpoint_is_due():
            with self._database.begin() as connection:
                self._log.append(connection, records, key)
            return
        month, found = months[0]
        with self._driver() as driver:
            if known is not None and month == self._month and self._is_alone():
                self._head = _append(driver, found, key, known)
                if self._head is not None:
                    return
                self._alone_from = time.monotonic() + _SHARED_SECONDS
            held = _lock(driver, month)
            self._head = _append(driver, found, key, held)
            if self._head is None:
                raise AuditBroken("the head of the audit log moved though it was locked")
            driver.execute(b"COMMIT")
            self._month = month

    def _is_alone(self) -> bool:
        """Whether nobody else has written lately: then a head that is known is the right one."""
        return time.monotonic() >= self._alone_from

    @contextmanager
    def _driver(self) -> "Iterator[psycopg.Connection[Any]]":
        with driver_errors(), store_errors(self._shown):
            raw = self._database.engine.raw_connection()
            try:
                driver: psycopg.Connection[Any] = raw.driver_connection  # type: ignore[assignment]
                # One statement is a transaction of its own.
                driver.autocommit = True
                yield driver
                driver.autocommit = False
            except BaseException:
                raw.invalidate()
                raise
            finally:
                raw.close()


def _lock(driver: "psycopg.Connection[Any]", month: datetime) -> _Head:
    """Begin a transaction that has the head to itself, and in which the month has a partition."""
    with driver.cursor() as cursor:
        cursor.execute(f"{_BEGIN} SELECT tokenkit_audit_partition('{month.isoformat()}')".encode())
        cursor.nextset()
        head = cursor.fetchone()
    if head is None:
        raise AuditBroken(
            "the head of the audit log is gone", hint="see what else is: tokenkit audit verify"
        )
    return _Head(int(head[0]), bytes(head[1]))


def _append(
    driver: "psycopg.Connection[Any]", records: pa.StructArray, key: KeyVersion, head: _Head
) -> _Head | None:
    """Append a batch to a head, and give the new one; nothing is done if it isn't the head."""
    identity = secrets.token_bytes(ID_BYTES)
    hashes = audit_chain.chain(key, identity, records)
    counts = records.field("at").view(pa.int64()).to_pylist()
    batch = ChainBatch(
        number=head.number + 1,
        id=identity,
        written=datetime.now(UTC),
        first_at=EPOCH + min(counts) * MICROSECOND,
        last_at=EPOCH + max(counts) * MICROSECOND,
        count=len(records),
        last_hash=hashes[-1].as_py(),
    )
    link = audit_chain.link(key, head.link, batch)
    facts = {
        "id": batch.id,
        "written": batch.written,
        "first_at": batch.first_at,
        "last_at": batch.last_at,
        "count": batch.count,
        "last_hash": batch.last_hash,
        "link": link,
        "before": head.number,
        "previous": head.link,
        "key": key.name,
        "key_id": key.id,
        "check_value": key.check_value,
        "records": _rows(records, hashes),
    }
    done = driver.execute(_AT_ONCE, facts, prepare=True).rowcount
    return _Head(batch.number, link) if done else None


def _rows(records: pa.StructArray, hashes: pa.Array) -> str:
    """Write records as JSON, as PostgreSQL reads the rows of a table from it."""
    columns = {name: records.field(name) for name in NAMES}
    moments = columns.pop("at").view(pa.int64()).to_pylist()
    lists = {name: column.to_pylist() for name, column in columns.items()}
    lists["at"] = [(EPOCH + one * MICROSECOND).isoformat() for one in moments]
    lists["token_hash"] = [_bytea(one) for one in lists["token_hash"]]
    lists["hash"] = [_bytea(one) for one in hashes.to_pylist()]
    lists["position"] = list(range(1, len(records) + 1))
    rows = zip(*lists.values(), strict=True)
    return json.dumps([dict(zip(lists, row, strict=True)) for row in rows])


def _bytea(content: bytes | None) -> str | None:
    return None if content is None else f"\\x{content.hex()}"
