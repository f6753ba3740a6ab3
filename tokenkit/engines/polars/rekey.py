"""Rekeying with a proof, as Polars expressions: both sums are taken by the native module."""

from dataclasses import replace

import polars as pl

from tokenkit.engines.column import ColumnCall, Side
from tokenkit.engines.polars.plugin import native_expression
from tokenkit.engines.polars.proof import Proof


def rekeyed(
    column: pl.Expr, call: ColumnCall, proof: Proof, row: pl.Expr, tweak: pl.Expr | None = None
) -> pl.Expr:
    """Make the new tokens of a column, and add its values to the old side of a proof.

    Parameters
    ----------
    column
        The old tokens.
    call
        A call that rekeys.
    proof
        What the values are added to.
    row
        The number of each row, as unsigned 64-bit integers.
    tweak
        The tweak of each value, if the call has a tweak column.
    """
    return _native_call("rekey", column, replace(call, proof=(proof.native, "old")), row, tweak)


def proved(
    column: pl.Expr,
    call: ColumnCall,
    proof: Proof,
    side: Side,
    row: pl.Expr,
    tweak: pl.Expr | None = None,
) -> pl.Expr:
    """Add a column's values to a side of a proof; gives true for each row.

    ``call`` is one that detokenizes; the other parameters are as for :func:`rekeyed`.
    """
    return _native_call("prove", column, replace(call, proof=(proof.native, side)), row, tweak)


def _native_call(
    function: str, column: pl.Expr, call: ColumnCall, row: pl.Expr, tweak: pl.Expr | None
) -> pl.Expr:
    inputs = [column, row] if tweak is None else [column, tweak, row]
    return native_expression(function, inputs, call.specification)
