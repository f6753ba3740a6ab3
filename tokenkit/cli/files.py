"""``tokenkit inspect`` and ``tokenkit verify``: what files hold, and whether they come back."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import (
    AsJson,
    Delimiter,
    Encoding,
    Kek,
    KeyringFile,
    Names,
    NoHeader,
    Quiet,
    Quote,
    Types,
)

if TYPE_CHECKING:
    from tokenkit.jobs.inspection import Inspection
    from tokenkit.jobs.verification import Verification


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(inspect)
    app.command()(verify)


def inspect(
    path: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A file, a folder, a pattern in quotes, or s3://BUCKET/KEY."
        ),
    ],
    keyring: KeyringFile = None,
    kek: Kek = None,
    delimiter: Delimiter = None,
    quote: Quote = '"',
    encoding: Encoding = "utf-8",
    no_header: NoHeader = False,
    names: Names = None,
    as_json: AsJson = False,
) -> None:
    """Show what files hold: rows, columns, and which key versions made their tokens.

    With a keyring the metadata is checked; without one it's only shown. No value is read.
    """
    from tokenkit.cli.jobs import text_options
    from tokenkit.jobs.inspection import inspect as look
    from tokenkit.jobs.objects import place_of

    text = text_options(delimiter, quote, encoding, no_header, names, None)
    with contextlib.ExitStack() as stack:
        ring = None if keyring is None else stack.enter_context(opened(keyring, kek))
        found = look(place_of(path), keyring=ring, text=text)
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found], indent=2))
        return
    for one in found:
        _print_inspection(one)


def verify(
    source: Annotated[str, typer.Argument(metavar="A", help="What was tokenized.")],
    tokens: Annotated[str, typer.Argument(metavar="B", help="What came out.")],
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", "-p", metavar="POLICY", help="Needed only where B has no metadata."
        ),
    ] = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    delimiter: Delimiter = None,
    quote: Quote = '"',
    encoding: Encoding = "utf-8",
    no_header: NoHeader = False,
    names: Names = None,
    types: Types = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say whether detokenizing B gives A, row by row; nothing is written.

    Ends with 0 if it does, and with 3 if a value differs or rows are missing.
    """
    from rich.console import Console

    from tokenkit.cli.jobs import text_options
    from tokenkit.cli.progress_bar import ProgressBar
    from tokenkit.jobs.objects import place_of
    from tokenkit.jobs.verification import verify as compare
    from tokenkit.policy import load_policy

    text = text_options(delimiter, quote, encoding, no_header, names, types)
    read = None if policy is None else load_policy(policy)
    console = Console(stderr=True)
    bar = ProgressBar("Comparing", console) if console.is_terminal and not quiet else None
    with opened(keyring, kek) as ring:
        found = compare(
            place_of(source),
            place_of(tokens),
            policy=read,
            keyring=ring,
            text=text,
            progress=bar,
        )
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    elif not quiet:
        _print_verification(found)
    if not found.holds:
        raise typer.Exit(3)


def _print_inspection(found: "Inspection") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tokenkit.cli.reports import size

    console = Console(highlight=False)
    rows = "" if found.rows is None else f"{found.rows:,} rows, "
    problem = f": {found.problem}" if found.problem else ""
    console.print(
        Text(
            f"{found.file}: {found.format}, {rows}{size(found.bytes)}, metadata "
            f"{found.authenticity}{problem}"
        ),
        soft_wrap=True,
    )
    table = Table()
    for heading in ("Column", "Type", "Scheme", "Domain", "Key", "Version"):
        table.add_column(heading, overflow="fold")
    for name, dtype in found.types.items():
        column = found.columns.get(name)
        if column is None:
            table.add_row(Text(name), dtype, "", "", "", "")
            continue
        key = column["key"]
        table.add_row(
            Text(name), dtype, column["scheme"], column["domain"], key["name"], f"{key['version']}"
        )
    console.print(table)


def _print_verification(found: "Verification") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(title="Values of A and of B, detokenized", title_justify="left")
    table.add_column("Column", overflow="fold")
    for heading in ("Equal", "Different", "No token"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, column in found.columns.items():
        numbers = (column.equal, column.different, column.invalid)
        table.add_row(Text(name), *(f"{number:,}" for number in numbers))
    console.print(table)
    console.print(f"{found.rows:,} rows in A, {found.token_rows:,} in B")
    if found.missing:
        console.print(Text(f"Not in B, so not compared: {', '.join(found.missing)}"))
    console.print("B gives A" if found.holds else "B does not give A", style="bold")
