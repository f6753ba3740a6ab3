"""``tokenkit keys rotate``, ``enable``, ``disable`` and ``destroy``."""

import sys
from typing import Annotated

import typer

from tokenkit.cli.keys.group import File, Name, OtherKeks, RotateAfter, group, keks, version_number
from tokenkit.cli.options import Kek

_Version = Annotated[
    str,
    typer.Argument(metavar="NAME@VERSION", help="The key and the version's number: payments@1."),
]


@group.command()
def rotate(
    file: File,
    name: Name,
    kek: Kek = None,
    other_kek: OtherKeks = None,
    rotate_after: RotateAfter = None,
) -> None:
    """Give a key a fresh primary version; older versions still detokenize."""
    from tokenkit.keys import edit_keyring

    with edit_keyring(file, keks(kek, other_kek)) as ring:
        version = ring.rotate(name)
        if rotate_after is not None:
            ring.set_rotate_after(name, rotate_after)
    typer.echo(f"Rotated {name}: version {version.number} (id {version.id}) is primary now")


@group.command()
def enable(file: File, version: _Version, kek: Kek = None, other_kek: OtherKeks = None) -> None:
    """Let a disabled version be used again."""
    from tokenkit.keys import edit_keyring

    name, number = _parsed(version)
    with edit_keyring(file, keks(kek, other_kek)) as ring:
        ring.enable(name, number)
    typer.echo(f"Enabled {version}")


@group.command()
def disable(file: File, version: _Version, kek: Kek = None, other_kek: OtherKeks = None) -> None:
    """Take a version out of use until it's enabled again."""
    from tokenkit.keys import edit_keyring

    name, number = _parsed(version)
    with edit_keyring(file, keks(kek, other_kek)) as ring:
        ring.disable(name, number)
        primary = ring[name].primary_number == number
    typer.echo(f"Disabled {version}")
    if primary:
        _warn_of_primary(name)


@group.command()
def destroy(
    file: File,
    version: _Version,
    kek: Kek = None,
    other_kek: OtherKeks = None,
    yes: Annotated[
        str | None,
        typer.Option(metavar="NAME@VERSION", help="The same again, to say that it is meant."),
    ] = None,
) -> None:
    """Lose a version for good: tokens made with it can never be turned back."""
    from tokenkit.keys import edit_keyring

    name, number = _parsed(version)
    _require_consent(version, yes)
    with edit_keyring(file, keks(kek, other_kek)) as ring:
        ring.destroy(name, number)
        primary = ring[name].primary_number == number
    typer.echo(
        f"Destroyed {version}. Older copies of {file} in its folder were removed; copies elsewhere "
        "hold the key until their KEK is destroyed"
    )
    if primary:
        _warn_of_primary(name)


def _parsed(version: str) -> tuple[str, int]:
    name, at, number = version.rpartition("@")
    return name, version_number(number if at else "")


def _require_consent(version: str, yes: str | None) -> None:
    if yes is None and sys.stdin is not None and sys.stdin.isatty():
        yes = typer.prompt(
            f"Tokens made with {version} can never be turned back. Type {version} to go on"
        )
    if yes != version:
        raise typer.BadParameter(
            f"nothing was destroyed: say that it is meant with --yes {version}", param_hint="--yes"
        )


def _warn_of_primary(name: str) -> None:
    typer.echo(
        f"warning: that was the primary version; {name} makes no tokens until it is rotated",
        err=True,
    )
