"""Daily quotas: how many values an API key or a user may have turned in a day, in UTC.

All workers count together in the database, and none of them asks it for each request: a worker
takes a share of what is left, serves from that, and gives back what it didn't need when it ends. So
the quota is never exceeded; a worker that is killed takes its share with it.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tokenkit.access.tables.changes import Transactions, utc_now
from tokenkit.errors import StoreError, TooManyRequests
from tokenkit.service.guards import TokenCall, TokenResult
from tokenkit.store.models.service import QuotaUseRow as Use

if TYPE_CHECKING:
    from tokenkit.service.state import ServiceState

SHARE = 64
"""A worker takes one part in so many of what is left of a quota."""
LARGEST_SHARE = 100_000
"""Values that a worker takes at most at a time, if one request doesn't need more."""
AGAIN_AFTER = timedelta(seconds=5)
"""How long what couldn't be had isn't asked for again."""
KEPT_FOR = timedelta(days=40)
"""How long it stays known what was used."""
_DAY = 86_400
_MOST_HELD = 100_000


class QuotaGuard:
    """Counts the values of token operations; an API key's by it, others' by their user.

    Parameters
    ----------
    state
        What handlers share.
    """

    def __init__(self, state: "ServiceState") -> None:
        self._state = state

    async def before(self, call: TokenCall) -> None:
        """Count the values, or refuse all of them."""
        principal = call.principal
        subject = principal.id if principal.via == "api-key" else principal.user_id
        count = call.count
        if not self._state.quotas.take(subject, count):
            await self._state.run(self._state.quotas.take_more, subject, count)

    async def after(self, call: TokenCall, result: TokenResult) -> None:
        """Do nothing: what doesn't fit has been counted too."""

    async def failed(self, call: TokenCall) -> None:
        """Do nothing: who is refused has asked."""


@dataclass(slots=True)
class _Share:
    day: date
    left: int = 0
    lacked: int = 0
    lacked_until: datetime | None = None


class DailyQuotas:
    """Counts values against the quota of a day.

    Parameters
    ----------
    database
        The store's.
    values
        How many values a day each may have turned; None for as many as they like.
    clock
        Gives the moment.
    """

    def __init__(
        self,
        database: Transactions,
        values: int | None,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._values = values
        self._clock = clock
        self._lock = threading.Lock()
        self._taking = threading.Lock()
        self._shares: dict[UUID, _Share] = {}
        self.refused = 0

    def take(self, subject_id: UUID, count: int) -> bool:
        """Count values out of this worker's share; never waits for the database.

        Returns
        -------
        bool
            Whether that was possible; if it wasn't, :meth:`take_more` is to be asked.

        Raises
        ------
        TooManyRequests
            If the quota was used up a moment ago.
        """
        if self._values is None:
            return True
        now = self._clock()
        with self._lock:
            share = self._shares.get(subject_id)
            if share is None or share.day != now.date():
                return False
            if share.left >= count:
                share.left -= count
                return True
            lately = share.lacked_until is not None and now < share.lacked_until
            used_up = lately and count - share.left >= share.lacked
        if used_up:
            self._refuse(now)
        return False

    def take_more(self, subject_id: UUID, count: int) -> None:
        """Count values, and take another share for that; waits for the database.

        Raises
        ------
        TooManyRequests
            If less than that is left of the day's quota.
        StoreError
            If the database fails; nothing may be turned then.
        """
        if self._values is None:
            return
        # One at a time, so that many at once don't each take a share.
        with self._taking:
            if self.take(subject_id, count):
                return
            now = self._clock()
            with self._lock:
                share = self._shares.get(subject_id)
                if share is None or share.day != now.date():
                    share = _Share(now.date())
                had = share.left
            with self._database.begin() as connection:
                got = self._taken(connection, subject_id, share.day, count - had)
            with self._lock:
                if len(self._shares) >= _MOST_HELD and subject_id not in self._shares:
                    self._shares.pop(next(iter(self._shares)))
                self._shares[subject_id] = share
                share.left += got
                if share.left >= count:
                    share.left -= count
                    return
                share.lacked, share.lacked_until = count - share.left, now + AGAIN_AFTER
        self._refuse(now)

    def used(self, subject_id: UUID) -> int:
        """Give how much of today's quota is taken, the workers' shares included."""
        with self._database.read() as connection:
            found = connection.execute(
                select(Use.used).where(
                    Use.subject_id == subject_id, Use.day == self._clock().date()
                )
            ).scalar_one_or_none()
        return found or 0

    def close(self) -> None:
        """Give back what wasn't needed; if the database fails, it is used."""
        with self._lock:
            shares, self._shares = self._shares, {}
        left = {subject: share for subject, share in shares.items() if share.left}
        if not left:
            return
        try:
            with self._database.begin() as connection:
                # In one order everywhere, or two workers could wait for each other.
                for subject, share in sorted(left.items()):
                    connection.execute(
                        update(Use)
                        .where(Use.subject_id == subject, Use.day == share.day)
                        .values(used=Use.used - share.left)
                    )
        except StoreError:
            return

    def purge(self) -> int:
        """Delete what was used long ago; give the number of rows."""
        with self._database.begin() as connection:
            before = self._clock().date() - KEPT_FOR
            return connection.execute(delete(Use).where(Use.day < before)).rowcount

    def _taken(self, connection: Connection, subject_id: UUID, day: date, count: int) -> int:
        """Take a share, at least as much as is asked if there is so much; give how much."""
        assert self._values is not None  # noqa: S101 - who has no quota doesn't get here
        insert: Any = (
            postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        )
        # Whether it is there or not, its row is held from here on.
        held = (
            insert(Use)
            .values(subject_id=subject_id, day=day, used=0)
            .on_conflict_do_update(
                index_elements=[Use.subject_id, Use.day], set_={"used": Use.used}
            )
            .returning(Use.used)
        )
        used: int = connection.execute(held).scalar_one()
        left = self._values - used
        if left < count:
            return 0
        share = max(count, min(math.ceil(left / SHARE), LARGEST_SHARE))
        connection.execute(
            update(Use)
            .where(Use.subject_id == subject_id, Use.day == day)
            .values(used=Use.used + share)
        )
        return share

    def _refuse(self, now: datetime) -> None:
        self.refused += 1
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        error = TooManyRequests(
            "the day's quota of values is used up",
            reason="quota",
            retry_after=max(1, math.ceil((midnight - now).total_seconds())),
            hint="it begins anew at midnight, UTC",
        )
        error.limit = ("quota", self._values or 0, _DAY)
        raise error
