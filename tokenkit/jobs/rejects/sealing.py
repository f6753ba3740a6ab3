"""The part of a pass that seals the rows that it rejects."""

from collections.abc import Mapping, Sequence

import polars as pl

from tokenkit.engines.polars.rejects import RejectCell, seal_rows
from tokenkit.jobs.rejects.cells import to_cell

ROW, FILE, COLUMN, REASON, CELLS = "row", "file", "column", "reason", "cells"
"""The columns of a file of rejected rows."""


def sealed_rows(
    cells: Sequence[RejectCell],
    schema: pl.Schema,
    run: str,
    *,
    values: Sequence[pl.Expr],
    reasons: Mapping[str, pl.Expr],
    row: pl.Expr,
    file: pl.Expr,
) -> list[pl.Expr]:
    """Give the columns of the file of rejected rows.

    Parameters
    ----------
    cells
        The source's columns and their keys.
    schema
        The source's columns and their types.
    run
        The run's id.
    values
        The source's columns, as expressions in the order of ``cells``.
    reasons
        For each column that rejects, the reason why its value doesn't fit, or null.
    row, file
        Where each row stood.
    """
    place = {cell.column: number for number, cell in enumerate(cells)}
    # The first column whose value doesn't fit names the row's reason.
    failing = pl.coalesce(
        pl.when(reason.is_not_null()).then(pl.lit(place[name], pl.UInt32))
        for name, reason in reasons.items()
    )
    column = pl.coalesce(
        pl.when(reason.is_not_null()).then(pl.lit(name, pl.String))
        for name, reason in reasons.items()
    )
    reason = pl.coalesce(*reasons.values())
    texts = [to_cell(value, dtype) for value, dtype in zip(values, schema.dtypes(), strict=True)]
    return [
        row.alias(ROW),
        file.alias(FILE),
        column.alias(COLUMN),
        reason.alias(REASON),
        seal_rows(
            cells,
            bytes.fromhex(run),
            row=row,
            file=file,
            failing=failing,
            reason=reason,
            values=texts,
        ).alias(CELLS),
    ]
