"""``tokenkit lineage graph``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.lineage.group import (
    Depth,
    Downstream,
    Limit,
    OneColumn,
    Upstream,
    follow,
    group,
    store,
)
from tokenkit.cli.options import AsJson, Force
from tokenkit.cli.terminal import printable

if TYPE_CHECKING:
    from tokenkit.lineage.graph import Graph


@group.command()
def graph(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET[.COLUMN]]",
            help="What to draw the lineage of; default: what the newest runs did.",
        ),
    ] = None,
    column: OneColumn = None,
    upstream: Upstream = False,
    downstream: Downstream = False,
    depth: Depth = None,
    limit: Limit = 1_000,
    runs: Annotated[
        int,
        typer.Option(metavar="RUNS", min=1, help="How many runs to draw where nothing is named."),
    ] = 100,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page that needs nothing else."),
    ] = None,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print Mermaid text; what is done by default.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Draw lineage: as Mermaid text, or as an HTML page that works without a network."""
    if mermaid and as_json:
        raise typer.BadParameter("--mermaid and --json contradict each other")
    if dataset is None and (column is not None or upstream or downstream or depth):
        raise typer.BadParameter(
            "--column, --upstream, --downstream and --depth need a DATASET to start at"
        )
    if html is not None and html.exists() and not force:
        from tokenkit.errors import OutputExists

        raise OutputExists(f"{html} is there already", hint="--force replaces it")
    drawn = _graph(dataset, column, upstream, downstream, depth, limit, runs)
    if html is not None:
        from tokenkit.jobs.aside import AsideFile
        from tokenkit.lineage.graph import page

        with AsideFile(html) as aside:
            with aside.writer() as writer:
                writer.write(page(drawn).encode())
            aside.flush()
            aside.publish(replace=force)
        if not (mermaid or as_json):
            typer.echo(f"Wrote {printable(str(html))}: {len(drawn.ways):,} ways of columns")
    if as_json:
        typer.echo(json.dumps(drawn.to_json(), indent=2))
    elif mermaid or html is None:
        from tokenkit.lineage.graph import mermaid as text

        typer.echo(text(drawn), nl=False)


def _graph(
    dataset: str | None,
    column: str | None,
    upstream: bool,
    downstream: bool,
    depth: int | None,
    limit: int,
    runs: int,
) -> "Graph":
    from tokenkit.store.lineage import newest

    with store() as connection:
        if dataset is None:
            return newest(connection, runs=runs)
        return follow(
            connection,
            dataset,
            column,
            upstream=upstream,
            downstream=downstream,
            depth=depth,
            limit=limit,
        ).graph()
