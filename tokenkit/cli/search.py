"""``tokenkit search-tokens``: the tokens of a value, to search a half-rekeyed column with."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from tokenkit.cli.auditing import audited
from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import AsJson, Kek, KeyringFile, NoLineage
from tokenkit.errors import InvalidValues

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")


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
    integer: Annotated[
        bool, typer.Option("--integer", help="The column holds whole numbers, not text.")
    ] = False,
    keyring: KeyringFile = None,
    kek: Kek = None,
    no_lineage: NoLineage = False,
    as_json: AsJson = False,
) -> None:
    """Print the tokens of a value, one for each enabled version of the column's key.

    The value is read from standard input, or asked for: on the command line it would stand in
    histories and in the list of processes.
    """
    import getpass

    from tokenkit.engines.search import search_tokens as tokens_of
    from tokenkit.lineage.naming import of_file

    # A command that was started without a standard input has none.
    if sys.stdin is None:
        value = ""
    elif sys.stdin.isatty():
        value = getpass.getpass("Value: ")
    else:
        line = sys.stdin.buffer.readline().removesuffix(b"\n").removesuffix(b"\r")
        # What isn't UTF-8 becomes surrogates here, which the search refuses.
        value = line.decode("utf-8", "surrogateescape")
    if not value:
        raise typer.BadParameter("no value was given: type it, or pipe it into the command")
    # A column that there isn't in the policy may be anything, and is in no record.
    with (
        opened(keyring, kek) as ring,
        audited(ring, "tokens.search", str(of_file(policy)), unrecorded=no_lineage) as deed,
    ):
        sought = _number(value) if integer else value
        found = tokens_of(sought, policy=policy, column=column, tweak=tweak, keyring=ring)
        deed.count = len(found)
    if as_json:
        typer.echo(json.dumps({str(version): token for version, token in found.items()}))
        return
    for token in found.values():
        typer.echo(token)


def _number(value: str) -> int:
    if _WHOLE_NUMBER.fullmatch(value) is None:
        raise InvalidValues(
            "the value is no whole number",
            reason="type",
            hint="leave --integer out, if the column holds text",
        )
    return int(value)
