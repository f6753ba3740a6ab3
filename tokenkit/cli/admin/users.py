"""``tokenkit admin user``."""

from typing import Annotated

import typer

from tokenkit.cli.admin.workplace import (
    PasswordSource,
    UserName,
    change,
    moment,
    new_password,
    reading,
    show_password,
    show_table,
)
from tokenkit.cli.options import AsJson, Kek, KeyringFile


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Users: people who sign in, and services.")
    group.command(name="add")(add)
    group.command(name="list")(list_)
    group.command(name="disable")(disable)
    group.command(name="enable")(enable)
    group.command(name="password")(password)
    group.command(name="unlock")(unlock)
    group.command(name="reset-second-factor")(reset_second_factor)
    app.add_typer(group, name="user")


def add(
    user: UserName,
    service: Annotated[
        bool, typer.Option("--service", help="A service: it has API keys, and no password.")
    ] = False,
    role: Annotated[
        list[str] | None, typer.Option("--role", metavar="ROLE", help="A role; repeatable.")
    ] = None,
    password: PasswordSource = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Make a user."""
    from tokenkit.access.names import checked_user_name
    from tokenkit.access.tables.roles import assign_role, find_role
    from tokenkit.access.tables.users import create_user, find_user

    name = checked_user_name(user)
    if service and password is not None:
        raise typer.BadParameter("a service has no password", param_hint="--password")
    hashed, chosen, made = (None, "", False) if service else new_password(password, name)
    with change(keyring, kek) as (work, _):
        create_user(
            work,
            name,
            kind="service" if service else "person",
            password_hash=hashed,
            must_change_password=not service,
        )
        found = find_user(work.connection, name)
        for each in role or ():
            assign_role(work, find_role(work.connection, each), found)
    typer.echo(f"Made the {'service' if service else 'user'} {name}", err=True)
    show_password(name, chosen, made=made)


def list_(as_json: AsJson = False) -> None:
    """Show the users and their roles."""
    from tokenkit.access.tables.roles import list_roles, members
    from tokenkit.access.tables.users import list_users

    with reading() as connection:
        names = {role.id: role.name for role in list_roles(connection)}
        having = members(connection)
        rows = [
            {
                "name": user.name,
                "kind": user.kind,
                "roles": sorted(names[role] for role in having if user.name in having[role]),
                "created": moment(user.created),
                "disabled": moment(user.disabled),
            }
            for user in list_users(connection)
        ]
    show_table("Users", rows, as_json=as_json)


def disable(user: UserName, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Disable a user: sessions end, and API keys don't work until it is enabled again."""
    from tokenkit.access.tables.users import disable_user, find_user

    with change(keyring, kek) as (work, _):
        disable_user(work, find_user(work.connection, user))
    typer.echo(f"Disabled {user}", err=True)


def enable(user: UserName, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Enable a user again."""
    from tokenkit.access.tables.users import enable_user, find_user

    with change(keyring, kek) as (work, _):
        enable_user(work, find_user(work.connection, user))
    typer.echo(f"Enabled {user}", err=True)


def password(
    user: UserName, password: PasswordSource = None, keyring: KeyringFile = None, kek: Kek = None
) -> None:
    """Give a user another password, to be changed at the next sign-in; sessions end."""
    from tokenkit.access.names import checked_user_name
    from tokenkit.access.tables.users import find_user, set_password

    name = checked_user_name(user)
    hashed, chosen, made = new_password(password, name)
    with change(keyring, kek) as (work, _):
        set_password(work, find_user(work.connection, name), hashed, must_change=True)
    typer.echo(f"Changed the password of {name}", err=True)
    show_password(name, chosen, made=made)


def unlock(user: UserName, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Forget the attempts to sign in that failed and were counted for a user."""
    from tokenkit.access.sealing import Sealer, access_key
    from tokenkit.access.sign_in import unlock as forgive
    from tokenkit.access.tables.users import find_user

    with change(keyring, kek) as (work, ring):
        forgive(work, find_user(work.connection, user), Sealer(access_key(ring)))
    typer.echo(f"Unlocked {user}", err=True)


def reset_second_factor(user: UserName, keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Take the second factor from a user who has lost it, with its recovery codes."""
    from tokenkit.access.tables.second_factor import remove_second_factor
    from tokenkit.access.tables.users import find_user

    with change(keyring, kek) as (work, _):
        remove_second_factor(work, find_user(work.connection, user))
    typer.echo(f"{user} has no second factor any more, and can set one up", err=True)
