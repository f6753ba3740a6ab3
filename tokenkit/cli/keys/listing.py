"""``tokenkit keys list``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tokenkit.cli.keys.group import File, group
from tokenkit.cli.options import AsJson, Kek

if TYPE_CHECKING:
    from datetime import datetime

    from tokenkit.keys import Keyring


@group.command("list")
def list_(file: File, kek: Kek = None, as_json: AsJson = False) -> None:
    """Show the versions of every key, by name, state, id and date."""
    from tokenkit.cli.keyrings import warn_of_rotations
    from tokenkit.keys import open_keyring

    with open_keyring(file, kek or None) as ring:
        rows = _rows(ring)
        warn_of_rotations(ring)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(file, rows)


def _rows(ring: "Keyring") -> list[dict[str, Any]]:
    return [
        {
            "key": name,
            "version": version.number,
            "state": version.state.value,
            "primary": version.number == ring[name].primary_number,
            "id": version.id,
            "check_value": version.check_value.hex(),
            "kind": version.kind.value,
            "created": _moment(version.created),
            "primary_since": _moment(version.primary_since),
            "disabled": _moment(version.disabled),
            "destroyed": _moment(version.destroyed),
            "rotation_due": _moment(ring[name].rotation_due)
            if version.number == ring[name].primary_number
            else None,
        }
        for name in ring
        for version in ring[name].versions
    ]


def _state(row: dict[str, Any]) -> str:
    since = row["destroyed"] or row["disabled"]
    return f"{row['state']} {since[:10]}" if since else str(row["state"])


def _moment(moment: "datetime | None") -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


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
            " ".join(
                filter(None, (row["state"], (row["disabled"] or row["destroyed"] or "")[:10]))
            ),
            "yes" if row["primary"] else "",
            str(row["id"]),
            row["created"],
        )
    Console().print(table)
