"""``tokenkit admin role``."""

from typing import Annotated

import typer

from tokenkit.cli.admin.workplace import RoleName, UserName, change, reading, show_table
from tokenkit.cli.options import AsJson, Kek, KeyringFile

_Mfa = Annotated[
    bool,
    typer.Option(
        "--mfa/--no-mfa", help="Whether its members need a second factor for whatever they do."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Roles, and who has them.")
    group.command(name="add")(add)
    group.command(name="list")(list_)
    group.command(name="change")(change_)
    group.command(name="remove")(remove)
    group.command(name="assign")(assign)
    group.command(name="unassign")(unassign)
    app.add_typer(group, name="role")


def add(
    role: RoleName,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="What it is for, in a sentence.")
    ] = "",
    mfa: _Mfa = False,
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Make a role without grants."""
    from tokenkit.access.tables.roles import create_role

    with change(keyring, kek) as (work, _):
        create_role(work, role, description=description, requires_mfa=mfa)
    typer.echo(f"Made the role {role}", err=True)


def list_(as_json: AsJson = False) -> None:
    """Show the roles and their members."""
    from tokenkit.access.tables.roles import list_roles, members

    with reading() as connection:
        having = members(connection)
        rows = [
            {
                "name": role.name,
                "second_factor": role.requires_mfa,
                "members": having.get(role.id, []),
                "description": role.description,
            }
            for role in list_roles(connection)
        ]
    show_table("Roles", rows, as_json=as_json)


def change_(role: RoleName, mfa: _Mfa, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Say whether a role asks for a second factor."""
    from tokenkit.access.tables.roles import change_role, find_role

    with change(keyring, kek) as (work, _):
        change_role(work, find_role(work.connection, role), requires_mfa=mfa)
    typer.echo(f"Changed the role {role}", err=True)


def remove(role: RoleName, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Delete a role with its grants."""
    from tokenkit.access.tables.roles import delete_role, find_role

    with change(keyring, kek) as (work, _):
        delete_role(work, find_role(work.connection, role))
    typer.echo(f"Deleted the role {role}", err=True)


def assign(role: RoleName, user: UserName, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Give a user a role."""
    from tokenkit.access.tables.roles import assign_role, find_role
    from tokenkit.access.tables.users import find_user

    with change(keyring, kek) as (work, _):
        assign_role(work, find_role(work.connection, role), find_user(work.connection, user))
    typer.echo(f"{user} has the role {role}", err=True)


def unassign(role: RoleName, user: UserName, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Take a role from a user."""
    from tokenkit.access.tables.roles import find_role, unassign_role
    from tokenkit.access.tables.users import find_user

    with change(keyring, kek) as (work, _):
        unassign_role(work, find_role(work.connection, role), find_user(work.connection, user))
    typer.echo(f"{user} no longer has the role {role}", err=True)
