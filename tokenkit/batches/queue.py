"""The states of batches, from the upload to the end.

Every change says which state and which attempt it goes on from, and does nothing if that isn't so
any more: a worker that was given up for dead can't end a batch that another one has taken over.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Connection,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
)

from tokenkit.access.tables.changes import utc_now
from tokenkit.batches.batch import OPEN, Batch, Failure, NewBatch, QueueFacts, State
from tokenkit.batches.figures import Total, add_totals, queue_facts, read_totals
from tokenkit.batches.rows import batches_of, change, find_batch, held
from tokenkit.batches.turns import LEASE, Turns, over
from tokenkit.errors import BatchLost, Overloaded, TooManyRequests
from tokenkit.store.database import Database
from tokenkit.store.models.batches import BatchRow

SMALL_BYTES: Final = 16 * 2**20
"""Uploads up to this size may use what is kept for small ones."""
_UPLOAD_LASTS: Final = timedelta(hours=24)
_REMEMBERED: Final = timedelta(days=30)
"""How long it stays known that there was a batch."""


class Batches(Turns):
    """The batches of a store.

    Parameters
    ----------
    database
        Where they are.
    most_waiting
        Batches that are uploaded or wait at most, of all callers together.
    most_own
        The same of one caller.
    kept
        How long results are kept.
    now
        Says what time it is.
    """

    def __init__(
        self,
        database: Database,
        *,
        most_waiting: int = 1_000,
        most_own: int = 100,
        kept: timedelta = timedelta(hours=24),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(database, now)
        self._most_waiting = most_waiting
        self._most_own = most_own
        self._kept = kept

    def create(self, connection: Connection, new: NewBatch) -> None:
        """Begin a batch, within the caller's transaction; it waits for its upload.

        Raises
        ------
        Overloaded
            If too many wait.
        TooManyRequests
            If too many of this caller's do.
        """
        waiting = BatchRow.state.in_(("uploading", "queued"))
        own = func.count().filter(BatchRow.owner_id == new.owner_id)
        every, theirs = connection.execute(
            select(func.count(), own).select_from(BatchRow).where(waiting)
        ).one()
        if every >= self._most_waiting:
            raise Overloaded(
                "too many batches wait", reason="batches", hint="try later", retry_after=60
            )
        if theirs >= self._most_own:
            raise TooManyRequests(
                "too many of your batches wait", reason="batches", hint="try later", retry_after=60
            )
        now = self._now()
        given = {**asdict(new), "text_options": json.dumps(new.text_options)}
        connection.execute(
            insert(BatchRow).values(
                **given,
                state="uploading",
                is_small=False,
                attempt=0,
                deaths=0,
                cancel_requested=False,
                rows_done=0,
                created=now,
                expires=now + _UPLOAD_LASTS,
            )
        )

    def submit(self, connection: Connection, batch: UUID, size: int) -> None:
        """Put a batch whose upload is here into the queue, within the caller's transaction.

        Raises
        ------
        BatchLost
            If it isn't waited for any more.
        """
        change(
            connection,
            and_(BatchRow.id == batch, BatchRow.state == "uploading"),
            state="queued",
            size=size,
            is_small=size <= SMALL_BYTES,
            queued=self._now(),
            expires=None,
        )

    def note(self, batch: UUID, attempt: int, done: int, expected: int | None) -> bool:
        """Say that a batch is still being worked on, and how far; gives whether to go on.

        Raises
        ------
        BatchLost
            If another worker has it, or it is over.
        """
        with self._database.begin() as connection:
            same = held(batch, attempt)
            change(
                connection,
                same,
                held_until=self._now() + LEASE,
                rows_done=done,
                rows_expected=expected,
            )
            asked = connection.execute(select(BatchRow.cancel_requested).where(same)).scalar_one()
        return not asked

    def complete(
        self,
        connection: Connection,
        batch: UUID,
        attempt: int,
        report: dict[str, Any],
        totals: Mapping[Total, int],
    ) -> None:
        """Say that a batch is done; its result is kept from now on. Raises as :meth:`note` does."""
        now = self._now()
        change(
            connection,
            held(batch, attempt),
            state="complete",
            rows_done=report["rows_read"],
            rows_read=report["rows_read"],
            rows_written=report["rows_written"],
            rows_rejected=report["rows_rejected"],
            report=json.dumps(report),
            **over(now, now + self._kept),
        )
        add_totals(connection, totals)

    def fail(self, connection: Connection, batch: UUID, attempt: int, failure: Failure) -> None:
        """Say that a batch has failed; raises as :meth:`note` does."""
        self._end(connection, held(batch, attempt), "failed", failure)

    def cancel(self, connection: Connection, batch: UUID) -> State:
        """End a batch before it is done; gives its state: a running one ends in a moment.

        Raises
        ------
        BatchLost
            If it is over already.
        """
        known = BatchRow.id == batch
        try:
            self._end(connection, and_(known, BatchRow.state.in_(("uploading", "queued"))))
        except BatchLost:
            change(connection, and_(known, BatchRow.state == "running"), cancel_requested=True)
            return "running"
        return "cancelled"

    def cancelled(self, connection: Connection, batch: UUID, attempt: int) -> None:
        """Say that a running batch has ended because it was told to."""
        self._end(connection, held(batch, attempt))

    def abandon(self, connection: Connection, batch: UUID) -> None:
        """Forget a batch whose upload didn't come to its end."""
        connection.execute(
            delete(BatchRow).where(BatchRow.id == batch, BatchRow.state == "uploading")
        )

    def find(self, batch: UUID) -> Batch | None:
        """Find a batch; None if it isn't known, or not any more."""
        with self._database.read() as connection:
            return find_batch(connection, batch)

    def of_owner(
        self, owner: UUID, *, before: tuple[datetime, UUID] | None, most: int
    ) -> list[Batch]:
        """List a user's batches, the latest first.

        Parameters
        ----------
        owner
            Whose.
        before, most
            The next ones before the one of that moment and id, and how many.
        """
        with self._database.read() as connection:
            return batches_of(connection, owner, before, most)

    def expire(self, connection: Connection, batch: UUID) -> None:
        """Let a result expire before its time.

        Raises
        ------
        BatchLost
            If there is none.
        """
        complete = and_(BatchRow.id == batch, BatchRow.state == "complete")
        change(connection, complete, state="expired", sealed_key=None, expires=None)

    def purge(self) -> Sequence[UUID]:
        """Let results expire whose time is over, and forget old batches.

        Gives the batches whose files are to be removed; their keys are gone already.
        """
        now = self._now()
        gone: list[UUID] = []
        overdue = and_(BatchRow.expires < now, BatchRow.state.in_(("complete", "uploading")))
        with self._database.begin() as connection:
            for row in connection.execute(select(BatchRow.id, BatchRow.state).where(overdue)).all():
                same = and_(overdue, BatchRow.id == row.id, BatchRow.state == row.state)
                try:
                    if row.state == "uploading":
                        self._end(connection, same)
                    else:
                        self.expire(connection, row.id)
                except BatchLost:
                    # Another process was faster.
                    continue
                gone.append(row.id)
            connection.execute(
                delete(BatchRow).where(
                    BatchRow.state.not_in(OPEN | {"complete"}), BatchRow.ended < now - _REMEMBERED
                )
            )
        return gone

    def done_lately(self) -> list[UUID]:
        """Give the ids of the batches that were completed within the last hour."""
        lately = and_(
            BatchRow.state == "complete", BatchRow.ended > self._now() - timedelta(hours=1)
        )
        with self._database.read() as connection:
            return list(connection.execute(select(BatchRow.id).where(lately)).scalars())

    def known(self) -> list[UUID]:
        """Give the ids of the batches whose files are still needed."""
        needed = or_(BatchRow.state.in_(OPEN), BatchRow.state == "complete")
        with self._database.read() as connection:
            return list(connection.execute(select(BatchRow.id).where(needed)).scalars())

    def facts(self) -> QueueFacts:
        """Say how long the queue is, and how old."""
        with self._database.read() as connection:
            return queue_facts(connection, self._now())

    def totals(self) -> dict[Total, int]:
        """Say what all batches have come to so far."""
        with self._database.read() as connection:
            return read_totals(connection)
