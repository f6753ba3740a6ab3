"""The one place that registers the native module as a Polars expression."""

from pathlib import Path

import polars as pl
from polars.plugins import register_plugin_function

from tokenkit import _native
from tokenkit.engines.column import ColumnCall

# The folder, not the file: Polars finds the library in it, and a plan then names no build.
_LIBRARY = Path(_native.__file__).parent


def column_expression(column: pl.Expr, call: ColumnCall, tweak: pl.Expr | None = None) -> pl.Expr:
    """Build the expression that runs a call on a column.

    Parameters
    ----------
    column
        Strings, categoricals, or a column that is all null.
    call
        What to do. Only names, ids and check values of it get into the plan.
    tweak
        A column of strings that gives each value a tweak; needs ``call.has_tweak_column``.

    Returns
    -------
    polars.Expr
        Element by element: the tokens in the column's type, or ``Struct{token, reason}``.
    """
    inputs = [column] if tweak is None else [column, tweak]
    return native_expression("transform", inputs, call.specification)


def native_expression(function: str, inputs: list[pl.Expr], specification: str) -> pl.Expr:
    """Build the expression that runs a function of the native module, element by element."""
    return register_plugin_function(
        plugin_path=_LIBRARY,
        function_name=function,
        args=inputs,
        kwargs={"specification": specification},
        is_elementwise=True,
    )
