"""The group of commands, and the arguments that they share."""

import re
from pathlib import Path
from typing import Annotated

import typer

_NUMBER = re.compile(r"[0-9]{1,10}")

group = typer.Typer(
    name="keys",
    help="Make keyrings, look into them, rotate, disable and destroy their keys.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The keyring file.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The key.")]
OtherKeks = Annotated[
    list[str] | None,
    typer.Option(
        "--other-kek",
        metavar="URI",
        help="A further KEK of the keyring; repeatable. Saving needs all of them.",
    ),
]
RotateAfter = Annotated[
    int | None,
    typer.Option(metavar="DAYS", min=1, help="Warn once a primary version is older than that."),
]


def keks(kek: str | None, others: list[str] | None) -> str | list[str] | None:
    """Put the KEKs that were named together; None is the one that the environment names."""
    from tokenkit.keys.providers import resolve

    if not others:
        return kek or None
    return [resolve(kek or None), *others]  # type: ignore[list-item]


def version_number(written: str) -> int:
    """Read the number of NAME@VERSION."""
    if _NUMBER.fullmatch(written) is None:
        raise typer.BadParameter("name a key and the number of its version, such as payments@1")
    return int(written)
