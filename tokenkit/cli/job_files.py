"""``tokenkit run``: jobs out of files; ``tokenkit jobs``: what they say, and what they wrote."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.jobs import execute
from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import AsJson, Force, Kek, KeyringFile, NoLineage, Quiet

if TYPE_CHECKING:
    from tokenkit.jobs.proving import OutputCheck

_File = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).")]
_Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="The value of a variable; others come from the environment.",
    ),
]

group = typer.Typer(
    name="jobs",
    help="Job files: their schema, and whether what they wrote is right.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the command and the group."""
    app.command("run")(run)
    app.add_typer(group)


def run(
    file: _File,
    variables: _Variables = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    limit: Annotated[
        int | None, typer.Option(metavar="ROWS", help="Read only so many rows of each input.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would happen, and write nothing.")
    ] = False,
    force: Force = False,
    no_lineage: NoLineage = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Do the job that a file describes: what is read, by which policy, and what is written.

    ${NAME} in the file is a variable. A job whose output is there already, from the same policy,
    keys and unchanged files, is skipped; what an older run left is replaced.
    """
    from tokenkit.jobs.job_file import read_job_file

    described = read_job_file(file)
    bound = described.bound(_values(variables))
    with opened(keyring, kek) as ring:
        job = bound.job(keyring=ring, limit=limit, dry_run=dry_run, force=force)
        label = "Detokenizing" if job.operation == "detokenize" else "Tokenizing"
        execute(job, label, quiet=quiet, as_json=as_json, no_lineage=no_lineage)


@group.command()
def check(
    file: _File,
    variables: _Variables = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="The run's id, as its report has it; default: the one over the source as it is.",
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows of each column to name.")] = 20,
    keyring: KeyringFile = None,
    kek: Kek = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say whether what a job wrote stands for what it read; it must have been done with prove.

    Its tokens are read again and compared with the keyed digests that the run has recorded, which
    shows values that were left in clear, lost, doubled or changed. Ends with 3 if some were, and
    names columns and rows (counted from 0), but no value.
    """
    from rich.console import Console

    from tokenkit.cli.progress_bar import ProgressBar
    from tokenkit.jobs.job_file import read_job_file
    from tokenkit.jobs.proving import check_output

    bound = read_job_file(file).bound(_values(variables))
    console = Console(stderr=True)
    bar = ProgressBar("Checking", console) if console.is_terminal and not quiet else None
    with opened(keyring, kek) as ring:
        found = check_output(bound.job(keyring=ring), run=run, most_rows=rows, progress=bar)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    elif not quiet:
        _print_check(found)
    if not found.holds:
        raise typer.Exit(3)


@group.command()
def schema() -> None:
    """Print the JSON Schema of job files, for completions and warnings in an editor."""
    from tokenkit.jobs.job_file.schema import job_schema

    typer.echo(json.dumps(job_schema(), indent=2))


def _values(given: list[str] | None) -> dict[str, str]:
    from tokenkit.errors import JobError

    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise JobError("a variable is given as NAME=VALUE", hint="--set DAY=2026-11-23")
        found[name] = value
    return found


def _print_check(found: "OutputCheck") -> None:
    from rich.table import Table
    from rich.text import Text

    from tokenkit.cli.terminal import printable, table_console

    console = table_console()
    table = Table(title="What was written, against what was read", title_justify="left")
    table.add_column("Column", overflow="fold")
    table.add_column("Holds")
    for heading in ("No token", "Different"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, column in found.columns.items():
        different = "" if column.differing is None else f"{column.differing:,}"
        holds = "yes" if column.holds else "no"
        table.add_row(Text(printable(name)), holds, f"{column.not_tokens:,}", different)
    console.print(table)
    for row in found.differing:
        places = [
            f"row {number:,} of {file}" if number is not None else file
            for file, number in ((row.file, row.row), (row.source_file, row.source_row))
            if file is not None
        ]
        line = f"{row.column}: {', made of '.join(places) if row.file else f'lost {places[0]}'}"
        console.print(Text(printable(line)))
    if not found.holds and not found.located:
        console.print("The source is not what was read any more, so it can't be compared with")
    verdict = "What was written stands for what was read" if found.holds else "It does not"
    console.print(f"{found.rows:,} rows. {verdict}", style="bold")
