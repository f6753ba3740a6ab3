"""``tokenkit lineage``: which run made what, from what, and what became of it."""

import typer

from tokenkit.cli.lineage import drawing, listing, showing, tracing
from tokenkit.cli.lineage.group import group

__all__ = ["drawing", "group", "listing", "register", "showing", "tracing"]


def register(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group)
