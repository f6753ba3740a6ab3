"""Rejected rows, sealed cell by cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tokenkit.errors import EngineError
from tokenkit.keys import KeyVersion


@dataclass(frozen=True, slots=True)
class RejectCell:
    """A column of rejected rows, and what it's sealed under; None: the failing column's key."""

    column: str
    domain: str | None
    version: KeyVersion | None


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
    """Seal rows: refused until the native module can."""
    raise EngineError("rejected rows can't be sealed yet")


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
    """Open rows: refused until the native module can."""
    raise EngineError("rejected rows can't be opened yet")
