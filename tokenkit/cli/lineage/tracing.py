"""``tokenkit lineage trace``."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.lineage.group import (
    Depth,
    Downstream,
    Limit,
    OneColumn,
    Upstream,
    follow,
    group,
    number,
    place,
    short,
    store,
    utc,
)
from tokenkit.cli.options import AsJson
from tokenkit.cli.terminal import printable, table_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tokenkit.lineage.graph import Trace, Way


@group.command()
def trace(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET[.COLUMN]",
            help="A file, a folder or a table, by path or name, and a column of it.",
        ),
    ],
    column: OneColumn = None,
    upstream: Upstream = False,
    downstream: Downstream = False,
    depth: Depth = None,
    limit: Limit = 1_000,
    as_json: AsJson = False,
) -> None:
    """Follow a dataset or a column to where it comes from, and to what became of it.

    The newest run that went each way is shown; `tokenkit lineage show` explains it.
    """
    with store() as connection:
        traced = follow(
            connection,
            dataset,
            column,
            upstream=upstream,
            downstream=downstream,
            depth=depth,
            limit=limit,
        )
    if as_json:
        typer.echo(json.dumps(traced.to_json(), indent=2))
    else:
        _print(traced, limit)


def _print(traced: "Trace", limit: int) -> None:
    from rich.text import Text

    console = table_console()
    name = place(traced.dataset)
    if traced.column is not None:
        name += f", column {printable(traced.column)}"
    for ways, title, nothing in (
        (traced.upstream, "Where {} comes from", "No run that is recorded wrote {}"),
        (traced.downstream, "What became of {}", "No run that is recorded read {}"),
    ):
        if ways is None:
            continue
        if not ways:
            console.print(Text(nothing.format(name)), soft_wrap=True)
            continue
        console.print(Text(title.format(name), "bold"), soft_wrap=True)
        if traced.column is None:
            _print_datasets(console, ways)
        else:
            _print_columns(console, ways)
    if traced.truncated:
        console.print(
            f"There is more: these are the nearest {limit:,} ways of columns (--limit)",
            soft_wrap=True,
        )


def _print_columns(console: "Console", ways: "Sequence[Way]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("Step", justify="right", no_wrap=True)
    for heading in ("From", "To", "Action", "Key"):
        table.add_column(heading, overflow="fold")
    for heading in ("Values", "Null", "Invalid"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("Run", "Started (UTC)"):
        table.add_column(heading, no_wrap=True)
    table.add_column("By", overflow="fold")
    for way in ways:
        edge, counts = way.edge, way.edge.counts
        version = "" if edge.key_version is None else f" version {edge.key_version}"
        words = (
            f"{place(edge.input)}.{printable(edge.input_column)}",
            f"{place(edge.output)}.{printable(edge.output_column)}",
            printable(f"{edge.action} {edge.scheme}" if edge.scheme else edge.action),
            printable(f"{edge.key}{version}" if edge.key else ""),
        )
        numbers = (
            ("", "", "")
            if counts is None
            else (counts.done, counts.null, sum(counts.invalid.values()))
        )
        table.add_row(
            number(way.distance),
            *(Text(word) for word in words),
            *(n if isinstance(n, str) else number(n) for n in numbers),
            short(way.run),
            utc(way.started),
            Text(printable(way.actor)),
        )
    console.print(table)


def _print_datasets(console: "Console", ways: "Sequence[Way]") -> None:
    from rich.table import Table
    from rich.text import Text

    steps: dict[tuple[object, ...], list[Way]] = {}
    for way in ways:
        step = (way.distance, way.edge.input, way.edge.output, way.run)
        steps.setdefault(step, []).append(way)
    table = Table()
    table.add_column("Step", justify="right", no_wrap=True)
    for heading in ("From", "To", "Operation"):
        table.add_column(heading, overflow="fold")
    for heading in ("Columns", "Read", "Written", "Rejected"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("Run", "Started (UTC)"):
        table.add_column(heading, no_wrap=True)
    table.add_column("By", overflow="fold")
    for columns in steps.values():
        way = columns[0]
        operation = way.operation if way.status == "complete" else f"{way.operation}, {way.status}"
        table.add_row(
            number(way.distance),
            Text(place(way.edge.input)),
            Text(place(way.edge.output)),
            Text(printable(operation)),
            *(
                number(count)
                for count in (len(columns), way.rows_read, way.rows_written, way.rows_rejected)
            ),
            short(way.run),
            utc(way.started),
            Text(printable(way.actor)),
        )
    console.print(table)
