"""``tokenkit lineage runs``."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.lineage.group import group, moment, number, place, short, store, utc
from tokenkit.cli.options import AsJson
from tokenkit.cli.terminal import printable, table_console

if TYPE_CHECKING:
    from tokenkit.store.lineage import Page


@group.command()
def runs(
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Begun then or later: a date (UTC), or 90m, 12h, 7d."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Begun before that; as --since.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="STATUS", help="running, publishing, complete or failed."),
    ] = None,
    operation: Annotated[
        str | None, typer.Option(metavar="NAME", help="tokenize, detokenize or rekey.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="DATASET", help="Runs that read or wrote this.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Runs that this started.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="RUNS", min=1, help="How many to list.")] = 20,
    after: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on after this run: the next page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first.

    A run that is publishing is recorded while its outputs get their names. One that stays so was
    interrupted: run the same command again, and it is settled.
    """
    from tokenkit.store.lineage import RunFilter, find_run, list_runs, resolve

    if status not in {None, "running", "publishing", "complete", "failed"}:
        raise typer.BadParameter("--status is running, publishing, complete or failed")
    first, last = moment(since), moment(until)
    with store() as connection:
        wanted = RunFilter(
            since=first,
            until=last,
            status=status,
            operation=operation,
            actor=actor,
            dataset_id=None if dataset is None else resolve(connection, dataset, whole=True).id,
        )
        start = None if after is None else find_run(connection, after)
        page = list_runs(connection, wanted, limit=limit, after=start)
    if as_json:
        typer.echo(json.dumps([run.to_json() for run in page.runs], indent=2))
    else:
        _print(page)


def _print(page: "Page") -> None:
    from rich.table import Table
    from rich.text import Text

    console = table_console()
    if not page.runs:
        console.print("No run is recorded that fits")
        return
    table = Table()
    for heading in ("Run", "Started (UTC)", "Operation", "Status"):
        table.add_column(heading, no_wrap=True)
    table.add_column("By", overflow="fold")
    for heading in ("Rows", "Rejected"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Output", overflow="fold")
    for run in page.runs:
        status = f"{run.status} {run.error_code}" if run.error_code else run.status
        table.add_row(
            short(run.id),
            utc(run.started),
            Text(printable(run.operation)),
            Text(printable(status)),
            Text(printable(run.actor)),
            number(run.rows_written),
            number(run.rows_rejected),
            Text("\n".join(place(output) for output in run.outputs)),
        )
    console.print(table)
    if page.more:
        console.print(f"There are older ones: --after {page.runs[-1].id}", soft_wrap=True)
