"""Writing the audit log: records are chained, and the head's lock puts writers in order."""

import atexit
import contextlib
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from sqlalchemy import Connection, func, insert, select, text, update

from tokenkit.engines import audit_chain
from tokenkit.engines.audit_chain import ID_BYTES, ChainBatch
from tokenkit.errors import AuditBroken
from tokenkit.keys import KeyVersion
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit import places
from tokenkit.store.audit.checkpoints import INTERVAL, Checkpoint, CheckpointFile
from tokenkit.store.audit.copying import copy_in
from tokenkit.store.audit.rows import by_month, from_frame, from_records
from tokenkit.store.models import AuditBatch, AuditEntry, AuditHead

if TYPE_CHECKING:
    from tokenkit.store.database import Database

_PIECE = 16_384
"""Records sent at once: the database works on one piece while the next is chained."""

_UNSTATED: "set[AuditLog]" = set()
"""Logs that were appended to after their last checkpoint."""


class AuditLog:
    """The audit log of a database.

    Parameters
    ----------
    database
        The store's database.
    checkpoints
        Where checkpoints go; by default where ``TOKENKIT_AUDIT_CHECKPOINTS`` says, else a file in
        the user's data folder.
    """

    def __init__(self, database: "Database", checkpoints: CheckpointFile | None = None) -> None:
        self._database = database
        self._checkpoints = checkpoints
        self._owner = os.getpid()
        self._stated = 0

    def append(
        self, connection: Connection, records: Sequence[AuditRecord], key: KeyVersion
    ) -> None:
        """Append records within the caller's transaction; they are there once it is committed.

        Other writers wait from here to the transaction's end. If the last checkpoint is older than
        a minute, one is made of what was there before.

        Parameters
        ----------
        connection
            A connection to the database, in a transaction.
        records
            The records; none is fine.
        key
            The version under which they are chained, see :func:`audit_key`.

        Raises
        ------
        StoreError
            If they can't be written, or a checkpoint that is due can't.
        """
        self._append(connection, from_records(records), key, in_volume=False)

    def append_many(self, connection: Connection, records: pl.DataFrame, key: KeyVersion) -> None:
        """Append records out of a frame, in volume; otherwise as :meth:`append`.

        Parameters
        ----------
        connection
            A connection to the database, in a transaction.
        records
            Columns named as the fields of :class:`~tokenkit.lineage.AuditRecord`; those that are
            missing are null. Records of different months become different batches.
        key
            The version under which they are chained.

        Raises
        ------
        StoreError
            If the frame has other columns, or they can't be written.
        """
        self._append(connection, from_frame(records), key, in_volume=True)

    def _append(
        self, connection: Connection, records: pa.StructArray, key: KeyVersion, *, in_volume: bool
    ) -> None:
        if not len(records):
            return
        file = self._file()
        number, link = lock_head(connection)
        if number and connection.info.get(_UNCOMMITTED) is not connection.get_transaction():
            self._state_what_was(connection, number, link, file)
        for month, found in by_month(records):
            if self._database.is_postgresql:
                # After the head's lock, so that writers take all locks in one order.
                connection.execute(
                    text("SELECT tokenkit_audit_partition(:moment)"), {"moment": month}
                )
            number += 1
            link = self._batch(connection, number, link, found, key, in_volume=in_volume)
        moved = update(AuditHead).where(AuditHead.id == 1).values(number=number, link=link)
        connection.execute(moved)
        connection.info[_UNCOMMITTED] = connection.get_transaction()
        if file is not None:
            _UNSTATED.add(self)

    def _batch(
        self,
        connection: Connection,
        number: int,
        previous: bytes,
        records: pa.StructArray,
        key: KeyVersion,
        *,
        in_volume: bool,
    ) -> bytes:
        identity = secrets.token_bytes(ID_BYTES)
        head = identity
        for start in range(0, len(records), _PIECE):
            piece = records.slice(start, _PIECE)
            hashes = audit_chain.chain(key, head, piece)
            head = hashes[-1].as_py()
            if in_volume and self._database.is_postgresql:
                copy_in(connection, audit_chain.copy_rows(number, start + 1, piece, hashes))
            else:
                connection.execute(
                    insert(AuditEntry),
                    [
                        {**row, "batch": number, "position": position, "hash": hash_}
                        for position, (row, hash_) in enumerate(
                            zip(piece.to_pylist(), hashes.to_pylist(), strict=True), start + 1
                        )
                    ],
                )
        at = pl.Series(records.field("at")).sort()
        batch = ChainBatch(
            number=number,
            id=identity,
            written=datetime.now(UTC),
            first_at=at[0].astimezone(UTC),
            last_at=at[-1].astimezone(UTC),
            count=len(records),
            last_hash=head,
        )
        link = audit_chain.link(key, previous, batch)
        connection.execute(
            insert(AuditBatch).values(
                number=batch.number,
                id=batch.id,
                written=batch.written,
                first_at=batch.first_at,
                last_at=batch.last_at,
                count=batch.count,
                last_hash=batch.last_hash,
                link=link,
                key=key.name,
                key_id=key.id,
                check_value=key.check_value,
            )
        )
        return link

    def _state_what_was(
        self, connection: Connection, number: int, link: bytes, file: CheckpointFile | None
    ) -> None:
        """Make a checkpoint of what was committed before, if one is due."""
        if file is not None and file.age() > INTERVAL:
            self._state(connection, number, link, file)

    def checkpoint(self) -> Checkpoint | None:
        """Make a checkpoint of what is committed, unless this log has made one of it already.

        Jobs call it when they end; so does the end of the process, for what was appended.

        Returns
        -------
        Checkpoint | None
            The checkpoint; None if there is nothing new, or the database is in memory only.

        Raises
        ------
        StoreError
            If it can't be made.
        """
        file = self._file()
        if file is None:
            return None
        # First, so that what is appended meanwhile isn't forgotten.
        _UNSTATED.discard(self)
        with self._database.read() as connection:
            head = connection.execute(select(AuditHead.number, AuditHead.link)).one_or_none()
            if head is None or head.number in {0, self._stated}:
                return None
            return self._state(connection, head.number, head.link, file)

    def checkpoint_is_due(self) -> bool:
        """Whether the next records are to be preceded by a checkpoint."""
        file = self._file()
        return file is not None and file.age() > INTERVAL

    def _state(
        self, connection: Connection, number: int, link: bytes, file: CheckpointFile
    ) -> Checkpoint:
        checkpoint = state_of(connection, number, link)
        file.append(checkpoint)
        self._stated = number
        return checkpoint

    def _file(self) -> CheckpointFile | None:
        if self._checkpoints is None:
            self._checkpoints = places.configured(self._database)
        return self._checkpoints

    def last_words(self) -> None:
        """Make a checkpoint at the end of the process that appended; not in one forked from it."""
        if self._owner == os.getpid():
            self.checkpoint()


