"""API keys: issued, rotated with an overlap, revoked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, insert, select, tuple_, update

from tokenkit.access.bearer import API_KEY, SHOWN, Bearer, new_bearer
from tokenkit.access.grants import Scope, parse_scopes
from tokenkit.access.names import checked_label
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.users import User
from tokenkit.errors import InvalidAccess, UnknownAccount
from tokenkit.store.models.access import ApiKeyRow

OVERLAP = timedelta(days=1)
"""How long the old key still works after a rotation, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, without the key.

    Attributes
    ----------
    id, user_id, name
        Which, whose, and what it is called.
    shown
        Its first characters, to tell it from others.
    scopes
        What it is bound to.
    created, ends, last_used, revoked
        Moments; ``last_used`` is written at most once a minute.
    successor_id
        The key that took its place.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> key = ApiKey(UUID(int=1), UUID(int=2), "billing", "tkk_0Ab9", (), at, at, None, None, None)
    >>> key.works(at)
    False
    """

    id: UUID
    user_id: UUID
    name: str
    shown: str
    scopes: tuple[Scope, ...]
    created: datetime
    ends: datetime | None
    last_used: datetime | None
    revoked: datetime | None
    successor_id: UUID | None

    def works(self, at: datetime) -> bool:
        """Whether it is neither revoked nor at its end."""
        return self.revoked is None and (self.ends is None or at < self.ends)


_COLUMNS = (
    ApiKeyRow.id,
    ApiKeyRow.user_id,
    ApiKeyRow.name,
    ApiKeyRow.shown,
    ApiKeyRow.scopes,
    ApiKeyRow.created,
    ApiKeyRow.ends,
    ApiKeyRow.last_used,
    ApiKeyRow.revoked,
    ApiKeyRow.successor_id,
)


def _read(row: Row[Any]) -> ApiKey:
    facts = row._asdict()
    return ApiKey(**facts | {"scopes": parse_scopes(facts["scopes"])})


def api_key_of(connection: Connection, digest: bytes) -> ApiKey | None:
    """Find the key that a text belongs to, whatever its state; None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(ApiKeyRow.digest == digest)).one_or_none()
    return None if row is None else _read(row)


def find_api_key(connection: Connection, key_id: UUID) -> ApiKey:
    """Find an API key by its id.

    Raises
    ------
    UnknownAccount
        If there is none.
    """
    row = connection.execute(select(*_COLUMNS).where(ApiKeyRow.id == key_id)).one_or_none()
    if row is None:
        raise UnknownAccount("there is no API key of that id", reason="api_key")
    return _read(row)


def list_api_keys(
    connection: Connection,
    user: User | None = None,
    *,
    after: tuple[datetime, UUID] | None = None,
    most: int | None = None,
) -> list[ApiKey]:
    """List API keys, of one user or of all, in the order in which they were made.

    Parameters
    ----------
    connection, user
        Where, and whose.
    after, most
        The next ones after the one that was made then and has that id, and how many.
    """
    query = select(*_COLUMNS).order_by(ApiKeyRow.created, ApiKeyRow.id).limit(most)
    if user is not None:
        query = query.where(ApiKeyRow.user_id == user.id)
    if after is not None:
        query = query.where(tuple_(ApiKeyRow.created, ApiKeyRow.id) > after)
    return [_read(row) for row in connection.execute(query)]


def issue_api_key(
    work: Work,
    user: User,
    name: str,
    scopes: Iterable[str],
    *,
    expires_after: timedelta | None = None,
) -> tuple[UUID, Bearer]:
    """Give a user an API key, which is shown here and nowhere else.

    Parameters
    ----------
    work
        The change.
    user
        Whose rights it has.
    name
        What people call it.
    scopes
        What it is bound to, of those rights.
    expires_after
        How long it works; by default until it is revoked.

    Raises
    ------
    InvalidAccess
        If the name or a scope can't be read, there is no scope, or it would end at once.
    """
    label, parsed = checked_label(name), parse_scopes(scopes)
    if expires_after is not None and expires_after <= timedelta(0):
        raise InvalidAccess("an API key ends after it was made", reason="expiry")
    work.begin_change()
    ends = None if expires_after is None else work.at + expires_after
    key_id, made = _write(work, user.id, label, [str(scope) for scope in parsed], ends)
    work.record(
        "api-key.issue",
        f"api-key:{key_id}",
        user=user.name,
        name=label,
        scopes=[str(scope) for scope in parsed],
        ends=ends,
    )
    return key_id, made


def rotate_api_key(
    work: Work, key_id: UUID, *, overlap: timedelta = OVERLAP
) -> tuple[UUID, Bearer]:
    """Put a fresh key in the place of one, which works on for a while.

    The fresh one has its name, user and scopes, and lasts as long as it did. Done again while the
    old key still works, it is refused: one key has one successor.

    Raises
    ------
    UnknownAccount
        If there is no such key.
    InvalidAccess
        If it doesn't work any more, or has been rotated.
    """
    if overlap < timedelta(0):
        raise InvalidAccess("an overlap isn't negative", reason="overlap")
    work.begin_change()
    old = find_api_key(work.connection, key_id)
    if not old.works(work.at) or old.successor_id is not None:
        raise InvalidAccess(
            "that API key has ended or has been rotated",
            reason="ended",
            hint="rotate its successor, or issue another one",
        )
    ends = None if old.ends is None else work.at + (old.ends - old.created)
    scopes = [str(scope) for scope in old.scopes]
    new_id, made = _write(work, old.user_id, old.name, scopes, ends)
    until = work.at + overlap
    until = until if old.ends is None else min(until, old.ends)
    work.connection.execute(
        update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(ends=until, successor_id=new_id)
    )
    work.record("api-key.rotate", f"api-key:{key_id}", successor=new_id, old_ends=until)
    return new_id, made


def revoke_api_key(work: Work, key_id: UUID) -> None:
    """End an API key at once.

    Raises
    ------
    UnknownAccount
        If there is no such key.
    """
    work.begin_change()
    find_api_key(work.connection, key_id)
    work.connection.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked.is_(None))
        .values(revoked=work.at)
    )
    work.record("api-key.revoke", f"api-key:{key_id}")


def _write(
    work: Work, user_id: UUID, name: str, scopes: list[str], ends: datetime | None
) -> tuple[UUID, Bearer]:
    made, key_id = new_bearer(API_KEY), uuid4()
    work.connection.execute(
        insert(ApiKeyRow).values(
            id=key_id,
            user_id=user_id,
            name=name,
            digest=made.digest,
            shown=made.text[:SHOWN],
            scopes=scopes,
            created=work.at,
            created_by=work.actor,
            ends=ends,
        )
    )
    return key_id, made
