"""``tokenkit audit``: the audit log, shown, verified, exported, and cut back on purpose."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.database import Url
from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import AsJson, Force, Kek, KeyringFile, Quiet

if TYPE_CHECKING:
    from tokenkit.cli.progress_bar import ProgressBar
    from tokenkit.store.audit import Verification

_ALTERED = 3
_SHOWN = ("at", "actor", "action", "outcome", "object", "run", "key", "count", "reason")

_Checkpoints = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The checkpoints; TOKENKIT_AUDIT_CHECKPOINTS, or this user's own, where not given.",
    ),
]
_PublicKey = Annotated[
    Path | None,
    typer.Option(
        metavar="PEM",
        help="The public key of who signs checkpoints; TOKENKIT_AUDIT_PUBLIC_KEY, or that of this "
        "user's signing key, where not given.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="The audit log: show, verify, export.")
    group.command(name="tail")(tail)
    group.command(name="verify")(verify)
    group.command(name="export")(export)
    group.command(name="checkpoint")(checkpoint)
    group.command(name="retain")(retain)
    app.add_typer(group, name="audit")


def tail(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many records.")] = 20,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Only records of this run.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only records of this action.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the last records, the newest at the end. They aren't verified."""
    from rich.table import Table
    from rich.text import Text

    from tokenkit.cli.terminal import printable, table_console
    from tokenkit.store.audit import tail as last_of
    from tokenkit.store.audit.export import as_json as json_value
    from tokenkit.store.database import Database

    with Database.open(url) as database:
        found = last_of(database, count, run=run, action=action)
    if as_json:
        records = [{name: json_value(value) for name, value in one.items()} for one in found]
        typer.echo(json.dumps(records, indent=2))
        return
    table = Table()
    for name in _SHOWN:
        is_number = name == "count"
        table.add_column(
            name.capitalize(), justify="right" if is_number else "left", overflow="fold"
        )
    for one in found:
        cells = {**one, "at": f"{one['at']:%Y-%m-%d %H:%M:%S}"}
        if one["count"] is not None:
            cells["count"] = f"{one['count']:,}"
        shown = ("" if cells[name] is None else printable(str(cells[name])) for name in _SHOWN)
        table.add_row(*(Text(cell) for cell in shown))
    table_console().print(table)


def verify(
    checkpoints: _Checkpoints = None,
    public_key: _PublicKey = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    quiet: Quiet = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the log is what was written, and name the first record that isn't.

    Ends with 0 if it is, and with 3 if it was altered. Records that came after the last checkpoint
    could have been cut off unnoticed; how many there are is said.
    """
    from tokenkit.store.audit import verify as verified
    from tokenkit.store.audit import verifying_keys
    from tokenkit.store.database import Database

    with opened(keyring, kek) as ring, Database.open(url) as database:
        found = verified(
            database,
            verifying_keys(ring),
            checkpoints=checkpoints,
            public_key=public_key,
            progress=_bar(quiet=quiet),
        )
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    elif not quiet:
        _print(found)
    if not found.holds:
        raise typer.Exit(_ALTERED)


def export(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUTPUT", help="A .parquet, .ndjson or .jsonl file."
        ),
    ],
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only from this time on (ISO 8601; UTC).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only before this time (ISO 8601; UTC).")
    ] = None,
    url: Url = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write the log, or a span of it, to a file that only its owner may read."""
    from tokenkit.store.audit import export as exported
    from tokenkit.store.database import Database

    span = (_moment(since, "--since"), _moment(until, "--until"))
    with Database.open(url) as database:
        written = exported(database, output, since=span[0], until=span[1], replace=force)
    if not quiet:
        typer.echo(f"Wrote {written:,} records to {output}")


def checkpoint(url: Url = None, quiet: Quiet = False) -> None:
    """Sign a statement of how far the log goes, in the file of checkpoints."""
    from tokenkit.store.audit import AuditLog
    from tokenkit.store.database import Database

    with Database.open(url) as database:
        made = AuditLog(database).checkpoint()
    if quiet:
        return
    if made is None:
        typer.echo("The log is empty")
    else:
        typer.echo(f"Signed: {made.records:,} records in {made.batch:,} batches")


def retain(
    before: Annotated[
        str, typer.Option(metavar="YYYY-MM", help="The first month that stays; older ones go.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    keyring: KeyringFile = None,
    kek: Kek = None,
    url: Url = None,
    quiet: Quiet = False,
) -> None:
    """Remove the records of old months for good, and sign a statement that says so.

    The log is verified first; nothing is removed from one that was altered.
    """
    from tokenkit.lineage.actor import actor
    from tokenkit.store.audit import audit_key, verifying_keys
    from tokenkit.store.audit import retain as retained
    from tokenkit.store.database import Database

    moment = _month(before)
    if not yes:
        typer.confirm(f"Remove all audit records from before {moment:%Y-%m-%d}?", abort=True)
    with opened(keyring, kek) as ring, Database.open(url) as database:
        found = retained(database, moment, verifying_keys(ring), audit_key(ring), actor=actor())
    if not quiet:
        typer.echo(f"Removed {found.removed:,} records from before {moment:%Y-%m-%d}")


def _moment(given: str | None, option: str) -> datetime | None:
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(
            "a time looks like 2027-01-31 or 2027-01-31T12:00:00", param_hint=option
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _month(given: str) -> datetime:
    try:
        return datetime.strptime(given, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter("a month looks like 2027-01", param_hint="--before") from None


def _bar(*, quiet: bool) -> "ProgressBar | None":
    from rich.console import Console

    from tokenkit.cli.progress_bar import ProgressBar

    console = Console(stderr=True)
    return ProgressBar("Verifying", console) if console.is_terminal and not quiet else None


def _print(found: "Verification") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{found.records:,} records in {found.batches:,} batches are what was written")
    if found.removed:
        console.print(
            f"{found.removed:,} of them, in {found.removed_batches:,} batches, were removed by "
            "retention, as was signed"
        )
    if found.checkpoint is None:
        console.print(
            "There is no checkpoint: records could have been cut off at the end unnoticed"
        )
    else:
        made = f"{found.checkpoint.at:%Y-%m-%d %H:%M:%S} UTC"
        console.print(f"The last checkpoint is of {made}, at batch {found.checkpoint.batch:,}")
        if found.unprotected_records:
            console.print(
                f"{found.unprotected_records:,} records came after it: the end isn't protected "
                "against being cut off"
            )
    if found.fault is None:
        console.print("The log holds", style="bold")
    else:
        console.print(Text(f"The log was altered: {found.fault}", style="bold red"))
