"""``tokenkit keys create`` and ``add``."""

from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.keys.group import File, Name, OtherKeks, RotateAfter, group, keks
from tokenkit.cli.options import Kek

if TYPE_CHECKING:
    from tokenkit.keys import Keyring


@group.command()
def create(
    file: File,
    key: Annotated[
        list[str], typer.Option("--key", metavar="NAME", help="A key to make; repeatable.")
    ],
    kek: Kek = None,
    other_kek: OtherKeks = None,
    rotate_after: RotateAfter = None,
) -> None:
    """Make a keyring with fresh keys. A file that is there is never overwritten."""
    from tokenkit.keys import create_keyring

    with create_keyring(file, key, keks(kek, other_kek), rotate_after=rotate_after) as ring:
        typer.echo(f"Created {file} with {_counted(ring)}: {', '.join(ring.names)}")


@group.command()
def add(
    file: File,
    name: Name,
    kek: Kek = None,
    other_kek: OtherKeks = None,
    rotate_after: RotateAfter = None,
) -> None:
    """Add a fresh key to a keyring."""
    from tokenkit.keys import edit_keyring

    with edit_keyring(file, keks(kek, other_kek)) as ring:
        version = ring.add(name, rotate_after=rotate_after).primary
    typer.echo(f"Added {name}: version {version.number} (id {version.id})")


def _counted(ring: "Keyring") -> str:
    return "1 key" if len(ring) == 1 else f"{len(ring)} keys"
