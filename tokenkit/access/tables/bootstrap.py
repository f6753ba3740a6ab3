"""The first administrator, made once in the life of a database."""

from uuid import UUID

from sqlalchemy import select, update

from tokenkit.access.presets import ADMINISTRATOR, PRESETS
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.grants import add_grant
from tokenkit.access.tables.roles import assign_role, create_role, find_role
from tokenkit.access.tables.users import create_user, find_user
from tokenkit.errors import AlreadyBootstrapped
from tokenkit.store.models.access import AccessStateRow, RoleRow


def bootstrap(
    work: Work, name: str, password_hash: str, *, must_change_password: bool = False
) -> UUID:
    """Make the roles to start with, and the first administrator.

    Of two at the same time one succeeds: the database's one row says that it has been done, and is
    changed only where it says that it hasn't.

    Raises
    ------
    AlreadyBootstrapped
        If it was done before.
    """
    done = work.connection.execute(
        update(AccessStateRow)
        .where(AccessStateRow.id == 1, AccessStateRow.bootstrapped.is_(None))
        .values(bootstrapped=work.at)
    )
    if done.rowcount != 1:
        raise AlreadyBootstrapped(
            "the first administrator has been made already",
            reason="bootstrapped",
            hint="tokenkit admin user add makes further users",
        )
    there = set(work.connection.execute(select(RoleRow.name)).scalars())
    for preset in PRESETS:
        # One that was made by hand before stays as it is.
        if preset.name in there:
            continue
        role = create_role(
            work, preset.name, description=preset.description, requires_mfa=preset.requires_mfa
        )
        for grant in preset.grants:
            add_grant(work, role, grant)
    user_id = create_user(
        work, name, password_hash=password_hash, must_change_password=must_change_password
    )
    assign_role(work, find_role(work.connection, ADMINISTRATOR), find_user(work.connection, name))
    work.record("bootstrap", f"user:{name}")
    return user_id
