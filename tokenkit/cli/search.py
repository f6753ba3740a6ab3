"""``tokenkit search-tokens``: the tokens of a value, to search a half-rekeyed column with."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import AsJson, Kek, KeyringFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="search-tokens")(search_tokens)


def search_tokens(
    policy: Annotated[
        Path, typer.Option("--policy", "-p", metavar="POLICY", help="The policy file (YAML).")
    ],
    column: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column whose tokens are looked for.")
    ],
    tweak: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The value's tweak, if the column has one.")
    ] = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    as_json: AsJson = False,
) -> None:
    """Print the tokens of a value, one for each enabled version of the column's key.

    The value is read from standard input, or asked for: on the command line it would stand in
    histories and in the list of processes.
    """
    import getpass

    from tokenkit.engines.search import search_tokens as tokens_of

    if sys.stdin.isatty():
        value = getpass.getpass("Value: ")
    else:
        value = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    with opened(keyring, kek) as ring:
        found = tokens_of(value, policy=policy, column=column, tweak=tweak, keyring=ring)
    if as_json:
        typer.echo(json.dumps({str(version): token for version, token in found.items()}))
        return
    for token in found.values():
        typer.echo(token)
