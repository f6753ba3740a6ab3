"""``tokenkit tokenize`` and ``tokenkit detokenize``: files by policy."""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tokenkit.cli.options import Kek

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from tokenkit.jobs import Report
    from tokenkit.jobs.job import Operation
    from tokenkit.keys import Keyring

_Source = Annotated[Path, typer.Argument(metavar="INPUT", help="A .csv or .parquet file.")]
_Target = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="OUTPUT", help="The .csv or .parquet file to write."),
]
_KeyringFile = Annotated[
    Path | None,
    typer.Option(
        "--keyring",
        metavar="FILE",
        envvar="TOKENKIT_KEYRING",
        show_envvar=True,
        help="The keyring file.",
    ),
]
_Force = Annotated[bool, typer.Option("--force", help="Replace an output that is there.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]

_PATIENCE = 1.0
"""Seconds after which a progress bar is worth showing."""
_TERMINATED = 128 + signal.SIGTERM


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(tokenize)
    app.command()(detokenize)


def tokenize(
    source: _Source,
    target: _Target,
    policy: Annotated[
        Path, typer.Option("--policy", "-p", metavar="POLICY", help="The policy file (YAML).")
    ],
    keyring: _KeyringFile = None,
    kek: Kek = None,
    force: _Force = False,
    quiet: _Quiet = False,
    as_json: _Json = False,
) -> None:
    """Write a copy of a file in which the policy's columns hold tokens.

    The output appears when it is complete and every value fits; otherwise nothing is left behind.
    CSV values are text; an empty field is null, and "" the empty string. What detokenizing needs to
    know goes into the Parquet file, or into OUTPUT.tokenkit.json beside a CSV file.
    """
    _run("tokenize", source, target, policy, keyring, kek, force=force, quiet=quiet, json_=as_json)


def detokenize(
    source: _Source,
    target: _Target,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            "-p",
            metavar="POLICY",
            help="The policy file (YAML); needed only where the input has no metadata.",
        ),
    ] = None,
    keyring: _KeyringFile = None,
    kek: Kek = None,
    force: _Force = False,
    quiet: _Quiet = False,
    as_json: _Json = False,
) -> None:
    """Write a copy of a file in which tokens are values again.

    The input's metadata says how they were made and under which key versions. For a CSV file it
    stands in INPUT.tokenkit.json: keep the two together.
    """
    _run(
        "detokenize", source, target, policy, keyring, kek, force=force, quiet=quiet, json_=as_json
    )


def _run(
    operation: "Operation",
    source: Path,
    target: Path,
    policy: Path | None,
    keyring: Path | None,
    kek: str | None,
    *,
    force: bool,
    quiet: bool,
    json_: bool,
) -> None:
    from rich.console import Console

    from tokenkit.jobs import Job, JobRefused, run
    from tokenkit.policy import load_policy

    read = None if policy is None else load_policy(policy)
    with _termination_unwinds(), _opened(keyring, kek) as ring:
        job = Job(
            operation=operation,
            source=source,
            target=target,
            policy=read,
            keyring=ring,
            replace=force,
        )
        console = Console(stderr=True)
        # In a log file, a bar would be noise.
        bar = _Bar(operation, console) if console.is_terminal and not quiet else None
        try:
            report = run(job, bar)
        except JobRefused as error:
            if error.report is not None and not quiet:
                _show(error.report, as_json=json_)
            raise
    if not quiet:
        _show(report, as_json=json_)


@contextlib.contextmanager
def _opened(keyring: Path | None, kek: str | None) -> "Iterator[Keyring]":
    from tokenkit.keys import current_keyring, open_keyring

    if keyring is None:
        yield current_keyring()
    else:
        with open_keyring(keyring, kek or None) as ring:
            yield ring


@contextlib.contextmanager
def _termination_unwinds() -> Iterator[None]:
    """Let SIGTERM end the command like an interrupt does, so that temporary files are removed."""

    def unwind(_number: int, _frame: object) -> NoReturn:
        sys.exit(_TERMINATED)

    previous = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class _Bar:
    """A progress bar on standard error, for jobs that take longer than a moment."""

    def __init__(self, operation: str, console: "Console") -> None:
        self._console = console
        self._label = "Tokenizing" if operation == "tokenize" else "Detokenizing"
        self._begun = time.monotonic()
        self._rows: int | None = None
        self._exact = False
        self._shown: tuple[Progress, TaskID] | None = None

    def start(self, rows: int | None, *, exact: bool) -> None:
        self._begun = time.monotonic()
        self._rows, self._exact = rows, exact

    def advance(self, rows: int) -> None:
        if self._shown is None:
            if time.monotonic() - self._begun < _PATIENCE:
                return
            self._shown = self._open()
        bar, task = self._shown
        # An estimate that turns out too low grows with what has been read.
        total = None if self._rows is None else max(self._rows, rows)
        bar.update(task, completed=rows, total=total)

    def finish(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()

    def _open(self) -> "tuple[Progress, TaskID]":
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        about = "" if self._exact else "about "
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,} of " + about + "{task.total:,} rows"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        bar.start()
        return bar, bar.add_task(self._label, total=self._rows or 0)


def _show(report: "Report", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _print_report(report)


def _print_report(report: "Report") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if report.columns:
        table = Table(title=Text(f"Columns {report.operation}d"), title_justify="left")
        table.add_column("Column", overflow="fold")
        table.add_column("Scheme", no_wrap=True)
        for heading in (f"{report.operation.capitalize()}d", "Null", "Empty", "Invalid"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("Reasons", no_wrap=True)
        for name, column in report.columns.items():
            table.add_row(
                Text(name),
                column.scheme,
                f"{column.done:,}",
                f"{column.null:,}",
                f"{column.empty:,}",
                f"{column.invalid_count:,}",
                "\n".join(f"{reason} {count:,}" for reason, count in column.invalid.items()),
            )
        console.print(table)
    speed = f"{report.seconds:.1f} s, {report.rows_per_second:,.0f} rows/s"
    console.print(
        Text(
            f"{report.rows_read:,} rows read ({_size(report.bytes_read)}), "
            f"{report.rows_written:,} written ({_size(report.bytes_written)}) in {speed}"
        ),
        soft_wrap=True,
    )
    if report.rows_written or not report.invalid_count:
        console.print(Text(f"Wrote {report.target}"), soft_wrap=True)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"
