"""``tokenkit serve``: the service."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tokenkit.cli.database import Url
from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import Kek, KeyringFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    policies: Annotated[
        Path | None,
        typer.Option(
            "--policies",
            metavar="FOLDER",
            envvar="TOKENKIT_POLICIES",
            show_envvar=True,
            help="The folder of policies: orders.yaml in it is the policy orders.",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where it listens; default: 127.0.0.1.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="The port; default: 8400.")] = None,
    database: Url = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Serve tokens over HTTP, for users and applications that have been given the right.

    Every other setting is an environment variable, TOKENKIT_SERVICE_..., see docs/service.md.
    """
    from tokenkit.keys.current import KEYRING_VARIABLE
    from tokenkit.keys.providers import KEK_VARIABLE
    from tokenkit.service.serving import serve as run
    from tokenkit.service.settings import ServiceSettings

    settings = ServiceSettings.from_environment(
        policies=policies, host=host, port=port, database_url=database
    )
    # Other processes, which answer or work on batches, open it by the environment.
    if keyring is not None:
        os.environ[KEYRING_VARIABLE] = str(keyring.absolute())
    if kek:
        os.environ[KEK_VARIABLE] = kek
    with opened(None, None):
        run(settings)
