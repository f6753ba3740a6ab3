"""Options that several command groups take."""

from typing import Annotated

import typer

Kek = Annotated[
    str | None,
    typer.Option(
        "--kek",
        metavar="URI",
        envvar="TOKENKIT_KEK",
        show_envvar=True,
        help="The key-encryption key: passphrase:env:NAME, passphrase:file:PATH, "
        "passphrase:prompt, or another provider's URI.",
    ),
]
