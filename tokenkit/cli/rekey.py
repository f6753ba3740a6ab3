"""``tokenkit rekey``: files of tokens moved to another key version, with a proof."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import (
    AsJson,
    Delimiter,
    Force,
    Kek,
    KeyringFile,
    NoLineage,
    Quiet,
    Quote,
    Types,
)

if TYPE_CHECKING:
    from tokenkit.engines.column import VersionChoice
    from tokenkit.jobs.progress import Progress
    from tokenkit.jobs.rekeying import RekeyReport, RekeyVerification

_DIFFERS = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(rekey)


def rekey(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT", help="A file, a folder, or a pattern in quotes; with --verify OLD NEW."
        ),
    ],
    target: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUTPUT", help="A file or a folder.")
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace each file once the new one is proved.")
    ] = False,
    to: Annotated[
        str, typer.Option("--to", metavar="N", help="The new version; default: the primary one.")
    ] = "primary",
    versions: Annotated[
        int | None,
        typer.Option(
            "--from", metavar="N", help="The version of the tokens, where files have no metadata."
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", "-p", metavar="POLICY", help="Needed only where files have no metadata."
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Write nothing: prove that NEW holds the values of OLD, row by row."
        ),
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="REPORT",
            help="With --verify: what --json printed. OLD can be left out then.",
        ),
    ] = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    delimiter: Delimiter = None,
    quote: Quote = '"',
    types: Types = None,
    force: Force = False,
    no_lineage: NoLineage = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Move tokens to another version of their keys, without writing a value.

    Each file is written aside, read again and compared with the old one by a keyed sum over all
    rows before it takes its place. Run the same command again to resume one that was cut short.

    Ends with 0 if all is done, and with 3 if --verify finds another value.
    """
    from tokenkit.cli.jobs import text_options, unrecorded
    from tokenkit.jobs.rekeying import RekeyRequest, rekey_files, verify_rekey
    from tokenkit.policy import load_policy

    _check_usage(paths, target, in_place=in_place, verify=verify, record=record)
    text = text_options(delimiter, quote, "utf-8", False, None, types)
    bar = _bar("Proving" if verify else "Rekeying", quiet=quiet)
    if verify:
        with opened(keyring, kek) as ring:
            found = verify_rekey(
                paths[-1],
                old=paths[0] if len(paths) == 2 else None,
                record=record,
                keyring=ring,
                text=text,
                progress=bar,
            )
        if as_json:
            typer.echo(json.dumps(found.to_json(), indent=2))
        elif not quiet:
            _print_verification(found)
        if not found.holds:
            raise typer.Exit(_DIFFERS)
        return
    read = None if policy is None else load_policy(policy)
    with opened(keyring, kek) as ring:
        request = RekeyRequest(
            source=paths[0],
            target=target,
            to=_version(to),
            versions=versions,
            policy=read,
            keyring=ring,
            text=text,
            force=force,
        )
        with unrecorded() if no_lineage else contextlib.nullcontext():
            report = rekey_files(request, bar)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    elif not quiet:
        _print(report)


def _check_usage(
    paths: list[Path],
    target: Path | None,
    *,
    in_place: bool,
    verify: bool,
    record: Path | None,
) -> None:
    problem = None
    if verify:
        if target is not None or in_place:
            problem = "--verify writes nothing: leave -o and --in-place out"
        elif len(paths) != 2 and not (len(paths) == 1 and record is not None):
            problem = "--verify takes OLD and NEW, or NEW and --record REPORT"
    elif len(paths) != 1:
        problem = "one INPUT is rekeyed: a file, a folder, or a pattern in quotes"
    elif record is not None:
        problem = "--record goes with --verify"
    elif (target is None) != in_place:
        problem = "say either -o OUTPUT or --in-place"
    if problem is not None:
        raise typer.BadParameter(problem)


def _version(given: str) -> "VersionChoice":
    if given == "primary":
        return "primary"
    if given.isascii() and given.isdecimal():
        return int(given)
    raise typer.BadParameter("a version is a number or primary", param_hint="--to")


def _bar(label: str, *, quiet: bool) -> "Progress | None":
    from rich.console import Console

    from tokenkit.cli.progress_bar import ProgressBar

    console = Console(stderr=True)
    # In a log file, a bar would be noise.
    return ProgressBar(label, console) if console.is_terminal and not quiet else None


def _print(report: "RekeyReport") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(title="Columns rekeyed and proved", title_justify="left")
    for heading in ("File", "Column", "Key"):
        table.add_column(heading, overflow="fold")
    table.add_column("Versions", no_wrap=True)
    kinds = ("value", "null", "empty", "literal", "sealed")
    for kind in kinds:
        table.add_column(kind.capitalize(), justify="right", no_wrap=True)
    for file in report.files:
        for name, column in file.columns.items():
            numbers = (f"{getattr(column, kind):,}" for kind in kinds)
            versions = f"{column.old} to {column.new}"
            table.add_row(Text(file.file), Text(name), Text(column.key), versions, *numbers)
    if table.row_count:
        console.print(table)
    skipped = sum(file.status == "skipped" for file in report.files)
    done = len(report.files) - skipped
    passed_over = f", {skipped:,} passed over: they were done already" if skipped else ""
    console.print(
        Text(
            f"{report.rows:,} rows in {done:,} files rekeyed in {report.seconds:.1f} s{passed_over}"
        ),
        soft_wrap=True,
    )


def _print_verification(found: "RekeyVerification") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table()
    for heading in ("File", "Column"):
        table.add_column(heading, overflow="fold")
    table.add_column("Rows", justify="right", no_wrap=True)
    table.add_column("Proof", no_wrap=True)
    for column in found.columns:
        verdict = "holds" if column.holds else "does not hold"
        table.add_row(Text(column.file), Text(column.column), f"{column.rows:,}", verdict)
    console.print(table)
    verdict = "Every value is there" if found.holds else "A value is another, or in another row"
    console.print(verdict, style="bold")
