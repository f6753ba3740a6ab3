"""``tokenkit admin api-key``."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from tokenkit.cli.admin.workplace import UserName, change, moment, reading, show_table
from tokenkit.cli.options import AsJson, Kek, KeyringFile

_Id = Annotated[UUID, typer.Argument(metavar="ID", help="The API key's id.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="API keys: issued, rotated, revoked.")
    group.command(name="issue")(issue)
    group.command(name="list")(list_)
    group.command(name="rotate")(rotate)
    group.command(name="revoke")(revoke)
    app.add_typer(group, name="api-key")


def issue(
    user: UserName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call the key.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="ACTION[@RESOURCE]",
            help="What it may be used for, of what its user may do; repeatable.",
        ),
    ],
    expires: Annotated[
        int | None,
        typer.Option("--expires", metavar="DAYS", min=1, help="After how many days it ends."),
    ] = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Issue an API key, which is shown once."""
    from tokenkit.access.tables.api_keys import issue_api_key
    from tokenkit.access.tables.users import find_user

    after = None if expires is None else timedelta(days=expires)
    with change(keyring, kek) as (work, _):
        found = find_user(work.connection, user)
        key_id, made = issue_api_key(work, found, name, scope, expires_after=after)
    _show(key_id, made.text)


def list_(
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="Only of this user.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show API keys: whose they are, their scopes, when they end and were used last."""
    from tokenkit.access.tables.api_keys import list_api_keys
    from tokenkit.access.tables.users import find_user, list_users

    with reading() as connection:
        names = {each.id: each.name for each in list_users(connection)}
        only = None if user is None else find_user(connection, user)
        rows = [
            {
                "id": str(key.id),
                "user": names[key.user_id],
                "name": key.name,
                "starts": key.shown,
                "scopes": [str(each) for each in key.scopes],
                "created": moment(key.created),
                "ends": moment(key.ends),
                "last_used": moment(key.last_used),
                "revoked": moment(key.revoked),
            }
            for key in list_api_keys(connection, only)
        ]
    show_table("API keys", rows, as_json=as_json)


def rotate(
    id: _Id,  # noqa: A002 - what users know it as
    overlap: Annotated[
        int,
        typer.Option("--overlap", metavar="HOURS", min=0, help="How long the old key works on."),
    ] = 24,
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Put a fresh key in the place of one, which works on for a while."""
    from tokenkit.access.tables.api_keys import rotate_api_key

    with change(keyring, kek) as (work, _):
        key_id, made = rotate_api_key(work, id, overlap=timedelta(hours=overlap))
    typer.echo(f"{id} works for {overlap} more hours, unless it ends before", err=True)
    _show(key_id, made.text)


def revoke(id: _Id, keyring: KeyringFile = None, kek: Kek = None) -> None:  # noqa: A002
    """End an API key at once."""
    from tokenkit.access.tables.api_keys import revoke_api_key

    with change(keyring, kek) as (work, _):
        revoke_api_key(work, id)
    typer.echo(f"Revoked {id}", err=True)


def _show(key_id: UUID, text: str) -> None:
    typer.echo(f"API key {key_id}, shown this once:", err=True)
    typer.echo(text)
