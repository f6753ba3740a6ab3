"""Attempts to sign in, counted before they are made, so that many at once are no more than many."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tokenkit.access.lockout import FORGOTTEN_AFTER, KNOWN_FOR, Limit
from tokenkit.store.models.access import AttemptRow, KnownNetworkRow


def take_attempt(
    connection: Connection, fingerprint: bytes, limit: Limit, at: datetime
) -> timedelta | None:
    """Count an attempt as one that failed, if it may be made now.

    Whoever succeeds has it forgotten. Counting afterwards would let any number of attempts at the
    same time pass before the first was counted.

    Parameters
    ----------
    connection
        In a transaction, which must be committed before the attempt is made.
    fingerprint
        For whom it is counted.
    limit
        How many are free.
    at
        Now.

    Returns
    -------
    timedelta or None
        None if the attempt may be made; else how long to wait.
    """
    forgotten = AttemptRow.last < at - FORGOTTEN_AFTER
    counted = (
        _insert(connection, AttemptRow)
        .values(subject=fingerprint, failures=1, last=at)
        .on_conflict_do_update(
            index_elements=[AttemptRow.subject],
            set_={
                "failures": case((forgotten, 1), else_=AttemptRow.failures + 1),
                "last": at,
                "blocked_until": None,
            },
            where=or_(AttemptRow.blocked_until.is_(None), AttemptRow.blocked_until <= at),
        )
        .returning(AttemptRow.failures)
    )
    failures = connection.execute(counted).scalar_one_or_none()
    this = AttemptRow.subject == fingerprint
    if failures is None:
        until = connection.execute(select(AttemptRow.blocked_until).where(this)).scalar_one()
        # None: it was forgiven just now, and the next attempt finds that out.
        return timedelta(seconds=1) if until is None else max(until - at, timedelta(seconds=1))
    wait = limit.wait(failures)
    if wait is not None:
        connection.execute(update(AttemptRow).where(this).values(blocked_until=at + wait))
    return None


def give_back_attempt(connection: Connection, fingerprints: list[bytes]) -> None:
    """Take back attempts that were counted and then couldn't be made."""
    connection.execute(
        update(AttemptRow)
        .where(AttemptRow.subject.in_(fingerprints), AttemptRow.failures > 0)
        .values(failures=AttemptRow.failures - 1, blocked_until=None)
    )


def forgive(connection: Connection, fingerprints: list[bytes]) -> None:
    """Forget the attempts that were counted for some: one has succeeded, or somebody vouches."""
    connection.execute(delete(AttemptRow).where(AttemptRow.subject.in_(fingerprints)))


def remember_network(connection: Connection, fingerprint: bytes, at: datetime) -> None:
    """Take note that a user has signed in from an address."""
    known = _insert(connection, KnownNetworkRow).values(subject=fingerprint, last=at)
    connection.execute(
        known.on_conflict_do_update(index_elements=[KnownNetworkRow.subject], set_={"last": at})
    )


def is_known_network(connection: Connection, fingerprint: bytes, at: datetime) -> bool:
    """Whether a user has signed in from an address within the last months."""
    found = select(KnownNetworkRow.last).where(
        KnownNetworkRow.subject == fingerprint, KnownNetworkRow.last > at - KNOWN_FOR
    )
    return connection.execute(found).first() is not None


def purge_attempts(connection: Connection, at: datetime) -> int:
    """Delete what no longer counts, and give the number of rows."""
    rows = connection.execute(
        delete(AttemptRow).where(AttemptRow.last < at - FORGOTTEN_AFTER)
    ).rowcount
    known = delete(KnownNetworkRow).where(KnownNetworkRow.last < at - KNOWN_FOR)
    return rows + connection.execute(known).rowcount


def _insert(connection: Connection, table: Any) -> Any:
    # Both dialects have the clause, and SQLAlchemy's general insert has not.
    of = postgresql if connection.dialect.name == "postgresql" else sqlite
    return of.insert(table)
