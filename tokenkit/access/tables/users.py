"""Users: made, disabled, enabled; their passwords."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, func, insert, select, update

from tokenkit.access.names import checked_user_name
from tokenkit.access.presets import ADMINISTRATOR
from tokenkit.access.principals import UserKind
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.sessions import revoke_sessions
from tokenkit.errors import AccountExists, InvalidAccess, UnknownAccount
from tokenkit.store.models.access import RoleMemberRow, RoleRow, UserPasswordRow, UserRow


@dataclass(frozen=True, slots=True)
class User:
    """A user, without any secret.

    Examples
    --------
    >>> from datetime import UTC
    >>> User(UUID(int=1), "ann", "person", datetime(2026, 1, 1, tzinfo=UTC), None).is_person
    True
    """

    id: UUID
    name: str
    kind: str
    created: datetime
    disabled: datetime | None

    @property
    def is_person(self) -> bool:
        """Whether the user signs in, and isn't a service."""
        return self.kind == "person"


_COLUMNS = (UserRow.id, UserRow.name, UserRow.kind, UserRow.created, UserRow.disabled)


def list_users(
    connection: Connection, *, after: str | None = None, most: int | None = None
) -> list[User]:
    """List users by name: all, or the next ones after a name."""
    query = select(*_COLUMNS).order_by(UserRow.name).limit(most)
    if after is not None:
        query = query.where(UserRow.name > after)
    return [User(*row) for row in connection.execute(query)]


def find_user(connection: Connection, name: str) -> User:
    """Find a user by name.

    Raises
    ------
    UnknownAccount
        If there is none.
    """
    row = connection.execute(
        select(*_COLUMNS).where(UserRow.name == checked_user_name(name))
    ).one_or_none()
    if row is None:
        raise UnknownAccount("there is no user of that name", reason="user")
    return User(*row)


def user_with_id(connection: Connection, user_id: UUID) -> User:
    """Find a user by id.

    Raises
    ------
    UnknownAccount
        If there is none.
    """
    row = connection.execute(select(*_COLUMNS).where(UserRow.id == user_id)).one_or_none()
    if row is None:
        raise UnknownAccount("there is no user of that id", reason="user")
    return User(*row)


def create_user(
    work: Work,
    name: str,
    *,
    kind: UserKind = "person",
    password_hash: str | None = None,
    must_change_password: bool = False,
) -> UUID:
    """Make a user.

    Parameters
    ----------
    work
        The change.
    name
        The name, in any case.
    kind
        ``person`` or ``service``.
    password_hash
        Of the pool; a service has none, and a person without one can't sign in.
    must_change_password
        Whether somebody else has chosen the password.

    Raises
    ------
    AccountExists
        If there is a user of that name, disabled or not.
    InvalidAccess
        If the name isn't well formed, or a service is given a password.
    """
    name = checked_user_name(name)
    if kind == "service" and password_hash is not None:
        raise InvalidAccess(
            "a service has no password", reason="service", hint="give it an API key"
        )
    work.begin_change()
    taken = select(UserRow.id).where(UserRow.name == name)
    if work.connection.execute(taken).first() is not None:
        raise AccountExists("there is a user of that name", reason="user")
    user_id = uuid4()
    work.connection.execute(
        insert(UserRow).values(
            id=user_id, name=name, kind=kind, created=work.at, created_by=work.actor
        )
    )
    if password_hash is not None:
        _write_password(work, user_id, password_hash, must_change=must_change_password)
    work.record("user.create", f"user:{name}", kind=kind)
    return user_id


def set_password(
    work: Work,
    user: User,
    password_hash: str,
    *,
    must_change: bool,
    keep_session: UUID | None = None,
) -> None:
    """Give a user another password, which ends the user's sessions.

    Parameters
    ----------
    work, user
        The change, and whose password it is.
    password_hash
        Of the pool.
    must_change
        Whether somebody else has chosen it.
    keep_session
        The session from which the user changed it, if it was the user.
    """
    if not user.is_person:
        raise InvalidAccess("a service has no password", reason="service")
    work.begin_change()
    work.connection.execute(delete(UserPasswordRow).where(UserPasswordRow.user_id == user.id))
    _write_password(work, user.id, password_hash, must_change=must_change)
    ended = revoke_sessions(work, user.id, but=keep_session)
    work.record("user.password", f"user:{user.name}", sessions_ended=ended)


def disable_user(work: Work, user: User) -> None:
    """Disable a user: sessions end for good, and API keys don't work until it is enabled again.

    Raises
    ------
    InvalidAccess
        If it is the last administrator.
    """
    work.begin_change()
    require_another_administrator(work, user.id)
    work.connection.execute(
        update(UserRow)
        .where(UserRow.id == user.id, UserRow.disabled.is_(None))
        .values(disabled=work.at)
    )
    ended = revoke_sessions(work, user.id)
    work.record("user.disable", f"user:{user.name}", sessions_ended=ended)


def enable_user(work: Work, user: User) -> None:
    """Enable a user again."""
    work.begin_change()
    work.connection.execute(update(UserRow).where(UserRow.id == user.id).values(disabled=None))
    work.record("user.enable", f"user:{user.name}")


def require_another_administrator(work: Work, user_id: UUID) -> None:
    """Refuse to go on if a user is the only administrator who isn't disabled.

    The change has begun, so that two administrators can't remove each other at the same time.

    Raises
    ------
    InvalidAccess
        If it is so.
    """
    administrators = (
        select(RoleMemberRow.user_id)
        .join(RoleRow, RoleRow.id == RoleMemberRow.role_id)
        .join(UserRow, UserRow.id == RoleMemberRow.user_id)
        .where(RoleRow.name == ADMINISTRATOR, UserRow.disabled.is_(None), UserRow.kind == "person")
        .subquery()
    )
    mine, others = work.connection.execute(
        select(
            func.count().filter(administrators.c.user_id == user_id),
            func.count().filter(administrators.c.user_id != user_id),
        ).select_from(administrators)
    ).one()
    if mine and not others:
        raise InvalidAccess(
            "that is the last administrator",
            reason="last_administrator",
            hint="make another one first: tokenkit admin role assign administrator USER",
        )


def _write_password(work: Work, user_id: UUID, password_hash: str, *, must_change: bool) -> None:
    work.connection.execute(
        insert(UserPasswordRow).values(
            user_id=user_id, hash=password_hash, changed=work.at, must_change=must_change
        )
    )
