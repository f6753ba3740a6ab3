"""``tokenkit schemes``: the catalogue."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tokenkit.schemes import Scheme


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(schemes)


def schemes(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a scheme.")
    ] = False,
) -> None:
    """Show the schemes: what each is for, its algorithm and the parameters that it takes."""
    from tokenkit.schemes import all_schemes

    found = all_schemes()
    if as_json:
        typer.echo(json.dumps([_described(scheme) for scheme in found], indent=2))
    else:
        _print_table(found)


def _described(scheme: "Scheme") -> dict[str, object]:
    return {
        "name": scheme.name,
        "summary": scheme.summary,
        "example": scheme.example,
        "algorithm": scheme.algorithm.value,
        "parameters": sorted(scheme.accepts),
    }


def _print_table(found: "list[Scheme]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Schemes", title_justify="left", show_lines=True)
    table.add_column("Name", no_wrap=True)
    table.add_column("For")
    table.add_column("Example")
    table.add_column("Algorithm", no_wrap=True)
    table.add_column("Parameters", no_wrap=True)
    for scheme in found:
        table.add_row(
            scheme.name,
            Text(scheme.summary),
            Text(scheme.example),
            scheme.algorithm.value,
            "\n".join(sorted(scheme.accepts)),
        )
    Console(highlight=False).print(table)
