"""``tokenkit tokenize`` and ``tokenkit detokenize``: files by policy."""

import contextlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.keyrings import opened
from tokenkit.cli.options import (
    AsJson,
    Delimiter,
    Encoding,
    Force,
    Kek,
    KeyringFile,
    Names,
    NoHeader,
    NoLineage,
    Quiet,
    Quote,
    Types,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tokenkit.jobs import Job, TextOptions


class ModeChoice(StrEnum):
    """How a folder is written."""

    REPLACE = "replace"
    APPEND = "append"
    PARTITION = "partition"


_Source = Annotated[
    str,
    typer.Argument(
        metavar="INPUT", help="A file, a folder, a pattern in quotes, or s3://BUCKET/KEY."
    ),
]
_Target = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="OUTPUT", help="The file, folder or object to write."),
]
_Mode = Annotated[ModeChoice, typer.Option("--mode", help="How a folder is written.")]
_PartitionBy = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="A column whose values make the folders of partitions."),
]
_Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="SUFFIX",
        help="The format of files in a folder: parquet, csv, csv.gz ...",
    ),
]
_Limit = Annotated[
    int | None, typer.Option(min=0, metavar="ROWS", help="Read only so many rows of each file.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")]
_Rejects = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Where rejected rows go; default: OUTPUT.rejects.parquet."),
]

_Prove = Annotated[
    bool,
    typer.Option(
        "--prove", help="Record a keyed digest of what is read, to check what was written by."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(tokenize)
    app.command()(detokenize)


def tokenize(
    source: _Source,
    policy: Annotated[
        Path, typer.Option("--policy", "-p", metavar="POLICY", help="The policy file (YAML).")
    ],
    target: _Target = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    mode: _Mode = ModeChoice.REPLACE,
    partition_by: _PartitionBy = None,
    output_format: _Format = None,
    rejects: _Rejects = None,
    prove: _Prove = False,
    limit: _Limit = None,
    dry_run: _DryRun = False,
    force: Force = False,
    delimiter: Delimiter = None,
    quote: Quote = '"',
    encoding: Encoding = "utf-8",
    no_header: NoHeader = False,
    names: Names = None,
    types: Types = None,
    no_lineage: NoLineage = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a copy of files in which the policy's columns hold tokens.

    Outputs appear when they are complete and every value fits, is made null, sealed or rejected as
    the policy says; otherwise nothing is left behind. A run whose output is there already, from the
    same policy, keys and unchanged files, is skipped.

    CSV values are text; an empty field is null, and "" the empty string. What detokenizing needs to
    know goes into Parquet and Arrow files, or into OUTPUT.tokenkit.json beside other ones.
    """
    from tokenkit.jobs import Job
    from tokenkit.jobs.objects import place_of
    from tokenkit.policy import load_policy

    text = text_options(delimiter, quote, encoding, no_header, names, types)
    read = load_policy(policy)
    with opened(keyring, kek) as ring:
        job = Job(
            operation="tokenize",
            source=place_of(source),
            target=None if target is None else place_of(target),
            policy=read,
            keyring=ring,
            mode=mode.value,
            partition_by=tuple(partition_by or ()),
            output_format=_suffix(output_format),
            text=text,
            rejects=None if rejects is None else place_of(rejects),
            prove=prove,
            limit=limit,
            dry_run=dry_run,
            force=force,
        )
        execute(job, "Tokenizing", quiet=quiet, as_json=as_json, no_lineage=no_lineage)


def detokenize(
    source: _Source,
    target: _Target = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            "-p",
            metavar="POLICY",
            help="The policy file (YAML); needed only where the input has no metadata.",
        ),
    ] = None,
    keyring: KeyringFile = None,
    kek: Kek = None,
    mode: _Mode = ModeChoice.REPLACE,
    partition_by: _PartitionBy = None,
    output_format: _Format = None,
    rejects: _Rejects = None,
    limit: _Limit = None,
    dry_run: _DryRun = False,
    force: Force = False,
    delimiter: Delimiter = None,
    quote: Quote = '"',
    encoding: Encoding = "utf-8",
    no_header: NoHeader = False,
    names: Names = None,
    types: Types = None,
    no_lineage: NoLineage = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a copy of files in which tokens are values again.

    Each input's metadata says how its tokens were made and under which key versions. For a text
    file it stands in INPUT.tokenkit.json: keep the two together.
    """
    from tokenkit.jobs import Job
    from tokenkit.jobs.objects import place_of
    from tokenkit.policy import load_policy

    text = text_options(delimiter, quote, encoding, no_header, names, types)
    read = None if policy is None else load_policy(policy)
    with opened(keyring, kek) as ring:
        job = Job(
            operation="detokenize",
            source=place_of(source),
            target=None if target is None else place_of(target),
            policy=read,
            keyring=ring,
            mode=mode.value,
            partition_by=tuple(partition_by or ()),
            output_format=_suffix(output_format),
            text=text,
            rejects=None if rejects is None else place_of(rejects),
            limit=limit,
            dry_run=dry_run,
            force=force,
        )
        execute(job, "Detokenizing", quiet=quiet, as_json=as_json, no_lineage=no_lineage)


def execute(job: "Job", label: str, *, quiet: bool, as_json: bool, no_lineage: bool) -> None:
    """Run a job with a progress bar, and print its report."""
    from rich.console import Console

    from tokenkit.cli.progress_bar import ProgressBar
    from tokenkit.cli.reports import show
    from tokenkit.jobs import JobRefused, run

    console = Console(stderr=True)
    # In a log file, a bar would be noise.
    bar = ProgressBar(label, console) if console.is_terminal and not quiet else None
    try:
        with unrecorded() if no_lineage else contextlib.nullcontext():
            report = run(job, bar)
    except JobRefused as error:
        if error.report is not None and not quiet:
            show(error.report, as_json=as_json)
        raise
    if not quiet:
        show(report, as_json=as_json)


def unrecorded() -> "AbstractContextManager[object]":
    """Let no job in a block be recorded."""
    from tokenkit.lineage import Unrecorded, use_recorder

    return use_recorder(Unrecorded())


def text_options(
    delimiter: str | None,
    quote: str,
    encoding: str,
    no_header: bool,
    names: str | None,
    types: list[str] | None,
) -> "TextOptions":
    """Read the options of text files.

    Raises
    ------
    JobError
        If one can't be.
    """
    from tokenkit.errors import JobError
    from tokenkit.jobs import TextOptions

    read = {}
    for given in types or ():
        column, equals, kind = given.rpartition("=")
        if not equals or not column:
            raise JobError("a type is given as COLUMN=TYPE", hint="--type amount=decimal(10,2)")
        read[column] = kind
    return TextOptions(
        delimiter="\t" if delimiter in ("\\t", "tab") else delimiter,
        quote=quote or None,
        encoding=encoding,
        header=not no_header,
        names=tuple(names.split(",")) if names else None,
        types=read,
    )


def _suffix(given: str | None) -> str | None:
    return None if given is None else f".{given.removeprefix('.')}"
