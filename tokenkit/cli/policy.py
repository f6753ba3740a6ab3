"""``tokenkit policy``: what a policy comes down to, and its JSON Schema."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.options import AsJson, Delimiter, Encoding, Names, NoHeader, Quote, Types
from tokenkit.cli.terminal import printable, table_console

if TYPE_CHECKING:
    from rich.console import Console

    from tokenkit.jobs.connectors import TextOptions
    from tokenkit.policy import Fate, Policy
    from tokenkit.policy.check import ColumnFacts, PolicyCheck, PolicyWarning
    from tokenkit.policy.joins import Member

group = typer.Typer(
    name="policy", help="Check policies before they run, and describe them.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group)


@group.command()
def check(
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="The policy file.")],
    other: Annotated[
        Path | None,
        typer.Argument(metavar="[OTHER]", help="Another policy, to tell which columns join."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--input", metavar="FILE", help="An input: its columns, and its first rows, are read."
        ),
    ] = None,
    delimiter: Delimiter = None,
    quote: Quote = '"',
    encoding: Encoding = "utf-8",
    no_header: NoHeader = False,
    names: Names = None,
    types: Types = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings be errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what each column gets, which columns join, and what to think twice of.

    The exit code is 0 if the policy is sound, and 1 if it is refused, doesn't fit the input, or has
    warnings and --strict is given.
    """
    from tokenkit.cli.jobs import text_options
    from tokenkit.policy import load_policy
    from tokenkit.policy.check import check_policy

    loaded = load_policy(policy)
    second = None if other is None else load_policy(other)
    if data is None:
        found = check_policy(loaded, second)
    else:
        text = text_options(delimiter, quote, encoding, no_header, names, types)
        fates, warnings = _against(loaded, data, text)
        found = check_policy(fates, second, warnings=warnings)
    if as_json:
        typer.echo(json.dumps({"policy": str(policy), "digest": loaded.digest} | found.to_json()))
    else:
        _print(found, policy, other)
    if strict and found.warnings:
        raise typer.Exit(1)


@group.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for completions and warnings in an editor."""
    from tokenkit.policy.schema import policy_schema

    typer.echo(json.dumps(policy_schema(), indent=2))


def _against(
    policy: "Policy", path: Path, text: "TextOptions"
) -> "tuple[list[tuple[str, Fate]], list[PolicyWarning]]":
    from tokenkit.engines.polars.inspection import inspect_input
    from tokenkit.errors import InputNotFound, translated
    from tokenkit.jobs.connectors import format_of
    from tokenkit.policy import resolve

    if not path.is_file():
        raise InputNotFound("there is no such input file", file=str(path), hint="check the path")
    with translated():
        source = format_of(path).source(path, text)
        scan = source.scan()
    fates = resolve(policy, source.schema.names(), keyring=None)
    found = inspect_input(scan, fates, types=source.types, explain=source.explain)
    return list(fates.items()), found


def _print(found: "PolicyCheck", policy: Path, other: Path | None) -> None:
    from rich.text import Text

    console = table_console()
    _print_columns(console, found, policy)
    across = other is not None

    def label(member: "Member") -> str:
        shown = printable(member.column)
        return f"{(policy, other)[member.policy]}: {shown}" if across else shown

    for join in found.joins:
        provided = f" ({'; '.join(join.provisos)})" if join.provisos else ""
        names = ", ".join(label(member) for member in join.members)
        console.print(Text(f"joins: {names}{provided}"), soft_wrap=True)
    for pair in found.apart:
        one, two = (label(member) for member in pair.members)
        reasons = " and ".join(pair.reasons)
        console.print(Text(f"apart: {one} and {two} differ in {reasons}"), soft_wrap=True)
    if across and not found.joins:
        console.print("No column of one policy joins with one of the other.")
    if across and found.joins:
        console.print("Columns of two policies join if both use the same keyring.")
    for warning in found.warnings:
        line = f"warning: {printable(warning.column)}: {warning.message}"
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _print_columns(console: "Console", found: "PolicyCheck", policy: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"Columns of {policy}"), title_justify="left")
    for heading in ("Column", "Scheme", "Key", "Domain", "Algorithm"):
        table.add_column(heading)
    table.add_column("Domain size", justify="right")
    table.add_column("Shortest", justify="right")
    for heading in ("Reversible", "On invalid"):
        table.add_column(heading)
    for facts in found.columns:
        table.add_row(*(Text(cell) for cell in _cells(facts)))
    console.print(table)


def _cells(facts: "ColumnFacts") -> list[str]:
    from tokenkit.policy import ColumnRule

    name, rule = printable(facts.column), facts.fate
    if not isinstance(rule, ColumnRule):
        return [name, "kept in clear" if rule == "keep" else "dropped", *[""] * 7]
    sealed = facts.domain_size is None
    return [
        name,
        rule.scheme.name,
        rule.key,
        rule.domain,
        rule.scheme.algorithm.value,
        "unbounded" if sealed else str(facts.domain_size),
        "" if facts.shortest is None else str(facts.shortest),
        "as normalized" if facts.reversible == "lossy" else facts.reversible,
        rule.on_invalid,
    ]
