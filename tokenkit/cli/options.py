"""Options that several command groups take."""

from pathlib import Path
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
KeyringFile = Annotated[
    Path | None,
    typer.Option(
        "--keyring",
        metavar="FILE",
        envvar="TOKENKIT_KEYRING",
        show_envvar=True,
        help="The keyring file.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace an output that is there, and do it again.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoLineage = Annotated[
    bool,
    typer.Option("--no-lineage", help="Don't record it, neither in the store nor elsewhere."),
]
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHAR", help="What stands between fields of CSV; default: a comma."),
]
Quote = Annotated[
    str, typer.Option(metavar="CHAR", help="What stands around fields; empty for nothing.")
]
Encoding = Annotated[
    str, typer.Option(metavar="NAME", help="The encoding of text files: utf-8, latin-1, utf-16 ...")
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help="CSV files have no header; needs --names.")
]
Names = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="The names of CSV columns, in place of a header."),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="COLUMN=TYPE",
        help="What a text column is read as: int64, float64, date, decimal(10,2) ... "
        "Default: text.",
    ),
]
