"""The ``tokenkit`` command.

Each command group is a module with a function ``register(app)``, listed in ``_GROUPS``. Modules
import the layer that they command inside their functions, so that ``tokenkit --help`` stays fast.

Exit codes: 0 done, 1 an error, 2 wrong usage, 3 values that don't fit.
"""

import contextlib
import gc
import os
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tokenkit.cli import (
    admin,
    audit,
    connectors,
    database,
    files,
    job_files,
    jobs,
    keys,
    lineage,
    policy,
    rejects,
    rekey,
    schemes,
    search,
    serve,
)
from tokenkit.cli.terminal import printable
from tokenkit.errors import InvalidValues, TokenkitError

DISTRIBUTION = "tokenkit-vaultless"
_GROUPS = (
    jobs,
    job_files,
    rekey,
    files,
    rejects,
    search,
    lineage,
    audit,
    policy,
    keys,
    schemes,
    connectors,
    database,
    admin,
    serve,
)
_INVALID = 3


class TokenkitGroup(TyperGroup):
    """Shows a tokenkit error as one red line and its hint, wherever in the commands it arises."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a tokenkit error ends it with exit code 1, or 3 if values don't fit."""
        try:
            return super().invoke(ctx)
        except TokenkitError as error:
            show_error(error.summary, error.hint)
            code = _INVALID if isinstance(error, InvalidValues) else 1
        raise typer.Exit(code)


app = typer.Typer(
    name="tokenkit",
    cls=TokenkitGroup,
    help="Vaultless tokenization for dataframes and files.",
    no_args_is_help=True,
    # Typer's own tracebacks show local variables, and these may hold values.
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"tokenkit {version(DISTRIBUTION)}")
        except PackageNotFoundError:
            typer.echo("tokenkit, not installed as a distribution")
        raise typer.Exit


@app.callback()
def _tokenkit(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    access: Annotated[
        str | None,
        typer.Option(
            metavar="all|tokenize",
            envvar="TOKENKIT_ACCESS",
            show_envvar=True,
            help="What keys may be used for: tokenize turns no token back.",
        ),
    ] = None,
) -> None:
    del version
    if access:
        os.environ["TOKENKIT_ACCESS"] = access


for _group in _GROUPS:
    _group.register(app)


def main() -> None:
    """Run the command line; an unforeseen error's text may quote values and isn't shown."""
    _refuse_core_dumps()
    # What was imported stays until the process ends, so that no collection has to look through it.
    gc.freeze()
    warnings.showwarning = _show_warning
    try:
        app()
    except OSError as exc:
        place = f": {exc.filename}" if exc.filename else ""
        show_error(f"{exc.strerror or type(exc).__name__}{place}", None)
        sys.exit(1)
    except Exception as exc:  # noqa: BLE001 - whatever it is, its text may quote values
        from tokenkit.errors.places import place_of

        show_error(
            f"an unforeseen {type(exc).__name__}{place_of(exc)}",
            "this is a defect of tokenkit: please report it, without any data",
        )
        sys.exit(1)


def _refuse_core_dumps() -> None:
    # A dump would hold keys and values. Where there is no such limit there is no such file.
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def show_error(message: str, hint: str | None) -> None:
    """Print an error to standard error: red where that is a terminal, then the hint."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text(f"error: {printable(message)}", style="bold red"))
    if hint:
        console.print(Text(f"hint: {printable(hint)}"))


def _show_warning(
    message: Warning | str, category: type[Warning], *place: Any, **details: Any
) -> None:
    """Print a warning of tokenkit as one line; those of others are for their developers."""
    del place, details
    if category.__module__.startswith("tokenkit."):
        from rich.console import Console
        from rich.text import Text

        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(Text(f"warning: {printable(str(message))}", style="yellow"))


if __name__ == "__main__":
    main()
