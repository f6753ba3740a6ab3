"""``tokenkit admin bootstrap``."""

import typer

from tokenkit.cli.admin.workplace import (
    PasswordSource,
    UserName,
    change,
    new_password,
    show_password,
)
from tokenkit.cli.options import Kek, KeyringFile


def bootstrap(
    user: UserName, password: PasswordSource = None, keyring: KeyringFile = None, kek: Kek = None
) -> None:
    """Make the first administrator, and the roles to start with. Works once."""
    from tokenkit.access.names import checked_user_name
    from tokenkit.access.tables.bootstrap import bootstrap as make

    name = checked_user_name(user)
    hashed, chosen, made = new_password(password, name)
    with change(keyring, kek) as (work, _):
        make(work, name, hashed, must_change_password=made)
    typer.echo(f"Made the administrator {name}, who sets up a second factor next", err=True)
    show_password(name, chosen, made=made)
