"""``tokenkit keys rewrap`` and ``inspect``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenkit.cli.keys.group import File, group
from tokenkit.cli.options import AsJson, Kek
from tokenkit.cli.terminal import printable

if TYPE_CHECKING:
    from tokenkit.keys.file import Container


@group.command()
def rewrap(
    file: File,
    new_kek: Annotated[
        list[str],
        typer.Option(
            "--new-kek", metavar="URI", help="A KEK that the keyring is to have; repeatable."
        ),
    ],
    kek: Kek = None,
) -> None:
    """Wrap a keyring for these KEKs and no others; one of its present KEKs opens it."""
    from tokenkit.keys import rewrap as rewrap_keyring

    generation = rewrap_keyring(file, kek or None, new_kek)
    counted = "1 KEK" if len(new_kek) == 1 else f"{len(new_kek)} KEKs"
    typer.echo(f"Wrapped {file} for {counted} (generation {generation})")
    typer.echo(
        "Copies made before still open with the KEKs they were wrapped for: destroy those KEKs "
        "to be rid of them"
    )


@group.command()
def inspect(
    file: File,
    kek: Kek = None,
    as_json: AsJson = False,
    write_pins: Annotated[
        Path | None,
        typer.Option(
            metavar="PINS", help="Write what other places can hold this keyring against; needs KEK."
        ),
    ] = None,
    accept_older: Annotated[
        bool,
        typer.Option(
            "--accept-older", help="Take this file although a newer one was here; needs the KEK."
        ),
    ] = False,
) -> None:
    """Show what a keyring file says of itself without its KEK, which nothing proves."""
    from tokenkit.keys import accept_older as accept
    from tokenkit.keys import open_keyring, storage
    from tokenkit.keys.file import read_container

    shown = _shown(read_container(storage.read(file)))
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        for line in _lines(shown):
            typer.echo(printable(line))
    if accept_older:
        generation = accept(file, kek or None)
        typer.echo(f"Accepted: generation {generation} is the lowest that is taken now", err=True)
    if write_pins is not None:
        with open_keyring(file, kek or None) as ring:
            ring.pins().write(write_pins)
        typer.echo(f"Wrote {write_pins}", err=True)


def _shown(container: "Container") -> dict[str, Any]:
    return {
        "keyring": container.keyring_id,
        "keks": [
            {"provider": stanza.provider, "parameters": dict(stanza.parameters)}
            for stanza in container.stanzas
        ],
        "signer": None if container.signature is None else container.signature[0].hex(),
    }


def _lines(shown: dict[str, Any]) -> list[str]:
    lines = [f"keyring  {shown['keyring']}"]
    for kek in shown["keks"]:
        parameters = ", ".join(f"{name}={value}" for name, value in kek["parameters"].items())
        lines.append(f"KEK      {kek['provider']}: {parameters}")
    if shown["signer"]:
        lines.append(f"signer   {shown['signer']}")
    return lines
