"""The rights of everybody, read at once."""

from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from sqlalchemy import Connection, select

from tokenkit.access.principals import FRESH_FOR, RoleFacts, Snapshot, UserFacts
from tokenkit.access.tables.changes import rights_version
from tokenkit.access.tables.grants import list_grants
from tokenkit.access.tables.roles import list_roles
from tokenkit.store.models.access import RoleMemberRow, UserPasswordRow, UserRow, UserTotpRow

if TYPE_CHECKING:
    from tokenkit.access.grants import Grant


def load_snapshot(connection: Connection, fresh_for: timedelta = FRESH_FOR) -> Snapshot:
    """Read users, roles and grants.

    The version is read first: what is committed between the reads is then newer than the snapshot
    says, and is found at the next look.
    """
    version = rights_version(connection)
    grants: dict[int, list[Grant]] = {}
    for found in list_grants(connection):
        grants.setdefault(found.role_id, []).append(found.grant)
    roles = {
        role.id: RoleFacts(role.requires_mfa, tuple(grants.get(role.id, ())))
        for role in list_roles(connection)
    }
    return Snapshot(version, _users(connection), roles, fresh_for)


def _users(connection: Connection) -> dict[UUID, UserFacts]:
    roles_of: dict[UUID, set[int]] = {}
    for user_id, role_id in connection.execute(
        select(RoleMemberRow.user_id, RoleMemberRow.role_id)
    ):
        roles_of.setdefault(user_id, set()).add(role_id)
    rows = connection.execute(
        select(
            UserRow.id,
            UserRow.name,
            UserRow.kind,
            UserTotpRow.secret.is_not(None),
            UserPasswordRow.must_change,
        )
        .outerjoin(UserTotpRow, UserTotpRow.user_id == UserRow.id)
        .outerjoin(UserPasswordRow, UserPasswordRow.user_id == UserRow.id)
        .where(UserRow.disabled.is_(None))
    )
    return {
        user_id: UserFacts(
            name=name,
            kind=_kind(kind),
            roles=frozenset(roles_of.get(user_id, ())),
            has_second_factor=bool(second_factor),
            must_change_password=bool(must_change),
        )
        for user_id, name, kind, second_factor, must_change in rows
    }


def _kind(kind: str) -> Literal["person", "service"]:
    return "person" if kind == "person" else "service"
