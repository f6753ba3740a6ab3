"""Small groups of records into PostgreSQL, each committed by itself, with few round trips.

A service's requests wait for each commit. What :meth:`AuditLog.append` does in nine round trips by
way of SQLAlchemy is done in four here: lock the head, copy the records (two), and move the head.
The rows that are written are the same.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tokenkit.engines import audit_chain
from tokenkit.engines.audit_chain import EPOCH, ID_BYTES, MICROSECOND, ChainBatch
from tokenkit.errors import AuditBroken
from tokenkit.keys import KeyVersion
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit.copying import BATCH_COLUMNS, copy_statement, driver_errors, quoted
from tokenkit.store.audit.log import AuditLog
from tokenkit.store.audit.rows import by_month, from_records
from tokenkit.store.failures import store_errors

if TYPE_CHECKING:
    import psycopg

    from tokenkit.store.database import Database

_BEGIN = "BEGIN; SELECT number, link FROM audit_head WHERE id = 1 FOR UPDATE;"
_INSERT = f"INSERT INTO audit_batches ({quoted(BATCH_COLUMNS)}) VALUES"
_MOVE = "UPDATE audit_head SET"


def write_group(
    database: "Database", log: AuditLog, records: Sequence[AuditRecord], key: KeyVersion
) -> None:
    """Append records to the log and commit them.

    Parameters
    ----------
    database
        The store's database.
    log
        Its audit log, which makes the checkpoints that are due.
    records
        The records; there is one at least.
    key
        The version under which they are chained.

    Raises
    ------
    StoreError
        If they can't be written; the log is as it was then, unless the commit's answer was lost.
    """
    months = list(by_month(from_records(records)))
    if not database.is_postgresql or len(months) > 1 or log.checkpoint_is_due():
        with database.begin() as connection:
            log.append(connection, records, key)
        return
    month, columns = months[0]
    with driver_errors(), store_errors(str(database.address)):
        raw = database.engine.raw_connection()
        try:
            driver: psycopg.Connection[Any] = raw.driver_connection  # type: ignore[assignment]
            # The transaction's ends go along with the statements.
            driver.autocommit = True
            _write(driver, columns, key, month)
            driver.autocommit = False
        except BaseException:
            raw.invalidate()
            raise
        finally:
            raw.close()


def _write(
    driver: "psycopg.Connection[Any]", records: pa.StructArray, key: KeyVersion, month: datetime
) -> None:
    with driver.cursor() as cursor:
        cursor.execute(f"{_BEGIN} SELECT tokenkit_audit_partition('{month.isoformat()}')".encode())
        cursor.nextset()
        head = cursor.fetchone()
        if head is None:
            raise AuditBroken(
                "the head of the audit log is gone", hint="see what else is: tokenkit audit verify"
            )
        number, previous = int(head[0]) + 1, bytes(head[1])
        identity = secrets.token_bytes(ID_BYTES)
        hashes = audit_chain.chain(key, identity, records)
        with cursor.copy(copy_statement()) as copy:
            copy.write(audit_chain.copy_rows(number, 1, records, hashes))
        moments = records.field("at").view(pa.int64()).to_pylist()
        batch = ChainBatch(
            number=number,
            id=identity,
            written=datetime.now(UTC),
            first_at=EPOCH + min(moments) * MICROSECOND,
            last_at=EPOCH + max(moments) * MICROSECOND,
            count=len(records),
            last_hash=hashes[-1].as_py(),
        )
        link = audit_chain.link(key, previous, batch)
        cursor.execute(_end(batch, link, key))


def _end(batch: ChainBatch, link: bytes, key: KeyVersion) -> bytes:
    """Write the batch's row, move the head, and commit; all of it is numbers, bytes and a name."""
    values = (
        *(str(batch.number), _bytes(batch.id)),
        *(f"'{one.isoformat()}'" for one in (batch.written, batch.first_at, batch.last_at)),
        *(str(batch.count), _bytes(batch.last_hash), _bytes(link)),
        *(_bytes(key.name.encode(), text=True), str(key.id), _bytes(key.check_value)),
    )
    head = f"number = {batch.number}, link = {_bytes(link)}"
    return " ".join(
        (_INSERT, f"({', '.join(values)});", _MOVE, head, "WHERE id = 1; COMMIT")
    ).encode()


def _bytes(content: bytes, *, text: bool = False) -> str:
    literal = f"decode('{content.hex()}', 'hex')"
    return f"convert_from({literal}, 'UTF8')" if text else literal
