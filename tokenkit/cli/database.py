"""``tokenkit db``: the store's tables."""

import json
from typing import Annotated

import typer

from tokenkit.cli.options import AsJson

db = typer.Typer(no_args_is_help=True, help="The store: lineage and the audit log.")

Url = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="TOKENKIT_DATABASE_URL",
        show_envvar=True,
        show_default=False,
        metavar="URL",
        help="sqlite:///PATH or postgresql://...; default: a file in the user's data folder.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(db, name="db")


@db.command()
def upgrade(
    database: Url = None,
    to: Annotated[
        str, typer.Option("--to", metavar="REVISION", help="A revision before the newest.")
    ] = "head",
    sql: Annotated[
        bool, typer.Option("--sql", help="Only write the SQL, for whoever has to read it first.")
    ] = False,
) -> None:
    """Make the store's tables, or bring them up to this version of tokenkit; all or nothing.

    PostgreSQL's user has to own them. An embedded SQLite database upgrades itself.
    """
    from tokenkit.store import upgrading
    from tokenkit.store.database import Database

    with Database.open(database, check=False) as opened:
        if sql:
            typer.echo(upgrading.statements(opened, to), nl=False)
            return
        before, after = upgrading.upgrade(opened, to)
    was = "there were no tables" if before is None else f"it was at {before}"
    if before == after:
        typer.echo(f"{opened.address}: at revision {after} already")
    else:
        typer.echo(f"{opened.address}: now at revision {after}; {was}")


@db.command()
def status(database: Url = None, as_json: AsJson = False) -> None:
    """Show where the store is, and whether its tables are of this version of tokenkit."""
    from tokenkit.store import upgrading
    from tokenkit.store.database import Database

    with Database.open(database, check=False) as opened, opened.read() as connection:
        found = upgrading.current(connection)
    newest = upgrading.revisions()[-1]
    if as_json:
        facts = {"database": str(opened.address), "revision": found, "newest": newest}
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(f"{opened.address}")
    if found == newest:
        typer.echo(f"revision {found}, up to date")
    elif found is None:
        typer.echo("no tables yet: tokenkit db upgrade")
    elif found > newest:
        typer.echo(f"revision {found}, of a newer tokenkit than this one ({newest})")
    else:
        typer.echo(f"revision {found}; {newest} is the newest: tokenkit db upgrade")