_UNCOMMITTED = "tokenkit_audit"


def lock_head(connection: Connection) -> tuple[int, bytes]:
    """Lock the head's row until the transaction ends; gives the last batch's number and link.

    Raises
    ------
    AuditBroken
        If the row is gone.
    """
    query = select(AuditHead.number, AuditHead.link).where(AuditHead.id == 1).with_for_update()
    head = connection.execute(query).one_or_none()
    if head is None:
        raise AuditBroken(
            "the head of the audit log is gone", hint="see what else is: tokenkit audit verify"
        )
    return head.number, head.link


def state_of(connection: Connection, number: int, link: bytes) -> Checkpoint:
    """Say how far the log goes, up to a batch.

    Raises
    ------
    AuditBroken
        If the log lacks its first batch, or that one.
    """
    records = connection.execute(
        select(func.sum(AuditBatch.count)).where(AuditBatch.number <= number)
    ).scalar_one()
    first, last = (
        connection.execute(
            select(AuditBatch.id, AuditBatch.check_value).where(AuditBatch.number == one)
        ).one_or_none()
        for one in (1, number)
    )
    if first is None or last is None:
        raise AuditBroken(
            "batches of the audit log are gone", hint="see which ones: tokenkit audit verify"
        )
    return Checkpoint(
        log=first.id.hex(),
        batch=number,
        link=link.hex(),
        records=int(records),
        at=datetime.now(UTC),
        check_value=last.check_value.hex(),
    )


@atexit.register
def _checkpoint_at_exit() -> None:
    for log in list(_UNSTATED):
        # A database that is gone by now leaves the tail unprotected, as a kill would.
        with contextlib.suppress(Exception):
            log.last_words()
