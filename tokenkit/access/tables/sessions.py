"""Sessions: opened at sign-in, given another token at step-up, revoked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from tokenkit.access.bearer import SESSION, Bearer, new_bearer
from tokenkit.access.tables.changes import Work
from tokenkit.errors import InvalidAccess, UnknownAccount
from tokenkit.store.models.access import SessionRow


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long sessions last.

    Attributes
    ----------
    idle
        How long one lasts without being used. Use is written down once a minute.
    absolute
        How long it lasts at most.

    Examples
    --------
    >>> SessionLimits().idle
    datetime.timedelta(seconds=1800)
    """

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)

    def __post_init__(self) -> None:
        if not timedelta(minutes=2) <= self.idle <= self.absolute:
            raise InvalidAccess(
                "sessions last at least two idle minutes, and idle no longer than altogether",
                reason="session_limits",
            )


@dataclass(frozen=True, slots=True)
class Session:
    """A session, without its token.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> Session(UUID(int=1), UUID(int=2), at, at, at, None, None).stepped_up is None
    True
    """

    id: UUID
    user_id: UUID
    created: datetime
    last_used: datetime
    ends: datetime
    stepped_up: datetime | None
    revoked: datetime | None


_COLUMNS = (
    SessionRow.id,
    SessionRow.user_id,
    SessionRow.created,
    SessionRow.last_used,
    SessionRow.ends,
    SessionRow.stepped_up,
    SessionRow.revoked,
)


def session_of(connection: Connection, digest: bytes) -> Session | None:
    """Find the session that a token belongs to, whatever its state; None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(SessionRow.digest == digest)).one_or_none()
    return None if row is None else Session(*row)


def find_session(connection: Connection, session_id: UUID) -> Session:
    """Find a session by its id, whatever its state.

    Raises
    ------
    UnknownAccount
        If there is none.
    """
    row = connection.execute(select(*_COLUMNS).where(SessionRow.id == session_id)).one_or_none()
    if row is None:
        raise UnknownAccount("there is no such session", reason="session")
    return Session(*row)


def list_sessions(
    connection: Connection,
    user_id: UUID,
    at: datetime,
    *,
    before: tuple[datetime, UUID] | None = None,
    most: int | None = None,
) -> list[Session]:
    """List a user's sessions that haven't ended, the latest first.

    Parameters
    ----------
    connection, user_id, at
        Where, whose, and when.
    before, most
        The next ones before the one that was opened then and has that id, and how many.
    """
    query = (
        select(*_COLUMNS)
        .where(SessionRow.user_id == user_id, SessionRow.revoked.is_(None), SessionRow.ends > at)
        .order_by(SessionRow.created.desc(), SessionRow.id.desc())
        .limit(most)
    )
    if before is not None:
        query = query.where(tuple_(SessionRow.created, SessionRow.id) < before)
    return [Session(*row) for row in connection.execute(query)]


def open_session(
    work: Work, user_id: UUID, limits: SessionLimits, *, second_factor: bool
) -> tuple[UUID, Bearer]:
    """Open a session; its token is given out here and nowhere else."""
    made, session_id = new_bearer(SESSION), uuid4()
    work.connection.execute(
        insert(SessionRow).values(
            id=session_id,
            user_id=user_id,
            digest=made.digest,
            created=work.at,
            last_used=work.at,
            ends=work.at + limits.absolute,
            stepped_up=work.at if second_factor else None,
        )
    )
    return session_id, made


def renew_session(work: Work, session: Session, digest: bytes) -> Bearer | None:
    """Give a session that has just seen a second factor another token; the old one ends.

    Returns
    -------
    Bearer or None
        None if the session was revoked or renewed meanwhile: of two at once one succeeds.
    """
    work.begin_change()
    made = new_bearer(SESSION)
    renewed = work.connection.execute(
        update(SessionRow)
        .where(
            SessionRow.id == session.id,
            SessionRow.digest == digest,
            SessionRow.revoked.is_(None),
        )
        .values(digest=made.digest, stepped_up=work.at, last_used=work.at)
    )
    return made if renewed.rowcount == 1 else None


def revoke_session(work: Work, session_id: UUID, *, of_user: UUID | None = None) -> None:
    """End a session.

    Parameters
    ----------
    work, session_id
        The change, and the session.
    of_user
        Whose session it must be, where users end their own.

    Raises
    ------
    UnknownAccount
        If there is no such session.
    """
    work.begin_change()
    ours = SessionRow.id == session_id
    if of_user is not None:
        ours &= SessionRow.user_id == of_user
    if work.connection.execute(select(SessionRow.id).where(ours)).first() is None:
        raise UnknownAccount("there is no such session", reason="session")
    work.connection.execute(
        update(SessionRow).where(ours, SessionRow.revoked.is_(None)).values(revoked=work.at)
    )
    work.record("session.revoke", f"session:{session_id}")


def revoke_sessions(work: Work, user_id: UUID, *, but: UUID | None = None) -> int:
    """End a user's sessions, within a change that has begun and records it; give their number."""
    theirs = [SessionRow.user_id == user_id, SessionRow.revoked.is_(None)]
    if but is not None:
        theirs.append(SessionRow.id != but)
    return work.connection.execute(
        update(SessionRow).where(*theirs).values(revoked=work.at)
    ).rowcount


def purge_sessions(connection: Connection, before: datetime) -> int:
    """Delete sessions that ended before a moment; the audit log still has them."""
    return connection.execute(delete(SessionRow).where(SessionRow.ends < before)).rowcount
