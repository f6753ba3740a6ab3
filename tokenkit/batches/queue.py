"""The states of batches, and whose turn it is.

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
    ColumnElement,
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
from tokenkit.errors import BatchInterrupted, BatchLost, Overloaded, TooManyRequests
from tokenkit.store.database import Database
from tokenkit.store.models.batches import BatchRow

SMALL_BYTES: Final = 16 * 2**20
"""Uploads up to this size may use what is kept for small ones."""
LEASE: Final = timedelta(seconds=15)
"""After how long without a sign of life a worker is given up for dead."""
MOST_DEATHS: Final = 3
"""How many workers may die over a batch before it has failed."""
_UPLOAD_LASTS: Final = timedelta(hours=24)
_REMEMBERED: Final = timedelta(days=30)
"""How long it stays known that there was a batch."""
_LOST = Failure(
    code=BatchInterrupted.code,
    reason="workers_died",
    text=f"{MOST_DEATHS} workers died while they worked on the batch",
    hint="see the service's log; a file may need more memory than there is",
)


class Batches:
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
        self._database = database
        self._most_waiting = most_waiting
        self._most_own = most_own
        self._kept = kept
        self._now = now

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

    def claim(self, worker: str, *, small_only: bool = False) -> Batch | None:
        """Take the batch that has waited longest; None if none waits.

        Parameters
        ----------
        worker
            Who takes it.
        small_only
            Whether large ones are left to others.
        """
        wanted = [BatchRow.state == "queued"]
        if small_only:
            wanted.append(BatchRow.is_small.is_(True))
        while True:
            with self._database.begin() as connection:
                found = connection.execute(
                    select(BatchRow.id, BatchRow.attempt)
                    .where(*wanted)
                    .order_by(BatchRow.queued, BatchRow.id)
                    .limit(1)
                    .with_for_update(skip_locked=True)
                ).one_or_none()
                if found is None:
                    return None
                now = self._now()
                try:
                    change(
                        connection,
                        and_(BatchRow.id == found.id, *wanted, BatchRow.attempt == found.attempt),
                        state="running",
                        attempt=found.attempt + 1,
                        worker=worker,
                        held_until=now + LEASE,
                        started=now,
                        rows_done=0,
                    )
                except BatchLost:
                    # Another worker was faster.
                    continue
                return find_batch(connection, found.id)

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
            **self._over(now, now + self._kept),
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

    def give_back(self, worker: str | None = None, *, died: bool = True) -> list[UUID]:
        """Put what workers had back into the queue; gives which batches.

        Parameters
        ----------
        worker
            A worker that has ended; None for those that gave no sign of life.
        died
            Whether it ended without having been told to. A batch over which several die has failed.
        """
        if worker is None:
            dead = and_(BatchRow.state == "running", BatchRow.held_until < self._now())
        else:
            dead = and_(BatchRow.state == "running", BatchRow.worker == worker)
        given: list[UUID] = []
        with self._database.begin() as connection:
            rows = connection.execute(
                select(
                    BatchRow.id, BatchRow.attempt, BatchRow.deaths, BatchRow.cancel_requested
                ).where(dead)
            ).all()
            for row in rows:
                same = and_(dead, BatchRow.id == row.id, BatchRow.attempt == row.attempt)
                try:
                    if row.cancel_requested:
                        self._end(connection, same)
                    elif row.deaths + died >= MOST_DEATHS:
                        self._end(connection, same, "failed", _LOST)
                    else:
                        change(
                            connection,
                            same,
                            state="queued",
                            deaths=row.deaths + died,
                            worker=None,
                            held_until=None,
                        )
                except BatchLost:
                    continue
                given.append(row.id)
        return given

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
        over = and_(BatchRow.expires < now, BatchRow.state.in_(("complete", "uploading")))
        with self._database.begin() as connection:
            for row in connection.execute(select(BatchRow.id, BatchRow.state).where(over)).all():
                same = and_(over, BatchRow.id == row.id, BatchRow.state == row.state)
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

    def _end(
        self,
        connection: Connection,
        where: ColumnElement[bool],
        state: State = "cancelled",
        failure: Failure | None = None,
    ) -> None:
        told = {} if failure is None else asdict(failure)
        change(
            connection,
            where,
            state=state,
            sealed_key=None,
            **{f"error_{name}": value for name, value in told.items()},
            **self._over(self._now(), None),
        )
        add_totals(connection, {Total(measure="batches", outcome=state): 1})

    @staticmethod
    def _over(now: datetime, expires: datetime | None) -> dict[str, Any]:
        return {"ended": now, "expires": expires, "worker": None, "held_until": None}
