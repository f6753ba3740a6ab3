"""``tokenkit rejects``: rejected rows, counted, opened, or tokenized again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.auditing import audited
from tokenkit.cli.jobs import execute
from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import AsJson, Force, Kek, KeyringFile, NoLineage, Quiet

if TYPE_CHECKING:
    import polars as pl

_File = Annotated[
    Path, typer.Argument(metavar="REJECTS", help="OUTPUT.rejects.parquet, as a job wrote it.")
]
_Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="OUTPUT", help="The file to write.")
]

_ROWS = 20


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Rejected rows: count, open, tokenize again.")
    group.command(name="show")(show)
    group.command(name="open")(open_)
    group.command(name="replay")(replay)
    app.add_typer(group, name="rejects")


def show(
    file: _File,
    rows: Annotated[int, typer.Option(min=0, help="How many rows to list.")] = _ROWS,
    as_json: AsJson = False,
) -> None:
    """Show which rows were rejected and why; needs no key, and shows no value."""
    from tokenkit.jobs.rejects import read_rejects

    rejects = read_rejects(file)
    counts, places = rejects.counts(), rejects.places(rows)
    if as_json:
        found = {
            "run": rejects.description.run,
            "rows": int(counts["rows"].sum()),
            "counts": counts.to_dicts(),
            "places": places.to_dicts(),
        }
        typer.echo(json.dumps(found, indent=2))
        return
    _print(counts, "Rejected rows")
    _print(places, f"The first {len(places):,} of {counts['rows'].sum():,}")


def open_(
    file: _File,
    output: _Output,
    keyring: KeyringFile = None,
    kek: Kek = None,
    force: Force = False,
    no_lineage: NoLineage = False,
    quiet: Quiet = False,
) -> None:
    """Write rejected rows in clear, to a file that only its owner may read."""
    from tokenkit.jobs.rejects import read_rejects
    from tokenkit.lineage.naming import of_file

    with (
        opened(keyring, kek) as ring,
        audited(ring, "rejects.open", str(of_file(file)), unrecorded=no_lineage) as deed,
    ):
        rows = deed.count = read_rejects(file).write(output, keyring=ring, replace=force)
    if not quiet:
        typer.echo(f"Wrote {rows:,} rows, in clear, to {output}")


def replay(
    file: _File,
    output: _Output,
    policy: Annotated[
        Path, typer.Option("--policy", "-p", metavar="POLICY", help="The policy file (YAML).")
    ],
    keyring: KeyringFile = None,
    kek: Kek = None,
    force: Force = False,
    no_lineage: NoLineage = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Tokenize rejected rows again, under a policy that has been corrected.

    They are opened in memory only. Rows that still don't fit go to OUTPUT.rejects.parquet.
    """
    from tokenkit.jobs import Job
    from tokenkit.policy import load_policy

    read = load_policy(policy)
    with opened(keyring, kek) as ring:
        job = Job(
            operation="tokenize",
            source=file,
            target=output,
            policy=read,
            keyring=ring,
            replay=True,
            force=force,
        )
        execute(job, "Tokenizing", quiet=quiet, as_json=as_json, no_lineage=no_lineage)


def _print(frame: "pl.DataFrame", title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(
            name.capitalize(), justify="right" if dtype.is_numeric() else "left", overflow="fold"
        )
    for row in frame.iter_rows():
        table.add_row(*(Text(f"{value:,}" if isinstance(value, int) else value) for value in row))
    Console(highlight=False).print(table)
