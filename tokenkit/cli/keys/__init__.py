"""``tokenkit keys``: keyrings made, looked into and changed."""

import typer

from tokenkit.cli.keys import creation, exchange, listing, states, wrapping
from tokenkit.cli.keys.group import group

__all__ = ["creation", "exchange", "group", "listing", "register", "states", "wrapping"]


def register(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group)
