"""The cells of rejected rows, sealed and opened as Polars expressions (token contract)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tokenkit.engines.polars.plugin import native_expression
from tokenkit.errors import SpecificationError
from tokenkit.keys import KeyVersion

RUN_BYTES = 16
"""Bytes in a run's id."""


@dataclass(frozen=True, slots=True)
class RejectCell:
    """A column of rejected rows.

    Attributes
    ----------
    column
        Its name in the input.
    domain, version
        Its domain and key version. A column that is kept in clear or dropped has neither: its cells
        are sealed under those of the column whose value didn't fit.
    """

    column: str
    domain: str | None = None
    version: KeyVersion | None = None


def seal_rows(
    cells: Sequence[RejectCell],
    run: bytes,
    *,
    row: pl.Expr,
    file: pl.Expr,
    failing: pl.Expr,
    reason: pl.Expr,
    values: Sequence[pl.Expr],
) -> pl.Expr:
    """Seal the cells of rejected rows, each bound to its place.

    Parameters
    ----------
    cells
        The columns. No key of them gets into the plan.
    run
        The run's id, 16 bytes. Each run has keys of its own.
    row, file
        The row's position in its file, and the file's name.
    failing, reason
        The number, in ``cells``, of the first column whose value doesn't fit, and why not.
    values
        Strings or bytes, one expression for each of ``cells``; null is a null cell.

    Returns
    -------
    polars.Expr
        Element by element: a struct of bytes, one field for each of ``cells``. No two calls give
        the same bytes.

    Raises
    ------
    SpecificationError
        If ``run`` has another length, or ``values`` are more or fewer than ``cells``.

    Examples
    --------
    >>> import polars as pl
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> cells = [RejectCell("ssn", "us-ssn", ring["people"].primary), RejectCell("city")]
    >>> place = {"row": pl.lit(7), "file": pl.lit("a.csv")}
    >>> place |= {"failing": pl.lit(0), "reason": pl.lit("too_short")}
    >>> rows = pl.DataFrame({"ssn": ["078"], "city": ["Berne"]})
    >>> sealed = rows.select(
    ...     seal_rows(cells, bytes(16), values=[pl.col("ssn"), pl.col("city")], **place)
    ... ).unnest(pl.all())
    >>> sealed.select(pl.all().bin.size()).row(0)
    (32, 34)
    >>> sealed.select(
    ...     open_rows(cells, bytes(16), values=[pl.col("ssn"), pl.col("city")], **place)
    ... ).unnest(pl.all()).row(0)
    (b'078', b'Berne')
    """
    return _expression("seal_row", cells, run, [row, file, failing, reason], values)


def open_rows(
    cells: Sequence[RejectCell],
    run: bytes,
    *,
    row: pl.Expr,
    file: pl.Expr,
    failing: pl.Expr,
    reason: pl.Expr,
    values: Sequence[pl.Expr],
) -> pl.Expr:
    """Open the cells of rejected rows.

    Parameters
    ----------
    cells, run, row, file, failing, reason
        As they were for :func:`seal_rows`.
    values
        The sealed cells, one expression for each of ``cells``.

    Returns
    -------
    polars.Expr
        Element by element: a struct of bytes, one field for each of ``cells``, null where the cell
        was. The query fails with :class:`~tokenkit.errors.NotAuthentic` if a cell isn't what was
        sealed in its place.

    Raises
    ------
    SpecificationError
        As for :func:`seal_rows`.

    Examples
    --------
    >>> import polars as pl
    >>> open_rows(
    ...     [RejectCell("city")], b"", row=pl.lit(0), file=pl.lit(""), failing=pl.lit(0),
    ...     reason=pl.lit(""), values=[pl.col("city")],
    ... )
    Traceback (most recent call last):
    ...
    tokenkit.errors.SpecificationError: a run's id has 16 bytes
    """
    return _expression("open_row", cells, run, [row, file, failing, reason], values)


def _expression(
    function: str,
    cells: Sequence[RejectCell],
    run: bytes,
    place: list[pl.Expr],
    values: Sequence[pl.Expr],
) -> pl.Expr:
    if len(run) != RUN_BYTES:
        raise SpecificationError(f"a run's id has {RUN_BYTES} bytes")
    if len(values) != len(cells):
        raise SpecificationError("rejected rows have as many values as columns")
    types = (pl.UInt64, pl.String, pl.UInt32, pl.String)
    inputs = [part.cast(dtype) for part, dtype in zip(place, types, strict=True)]
    specification = {"run": run.hex(), "cells": [_named(cell) for cell in cells]}
    return native_expression(
        function, [*inputs, *values], json.dumps(specification, separators=(",", ":"))
    )


def _named(cell: RejectCell) -> dict[str, object]:
    version = cell.version
    key = None
    if version is not None:
        key = {
            "name": version.name,
            "version": version.number,
            "id": version.id,
            "check_value": version.check_value.hex(),
        }
    return {"column": cell.column, "key": key, "domain": cell.domain}
