"""The group of commands, what they share of options, and how they name datasets and moments."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Connection

    from tokenkit.lineage import Dataset
    from tokenkit.lineage.graph import Trace

group = typer.Typer(
    name="lineage",
    help="Say which run made a file or column, from what, and what became of it.",
    no_args_is_help=True,
)

OneColumn = Annotated[
    str | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help="The column, if its name or the dataset's could be read in more than one way.",
    ),
]
Upstream = Annotated[bool, typer.Option("--upstream", help="Only where values come from.")]
Downstream = Annotated[bool, typer.Option("--downstream", help="Only where values went.")]
Depth = Annotated[
    int | None, typer.Option(metavar="STEPS", min=1, help="How many steps to go; default: all.")
]
Limit = Annotated[
    int,
    typer.Option(
        metavar="WAYS", min=1, help="How many ways of columns to follow, in each direction."
    ),
]

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str | None) -> datetime | None:
    """Read a moment: ISO 8601, in UTC where no zone is given, or how long ago (``90m``, ``7d``)."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{printable(text)!r} is neither a date (2026-11-01, 2026-11-01T08:30+01:00) nor how "
            "long ago (90m, 12h, 7d, 4w)"
        ) from None


def short(run: "UUID") -> str:
    """Write the beginning of a run's id, which every command takes for it."""
    return str(run)[:13]


def utc(at: datetime) -> str:
    """Write a moment to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def place(dataset: "Dataset") -> str:
    """Name a dataset on the terminal: a file below the working folder by its path from there."""
    if dataset.namespace == "file":
        path, here = Path(dataset.name), Path.cwd()
        if path.is_relative_to(here) and path != here:
            return printable(str(path.relative_to(here)))
    return printable(str(dataset))


def number(count: int | None) -> str:
    """Write a count; nothing where there is none."""
    return "" if count is None else f"{count:,}"


@contextlib.contextmanager
def store() -> "Iterator[Connection]":
    """Open the store that the environment names, for reading."""
    from tokenkit.store.database import Database

    with Database.open() as database, database.read() as connection:
        yield connection


def follow(
    connection: "Connection",
    dataset: str,
    column: str | None,
    *,
    upstream: bool,
    downstream: bool,
    depth: int | None,
    limit: int,
) -> "Trace":
    """Trace what was typed: both ways, unless one of them was asked for alone."""
    from tokenkit.store.lineage import resolve, trace

    both = upstream == downstream
    return trace(
        connection,
        resolve(connection, dataset, column=column),
        upstream=upstream or both,
        downstream=downstream or both,
        depth=depth,
        limit=limit,
    )
