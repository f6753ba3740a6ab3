"""``tokenkit connectors``: the systems whose tables jobs read and write."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tokenkit.jobs.connectors import Connector


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(connectors)


def connectors(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a connector.")
    ] = False,
) -> None:
    """Show the connectors that are installed: whether they read or write, and their options."""
    from tokenkit.errors import ConnectorMissing
    from tokenkit.jobs.connectors import connector_names, find_connector

    found: list[dict[str, object]] = []
    for name in connector_names():
        try:
            found.append(_described(find_connector(name)))
        except ConnectorMissing as error:
            found.append({"name": name, "missing": error.summary, "hint": error.hint})
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _print_table(found)


def _described(connector: "Connector") -> dict[str, object]:
    sides = {"source": connector.source, "sink": connector.sink}
    return {
        "name": connector.name,
        "summary": connector.summary,
        **{
            side: None if opening is None else list(opening.options.model_fields)
            for side, opening in sides.items()
        },
    }


def _print_table(found: list[dict[str, object]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not found:
        console.print("No connectors are installed; files and folders need none.")
        console.print("To add some: pip install 'tokenkit-vaultless-connectors[postgresql,duckdb]'")
        return
    table = Table(title="Connectors", title_justify="left", show_lines=True)
    table.add_column("Name", no_wrap=True)
    table.add_column("What it is")
    table.add_column("Source options")
    table.add_column("Sink options")
    for connector in found:
        about = str(connector.get("summary") or f"{connector['missing']}; {connector['hint']}")
        table.add_row(
            str(connector["name"]),
            Text(about),
            _listed(connector.get("source")),
            _listed(connector.get("sink")),
        )
    console.print(table)


def _listed(options: object) -> str:
    return ", ".join(options) if isinstance(options, list) else "-"
