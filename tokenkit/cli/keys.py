"""``tokenkit keys``: create, list and rotate."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenkit.cli.options import Kek

if TYPE_CHECKING:
    from datetime import datetime

    from tokenkit.keys import Keyring

group = typer.Typer(
    name="keys", help="Make keyrings, look into them, rotate their keys.", no_args_is_help=True
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The keyring file.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group)


@group.command()
def create(
    file: _File,
    key: Annotated[
        list[str], typer.Option("--key", metavar="NAME", help="A key to make; repeatable.")
    ],
    kek: Kek = None,
) -> None:
    """Make a keyring with fresh keys. A file that is there is never overwritten."""
    from tokenkit.keys import create_keyring

    with create_keyring(file, key, kek or None) as ring:
        typer.echo(f"Created {file} with {_counted(ring)}: {', '.join(ring.names)}")


@group.command("list")
def list_(
    file: _File,
    kek: Kek = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a key version.")
    ] = False,
) -> None:
    """Show the versions of every key, by name, state, id and date."""
    from tokenkit.keys import open_keyring

    with open_keyring(file, kek or None) as ring:
        rows = _rows(ring)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(file, rows)


@group.command()
def rotate(
    file: _File,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key to rotate.")],
    kek: Kek = None,
) -> None:
    """Give a key a fresh primary version; older versions still detokenize."""
    from tokenkit.keys import edit_keyring

    with edit_keyring(file, kek or None) as ring:
        version = ring.rotate(name)
    typer.echo(f"Rotated {name}: version {version.number} (id {version.id}) is primary now")


def _counted(ring: "Keyring") -> str:
    return "1 key" if len(ring) == 1 else f"{len(ring)} keys"


def _rows(ring: "Keyring") -> list[dict[str, Any]]:
    return [
        {
            "key": name,
            "version": version.number,
            "state": version.state.value,
            "primary": version.number == ring[name].primary_number,
            "id": version.id,
            "check_value": version.check_value.hex(),
            "created": _moment(version.created),
            "primary_since": version.primary_since and _moment(version.primary_since),
        }
        for name in ring
        for version in ring[name].versions
    ]


def _moment(moment: "datetime") -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_table(file: Path, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"Keys of {file}"), title_justify="left")
    for heading in ("Key", "Version", "State", "Primary", "Id", "Created"):
        numeric = heading in {"Version", "Id"}
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            row["key"],
            str(row["version"]),
            row["state"],
            "yes" if row["primary"] else "",
            str(row["id"]),
            row["created"],
        )
    Console().print(table)
