"""``tokenkit run``: jobs out of files; ``tokenkit jobs``: what such files may say."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tokenkit.cli.jobs import execute
from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import AsJson, Force, Kek, KeyringFile, NoLineage, Quiet

group = typer.Typer(name="jobs", help="Job files: their schema.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command and the group."""
    app.command("run")(run)
    app.add_typer(group)


def run(
    file: Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).")],
    variables: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="The value of a variable; others come from the environment.",
        ),
    ] = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    limit: Annotated[
        int | None, typer.Option(metavar="ROWS", help="Read only so many rows of each input.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would happen, and write nothing.")
    ] = False,
    force: Force = False,
    no_lineage: NoLineage = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Do the job that a file describes: what is read, by which policy, and what is written.

    ${NAME} in the file is a variable. A job whose output is there already, from the same policy,
    keys and unchanged files, is skipped; what an older run left is replaced.
    """
    from tokenkit.jobs.job_file import read_job_file

    described = read_job_file(file)
    bound = described.bound(_values(variables))
    with opened(keyring, kek) as ring:
        job = bound.job(keyring=ring, limit=limit, dry_run=dry_run, force=force)
        label = "Detokenizing" if job.operation == "detokenize" else "Tokenizing"
        execute(job, label, quiet=quiet, as_json=as_json, no_lineage=no_lineage)


@group.command()
def schema() -> None:
    """Print the JSON Schema of job files, for completions and warnings in an editor."""
    from tokenkit.jobs.job_file.schema import job_schema

    typer.echo(json.dumps(job_schema(), indent=2))


def _values(given: list[str] | None) -> dict[str, str]:
    from tokenkit.errors import JobError

    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise JobError("a variable is given as NAME=VALUE", hint="--set DAY=2026-11-23")
        found[name] = value
    return found
