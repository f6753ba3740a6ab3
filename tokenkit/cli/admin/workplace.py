"""What the commands share: the database, the audit log, who acts, and secrets."""

import contextlib
import json
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenkit.cli.keyrings import opened
from tokenkit.cli.terminal import printable

if TYPE_CHECKING:
    from tokenkit.access.tables.changes import Work
    from tokenkit.keys import Keyring

UserName = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help="The role's name.")]
PasswordSource = Annotated[
    str | None,
    typer.Option(
        "--password",
        metavar="SOURCE",
        help="Where the password is: env:NAME, file:PATH or prompt. "
        "Without it one is made, and shown once.",
    ),
]
_GENERATED_BYTES = 18


@contextlib.contextmanager
def change(keyring: Path | None, kek: str | None) -> "Iterator[tuple[Work, Keyring]]":
    """Begin a change, which is in the audit log before it counts, by the system's user."""
    from tokenkit.access.auditing import ChainedAuditor
    from tokenkit.access.tables.changes import Work
    from tokenkit.lineage.actor import actor
    from tokenkit.store.audit import AuditLog, audit_key
    from tokenkit.store.database import Database

    with opened(keyring, kek) as ring, Database.open() as database:
        auditor = ChainedAuditor(AuditLog(database), audit_key(ring))
        with database.begin() as connection:
            yield Work(connection=connection, actor=actor(), auditor=auditor), ring


@contextlib.contextmanager
def reading() -> "Iterator[Any]":
    """Read the tables."""
    from tokenkit.store.database import Database

    with Database.open() as database, database.read() as connection:
        yield connection


def new_password(source: str | None, user: str) -> tuple[str, str, bool]:
    """Read a password and hash it, or make one.

    Returns
    -------
    hash, password, made
        The hash; the password; and whether it was made, and so has to be shown and changed.
    """
    from tokenkit.access.hashing import PasswordPool
    from tokenkit.access.passwords import PasswordRules
    from tokenkit.errors import PasswordRefused
    from tokenkit.keys.providers.secret_sources import SecretSource

    if source is None:
        password = secrets.token_urlsafe(_GENERATED_BYTES)
    else:
        read = SecretSource(source, what="password").read(twice=True)
        try:
            text = read.decode()
        except UnicodeDecodeError:
            text = None
        if text is None:
            raise PasswordRefused("a password is text in UTF-8", reason="characters")
        password = PasswordRules().checked(text, user=user)
    with PasswordPool(workers=1) as pool:
        return pool.hash(password).result(), password, source is None


def show_password(user: str, password: str, *, made: bool) -> None:
    """Show a password that was made, and no other; it alone goes to standard output."""
    if made:
        typer.echo(f"The password of {user}, shown this once; it is to be changed:", err=True)
        typer.echo(password)


def show_table(title: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Show rows as a table or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name.replace("_", " ").capitalize(), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_shown(value))) for value in row.values()))
    Console().print(table if rows else f"{title}: none")


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)


def moment(value: Any) -> str | None:
    """Write a moment to the second, in UTC."""
    return None if value is None else str(value.strftime("%Y-%m-%dT%H:%M:%SZ"))
