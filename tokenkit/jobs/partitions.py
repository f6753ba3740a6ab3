"""Columns that stand in the path of a file, and their tokens in the path of the output."""

from pathlib import Path
from urllib.parse import unquote

import polars as pl

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.errors import PolicyError, translated
from tokenkit.jobs.outlets import partition_folder
from tokenkit.jobs.preparation import Input


def turned_path(item: Input) -> Path:
    """Give the way to an input's output below a folder, with tokens for values.

    Raises
    ------
    PolicyError
        If such a value is to be rejected: a path has no rows.
    """
    parts = []
    for part in item.inlet.relative.parts[:-1]:
        name = unquote(part.partition("=")[0])
        if name not in item.inlet.partition:
            parts.append(part)
        elif name in item.calls.by_column:
            value = item.inlet.partition[name]
            call = item.calls.by_column[name]
            parts.append(
                partition_folder(name, value if call is None else _turned(name, value, call))
            )
    return Path(*parts, item.inlet.relative.name)


def _turned(name: str, value: str | None, call: ColumnCall) -> str | None:
    with translated():
        outcome = pl.select(column_expression(pl.lit(value, pl.String), call)).to_series().item()
    if outcome["reason"] is None or outcome["token"] is not None:
        return None if outcome["token"] is None else str(outcome["token"])
    if call.rule.on_invalid == "reject":
        raise PolicyError(
            "a value in a path can't be rejected: it isn't one row's",
            column=name,
            hint="say on_invalid: null or seal for the column",
        )
    # Where it's an error, the pass counts it in every row, and nothing gets its name.
    return None
