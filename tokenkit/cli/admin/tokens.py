"""``tokenkit admin token``."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import Kek, KeyringFile

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Records of tokens: purged, revoked, resealed.")
    group.command(name="purge")(purge)
    group.command(name="revoke")(revoke)
    group.command(name="reseal")(reseal)
    app.add_typer(group, name="token")


def purge(
    days: Annotated[
        int,
        typer.Option("--days", metavar="DAYS", min=0, help="Only what expired so long ago."),
    ] = 0,
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Take the metadata of expired records; that the tokens have expired stays known."""
    from tokenkit.access.tables.changes import utc_now

    count = _changed("token.purge", utc_now() - timedelta(days=days), keyring, kek)
    typer.echo(f"Purged {count} {_records(count)}", err=True)


def reseal(keyring: KeyringFile = None, kek: Kek = None) -> None:
    """Seal records under the primary version of the key, before an older one is destroyed."""
    count = _changed("token.reseal", None, keyring, kek)
    typer.echo(f"Sealed {count} {_records(count)} anew", err=True)


def revoke(
    id: Annotated[UUID, typer.Argument(metavar="ID", help="The record's id.")],  # noqa: A002
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Revoke a token for the caller whose record it is, for good."""
    from tokenkit.cli.admin.workplace import change
    from tokenkit.service.token_records import TokenRecords
    from tokenkit.store.database import Database

    with change(keyring, kek) as (work, ring), Database.open() as database:
        if TokenRecords(database, lambda: ring).revoke(work.connection, id):
            work.record("token.revoke", f"token:{id}")
    typer.echo(f"Revoked {id}", err=True)


def _changed(
    action: str, before: "datetime | None", keyring: "Path | None", kek: str | None
) -> int:
    from tokenkit.cli.admin.workplace import change
    from tokenkit.service.token_records import TokenRecords
    from tokenkit.store.database import Database

    # In pieces, each a transaction: so the log says before that it will be done, and then how much.
    with change(keyring, kek) as (work, _):
        work.record(action, "token:*", outcome="prepared")
    with opened(keyring, kek) as ring, Database.open() as database:
        records = TokenRecords(database, lambda: ring)
        count = records.reseal() if before is None else records.purge(before)
    with change(keyring, kek) as (work, _):
        work.record(action, "token:*", records=count)
    return count


def _records(count: int) -> str:
    return "record" if count == 1 else "records"
