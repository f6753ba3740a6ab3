"""Whose turn it is: batches are taken by workers, launched by executors, and given back.

Every change says which state and which attempt it goes on from, and does nothing if that isn't so
any more: a worker that was given up for dead can't end a batch that another one has taken over.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from tokenkit.batches.batch import Batch, Failure, State
from tokenkit.batches.figures import Total, add_totals
from tokenkit.batches.rows import change, find_batch
from tokenkit.errors import BatchInterrupted, BatchLost
from tokenkit.store.database import Database
from tokenkit.store.models.batches import BatchRow

LEASE: Final = timedelta(seconds=15)
"""After how long without a sign of life a worker is given up for dead."""
MOST_DEATHS: Final = 3
"""How many workers may die over a batch before it has failed."""
_LOST = Failure(
    code=BatchInterrupted.code,
    reason="workers_died",
    text=f"{MOST_DEATHS} workers died while they worked on the batch",
    hint="see the service's log; a file may need more memory than there is",
)


def over(now: datetime, expires: datetime | None) -> dict[str, Any]:
    """Say what holds of a batch that is over."""
    return {"ended": now, "expires": expires, "worker": None, "held_until": None}


class Turns:
    """Which batch comes next, and who has it.

    Parameters
    ----------
    database
        Where batches are.
    now
        Says what time it is.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def claim(self, worker: str, *, small_only: bool = False) -> Batch | None:
        """Take the batch that has waited longest; None if none waits.

        Parameters
        ----------
        worker
            Who takes it.
        small_only
            Whether large ones are left to others.
        """
        wanted = BatchRow.state == "queued"
        if small_only:
            wanted = and_(wanted, BatchRow.is_small.is_(True))
        return self._take(worker, wanted)

    def claim_one(self, batch: UUID, worker: str) -> Batch | None:
        """Take this batch; None if it doesn't wait: it is over, or another worker has it.

        Parameters
        ----------
        batch
            Which.
        worker
            Who takes it.
        """
        wanted = and_(BatchRow.state == "queued", BatchRow.id == batch)
        return self._take(worker, wanted, skip_locked=False)

    def claim_launch(self, lasts: timedelta) -> Batch | None:
        """Take the launch of a batch that waits; it is nobody else's for so long, and stays queued.

        Parameters
        ----------
        lasts
            After how long somebody has to look again if it still waits.
        """
        now = self._now()
        due = and_(
            BatchRow.state == "queued",
            or_(BatchRow.held_until.is_(None), BatchRow.held_until < now),
        )
        while True:
            with self._database.begin() as connection:
                found = _next(connection, due)
                if found is None:
                    return None
                same = and_(due, BatchRow.id == found.id, BatchRow.attempt == found.attempt)
                try:
                    change(connection, same, held_until=now + lasts)
                except BatchLost:
                    # Another one was faster.
                    continue
                return find_batch(connection, found.id)

    def launched(self, batch: UUID, attempt: int, lasts: timedelta) -> None:
        """Say after how long somebody has to look again at a batch whose launch one has.

        Parameters
        ----------
        batch, attempt
            What was launched. If it is being worked on already, nothing changes.
        lasts
            How long.
        """
        same = and_(BatchRow.id == batch, BatchRow.attempt == attempt, BatchRow.state == "queued")
        with self._database.begin() as connection:
            try:
                change(connection, same, held_until=self._now() + lasts)
            except BatchLost:
                return

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

    def _take(
        self, worker: str, wanted: ColumnElement[bool], *, skip_locked: bool = True
    ) -> Batch | None:
        while True:
            with self._database.begin() as connection:
                found = _next(connection, wanted, skip_locked=skip_locked)
                if found is None:
                    return None
                now = self._now()
                try:
                    change(
                        connection,
                        and_(wanted, BatchRow.id == found.id, BatchRow.attempt == found.attempt),
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
            **over(self._now(), None),
        )
        add_totals(connection, {Total(measure="batches", outcome=state): 1})


def _next(
    connection: Connection, wanted: ColumnElement[bool], *, skip_locked: bool = True
) -> "Row[UUID, int] | None":
    query = (
        select(BatchRow.id, BatchRow.attempt)
        .where(wanted)
        .order_by(BatchRow.queued, BatchRow.id)
        .limit(1)
        .with_for_update(skip_locked=skip_locked)
    )
    return connection.execute(query).one_or_none()
