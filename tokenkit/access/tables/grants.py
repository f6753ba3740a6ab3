"""The grants of roles."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from tokenkit.access.grants import Grant
from tokenkit.access.resources import ResourcePattern
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.roles import Role
from tokenkit.errors import AccountExists, UnknownAccount
from tokenkit.store.models.access import GrantRow, RoleRow

_COLUMNS = (
    GrantRow.id,
    GrantRow.role_id,
    GrantRow.effect,
    GrantRow.action,
    GrantRow.kind,
    GrantRow.name,
    GrantRow.purposes,
)


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A grant with its number and its role.

    Examples
    --------
    >>> str(RoleGrant(1, 7, Grant.build("deny", "*", "key:payments")).grant)
    'deny * on key:payments'
    """

    id: int
    role_id: int
    grant: Grant


def list_grants(
    connection: Connection,
    role: Role | None = None,
    *,
    after: int | None = None,
    most: int | None = None,
) -> list[RoleGrant]:
    """List grants, of one role or of all, in the order in which they were made.

    Parameters
    ----------
    connection, role
        Where, and whose.
    after, most
        The next ones after a number, and how many.
    """
    query = select(*_COLUMNS).order_by(GrantRow.id).limit(most)
    if role is not None:
        query = query.where(GrantRow.role_id == role.id)
    if after is not None:
        query = query.where(GrantRow.id > after)
    return [_read(row) for row in connection.execute(query)]


def find_grant(connection: Connection, grant_id: int) -> RoleGrant:
    """Find a grant by its number.

    Raises
    ------
    UnknownAccount
        If there is none.
    """
    row = connection.execute(select(*_COLUMNS).where(GrantRow.id == grant_id)).one_or_none()
    if row is None:
        raise UnknownAccount("there is no grant of that number", reason="grant")
    return _read(row)


def add_grant(work: Work, role: Role, grant: Grant) -> int:
    """Add a grant to a role, and give its number.

    Raises
    ------
    AccountExists
        If the role has the like already, be it for other purposes.
    """
    work.begin_change()
    same = select(GrantRow.id).where(
        GrantRow.role_id == role.id,
        GrantRow.effect == grant.effect,
        GrantRow.action == grant.action,
        GrantRow.kind == grant.resource.kind,
        GrantRow.name == grant.resource.name,
    )
    if work.connection.execute(same).first() is not None:
        raise AccountExists(
            "the role has such a grant", reason="grant", hint="remove that one first"
        )
    purposes = None if grant.purposes is None else sorted(grant.purposes)
    grant_id = work.connection.execute(
        insert(GrantRow)
        .values(
            role_id=role.id,
            effect=grant.effect,
            action=grant.action,
            kind=grant.resource.kind,
            name=grant.resource.name,
            purposes=purposes,
            created=work.at,
            created_by=work.actor,
        )
        .returning(GrantRow.id)
    ).scalar_one()
    work.record("grant.add", f"role:{role.name}", grant=str(grant), id=grant_id)
    return grant_id


def remove_grant(work: Work, grant_id: int) -> Grant:
    """Remove a grant, and give what it was.

    Raises
    ------
    UnknownAccount
        If there is none of that number.
    """
    work.begin_change()
    row = work.connection.execute(
        select(*_COLUMNS, RoleRow.name.label("role"))
        .join(RoleRow, RoleRow.id == GrantRow.role_id)
        .where(GrantRow.id == grant_id)
    ).one_or_none()
    if row is None:
        raise UnknownAccount("there is no grant of that number", reason="grant")
    work.connection.execute(delete(GrantRow).where(GrantRow.id == grant_id))
    removed = _read(row).grant
    work.record("grant.remove", f"role:{row.role}", grant=str(removed), id=grant_id)
    return removed


def _read(row: Row[Any]) -> RoleGrant:
    pattern = ResourcePattern.checked(row.kind, row.name)
    grant = Grant.build(row.effect, row.action, pattern, purposes=row.purposes)
    return RoleGrant(row.id, row.role_id, grant)
