"""The audit log of the service: many requests' records in one transaction, before any answer.

A thread takes whatever waits, appends it, commits, and only then lets the requests go on. So the
price of a commit is shared by all that came while the one before it was made.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

from tokenkit.engines.audit_chain import token_hash
from tokenkit.errors import AuditUnavailable, StoreError, StoreUnavailable, TokenkitError
from tokenkit.keys import KeyVersion
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit import AuditLog
from tokenkit.store.audit.groups import GroupWriter
from tokenkit.store.database import Database

Work: TypeAlias = Callable[[Connection], None]
"""Something that is done in the transaction of the records."""


@dataclass(slots=True, eq=False)
class _Waiting:
    records: Sequence[AuditRecord]
    within: Sequence[Work]
    done: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop
    since: float


class AuditWriter:
    """Writes audit records in groups; :meth:`close` writes what waits and then ends.

    Parameters
    ----------
    database
        The store's database.
    key
        Gives the key version that new records are chained under.
    seconds
        How long a record may take.
    most_waiting
        Records that wait at most; more are refused at once.
    most_at_once
        Records of one transaction at most.
    """

    def __init__(
        self,
        database: Database,
        key: Callable[[], KeyVersion],
        *,
        seconds: float,
        most_waiting: int,
        most_at_once: int,
    ) -> None:
        self._database = database
        self._key = key
        self._log = AuditLog(database)
        self._groups = GroupWriter(database, self._log)
        self._seconds = seconds
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._waiting: deque[_Waiting] = deque()
        self._group: list[_Waiting] = []
        self._records = 0
        self._changed = threading.Condition()
        self._ending = False
        self._newest: KeyVersion | None = None
        self.batches = 0
        self.written = 0
        self.failed = 0
        self._thread = threading.Thread(target=self._run, name="tokenkit-audit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records wait."""
        return self._records

    @property
    def lag(self) -> float:
        """How many seconds the record has waited that has waited longest; 0 if none does."""
        with self._changed:
            oldest = [one.since for one in (*self._group[:1], *list(self._waiting)[:1])]
        return time.monotonic() - min(oldest) if oldest else 0.0

    def append(self, connection: Connection, records: Sequence[AuditRecord]) -> None:
        """Append records in a transaction of the caller's own, as changes of access do."""
        self._log.append(connection, records, self._key())

    def token_hash(self, domain: str, token: str) -> bytes:
        """Give the keyed hash by which records name a token."""
        return token_hash(self._newest or self._key(), domain, token)

    async def write(self, records: Sequence[AuditRecord], within: Sequence[Work] = ()) -> None:
        """Write records, and wait until they are in the log.

        Parameters
        ----------
        records
            The records.
        within
            What is done in the same transaction before them: it is there with them, or not at all.
            What it raises of tokenkit's own errors is raised here, and its records aren't written.

        Raises
        ------
        AuditUnavailable
            If they can't be written in time. They may still appear in the log later on; what they
            are about must not be answered.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(records, within, loop.create_future(), loop, time.monotonic())
        with self._changed:
            if self._ending or self._records + len(records) > self._most_waiting:
                raise _unavailable("the queue of the audit log is full")
            self._waiting.append(waiting)
            self._records += len(records)
            self._changed.notify()
        timer = loop.call_later(self._seconds, _expire, waiting.done)
        try:
            await waiting.done
        finally:
            timer.cancel()

    def close(self) -> None:
        """Write what waits, make a checkpoint, and end the thread."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout=2 * self._seconds)
        if not self._thread.is_alive():
            try:
                self._log.checkpoint()
            except StoreError:
                # The records are there; the next writer's checkpoint covers them.
                return

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ending:
                    self._changed.wait()
                if not self._waiting:
                    return
                group = self._group = self._taken()
            self._write(group)
            self._group = []

    def _taken(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        count = 0
        while self._waiting and (not group or count < self._most_at_once):
            one = self._waiting.popleft()
            count += len(one.records)
            # Who no longer waits gets no answer, and so has done nothing.
            if not one.done.done():
                group.append(one)
        self._records -= count
        return group

    def _write(self, group: list[_Waiting]) -> None:
        if not group:
            return
        refused: dict[_Waiting, TokenkitError] = {}
        failure: TokenkitError | None = None
        try:
            self._newest = self._key()
            if any(one.within for one in group):
                with self._database.begin() as connection:
                    records: list[AuditRecord] = []
                    for one in group:
                        if _done_within(connection, one, refused):
                            records += one.records
                    self._log.append(connection, records, self._newest)
            else:
                found = [record for one in group for record in one.records]
                self._groups.write(found, self._newest)
        except StoreUnavailable as error:
            failure = error
        except TokenkitError as error:
            if len(group) > 1:
                # One that can't be written mustn't take the others with it.
                for one in group:
                    self._write([one])
                return
            failure = error
        except Exception:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            failure = StoreError("the audit log could not be written")
        self.batches += 1
        if failure is None:
            self.written += sum(len(one.records) for one in group)
        else:
            self.failed += sum(len(one.records) for one in group)
        _wake(group, refused, failure)


def _done_within(
    connection: Connection, one: _Waiting, refused: dict[_Waiting, TokenkitError]
) -> bool:
    if not one.within:
        return True
    try:
        with connection.begin_nested():
            for work in one.within:
                work(connection)
    except StoreUnavailable:
        raise
    except TokenkitError as error:
        refused[one] = error
        return False
    return True


def _wake(
    group: list[_Waiting], refused: dict[_Waiting, TokenkitError], failure: TokenkitError | None
) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for one in group:
        by_loop.setdefault(one.loop, []).append(one)

    def settle(ones: list[_Waiting]) -> None:
        for one in ones:
            if one.done.done():
                continue
            if failure is not None:
                one.done.set_exception(_unavailable("the audit log can't be written"))
            elif one in refused:
                one.done.set_exception(refused[one])
            else:
                one.done.set_result(None)

    for loop, ones in by_loop.items():
        try:
            loop.call_soon_threadsafe(settle, ones)
        except RuntimeError:
            # The loop has ended, and with it those who waited.
            continue


def _expire(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_exception(_unavailable("the audit log could not be written in time"))


def _unavailable(message: str) -> AuditUnavailable:
    return AuditUnavailable(
        message,
        reason="audit",
        hint="nothing was given out; try again when the database answers",
        retry_after=1,
    )
