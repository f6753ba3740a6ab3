"""``tokenkit admin``: users, roles, grants, API keys, tokens, by whoever may open the database."""

import typer

from tokenkit.cli.admin import api_keys, bootstrap, grants, roles, tokens, users

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command groups."""
    group = typer.Typer(
        no_args_is_help=True, help="The service's users, roles, grants, API keys and token records."
    )
    group.command(name="bootstrap")(bootstrap.bootstrap)
    for module in (users, roles, grants, api_keys, tokens):
        module.register(group)
    app.add_typer(group, name="admin")
