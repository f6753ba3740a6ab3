"""Reports of jobs on the terminal: a table of columns, and what became of the rows."""

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tokenkit.jobs import Report


def show(report: "Report", *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _print(report)


def _print(report: "Report") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)

    def say(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    if report.status == "skipped":
        say(f"{report.target} holds this run already (run {report.run}): nothing to do")
        return
    if report.columns:
        table = Table(title=Text(f"Columns {report.operation}d"), title_justify="left")
        table.add_column("Column", overflow="fold")
        table.add_column("Scheme", no_wrap=True)
        counts = [f"{report.operation.capitalize()}d", "Null", "Empty"]
        # Most policies have neither literals nor sealed values.
        extra = [
            what
            for what in ("literal", "sealed")
            if any(getattr(column, what) for column in report.columns.values())
        ]
        for heading in (*counts, *(what.capitalize() for what in extra), "Invalid"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("Reasons", no_wrap=True)
        for name, column in report.columns.items():
            numbers = [column.done, column.null, column.empty]
            numbers += [getattr(column, what) for what in extra]
            table.add_row(
                Text(name),
                column.scheme,
                *(f"{number:,}" for number in (*numbers, column.invalid_count)),
                "\n".join(f"{reason} {count:,}" for reason, count in column.invalid.items()),
            )
        console.print(table)
    rejected = f", {report.rows_rejected:,} rejected" if report.rows_rejected else ""
    files = f" in {report.inputs:,} files" if report.inputs > 1 else ""
    say(
        f"{report.rows_read:,} rows read ({size(report.bytes_read)}{files}), "
        f"{report.rows_written:,} written ({size(report.bytes_written)}){rejected} in "
        f"{report.seconds:.1f} s, {report.rows_per_second:,.0f} rows/s"
    )
    if report.status == "dry-run":
        say("Nothing was written: this was a dry run")
    elif report.status == "done":
        say(f"Wrote {report.target}")
        if report.rejects:
            say(f"Rejected rows are sealed in {report.rejects}")


def size(count: float) -> str:
    """Write a number of bytes with a unit.

    Examples
    --------
    >>> size(1536)
    '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"
