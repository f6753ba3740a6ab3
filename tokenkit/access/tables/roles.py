"""Roles and who has them."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from tokenkit.access.names import checked_role_name
from tokenkit.access.presets import ADMINISTRATOR
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.users import User, require_another_administrator
from tokenkit.errors import AccountExists, InvalidAccess, UnknownAccount
from tokenkit.store.models.access import GrantRow, RoleMemberRow, RoleRow, UserRow


@dataclass(frozen=True, slots=True)
class Role:
    """A role.

    Examples
    --------
    >>> Role(1, "support", "Sees last fours.", requires_mfa=False).name
    'support'
    """

    id: int
    name: str
    description: str
    requires_mfa: bool


_COLUMNS = (RoleRow.id, RoleRow.name, RoleRow.description, RoleRow.requires_mfa)


def list_roles(
    connection: Connection, *, after: str | None = None, most: int | None = None
) -> list[Role]:
    """List roles by name: all, or the next ones after a name."""
    query = select(*_COLUMNS).order_by(RoleRow.name).limit(most)
    if after is not None:
        query = query.where(RoleRow.name > after)
    return [Role(*row) for row in connection.execute(query)]


def find_role(connection: Connection, name: str) -> Role:
    """Find a role by name.

    Raises
    ------
    UnknownAccount
        If there is none.
    """
    row = connection.execute(select(*_COLUMNS).where(RoleRow.name == name)).one_or_none()
    if row is None:
        raise UnknownAccount("there is no role of that name", reason="role")
    return Role(*row)


def members(connection: Connection) -> dict[int, list[str]]:
    """Give the names of those who have each role, by the role's id."""
    rows = connection.execute(
        select(RoleMemberRow.role_id, UserRow.name)
        .join(UserRow, UserRow.id == RoleMemberRow.user_id)
        .order_by(UserRow.name)
    )
    found: dict[int, list[str]] = {}
    for role_id, name in rows:
        found.setdefault(role_id, []).append(name)
    return found


def list_members(
    connection: Connection, role: Role, *, after: str | None = None, most: int | None = None
) -> list[str]:
    """Give the names of those who have a role: all, or the next ones after a name."""
    query = (
        select(UserRow.name)
        .join(RoleMemberRow, RoleMemberRow.user_id == UserRow.id)
        .where(RoleMemberRow.role_id == role.id)
        .order_by(UserRow.name)
        .limit(most)
    )
    if after is not None:
        query = query.where(UserRow.name > after)
    return list(connection.execute(query).scalars())


def roles_of(connection: Connection, user_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Give the names of the roles that users have, by the user's id."""
    found: dict[UUID, list[str]] = {}
    rows = connection.execute(
        select(RoleMemberRow.user_id, RoleRow.name)
        .join(RoleRow, RoleRow.id == RoleMemberRow.role_id)
        .where(RoleMemberRow.user_id.in_(list(user_ids)))
        .order_by(RoleRow.name)
    )
    for user_id, name in rows:
        found.setdefault(user_id, []).append(name)
    return found


def create_role(
    work: Work, name: str, *, description: str = "", requires_mfa: bool = False
) -> Role:
    """Make a role.

    Raises
    ------
    AccountExists
        If there is a role of that name.
    InvalidAccess
        If the name isn't well formed.
    """
    name = checked_role_name(name)
    work.begin_change()
    taken = select(RoleRow.id).where(RoleRow.name == name)
    if work.connection.execute(taken).first() is not None:
        raise AccountExists("there is a role of that name", reason="role")
    role_id = work.connection.execute(
        insert(RoleRow)
        .values(name=name, description=description, requires_mfa=requires_mfa, created=work.at)
        .returning(RoleRow.id)
    ).scalar_one()
    work.record("role.create", f"role:{name}", requires_mfa=requires_mfa)
    return Role(role_id, name, description, requires_mfa)


def change_role(work: Work, role: Role, *, requires_mfa: bool) -> None:
    """Say whether a role asks for a second factor."""
    work.begin_change()
    work.connection.execute(
        update(RoleRow).where(RoleRow.id == role.id).values(requires_mfa=requires_mfa)
    )
    work.record("role.change", f"role:{role.name}", requires_mfa=requires_mfa)


def delete_role(work: Work, role: Role) -> None:
    """Delete a role with its grants; its members lose them.

    Raises
    ------
    InvalidAccess
        If it is the administrator's.
    """
    if role.name == ADMINISTRATOR:
        raise InvalidAccess("the administrator's role stays", reason="last_administrator")
    work.begin_change()
    # A denial that goes may widen what a member may do; the record says which role it was.
    work.connection.execute(delete(GrantRow).where(GrantRow.role_id == role.id))
    work.connection.execute(delete(RoleMemberRow).where(RoleMemberRow.role_id == role.id))
    work.connection.execute(delete(RoleRow).where(RoleRow.id == role.id))
    work.record("role.delete", f"role:{role.name}")


def assign_role(work: Work, role: Role, user: User) -> None:
    """Give a user a role; one that the user has stays as it is."""
    work.begin_change()
    if not _has(work.connection, role.id, user.id):
        work.connection.execute(
            insert(RoleMemberRow).values(
                user_id=user.id, role_id=role.id, granted=work.at, granted_by=work.actor
            )
        )
    work.record("role.assign", f"role:{role.name}", user=user.name)


def unassign_role(work: Work, role: Role, user: User) -> None:
    """Take a role from a user.

    Raises
    ------
    UnknownAccount
        If the user doesn't have it.
    InvalidAccess
        If it is the last administrator's.
    """
    work.begin_change()
    if not _has(work.connection, role.id, user.id):
        raise UnknownAccount("the user doesn't have that role", reason="role")
    if role.name == ADMINISTRATOR:
        require_another_administrator(work, user.id)
    work.connection.execute(
        delete(RoleMemberRow).where(
            RoleMemberRow.role_id == role.id, RoleMemberRow.user_id == user.id
        )
    )
    work.record("role.unassign", f"role:{role.name}", user=user.name)


def _has(connection: Connection, role_id: int, user_id: UUID) -> bool:
    found = select(RoleMemberRow.user_id).where(
        RoleMemberRow.role_id == role_id, RoleMemberRow.user_id == user_id
    )
    return connection.execute(found).first() is not None
