"""What every sink checks of the columns of a table that rows are added to."""

from collections.abc import Iterable

import polars as pl

from tokenkit.errors import ConnectorFailed


def refuse_run_column(schema: pl.Schema, run_column: str, shown: str) -> None:
    """Refuse rows that have a column of the run column's name.

    Raises
    ------
    ConnectorFailed
        If they have.
    """
    if run_column in schema:
        raise ConnectorFailed(
            "the rows have a column of that name, which is to name their run",
            file=shown,
            column=run_column,
            hint="run_column: ANOTHER_NAME",
        )


def refuse_other_columns(
    schema: pl.Schema, found: Iterable[str], run_column: str, shown: str
) -> None:
    """Refuse rows that don't have the columns of the table, in whatever order.

    Raises
    ------
    ConnectorFailed
        If they have others.

    Examples
    --------
    >>> refuse_other_columns(pl.Schema({"a": pl.Int8}), ["a", "tokenkit_run"], "tokenkit_run", "t")
    """
    other = sorted(set(schema) ^ (set(found) - {run_column}))
    if other:
        raise ConnectorFailed(
            "the table has other columns than the rows",
            file=shown,
            column=other[0],
            count=len(other),
            hint="write to another table, or make the columns the same",
        )
