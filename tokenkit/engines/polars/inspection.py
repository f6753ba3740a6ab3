"""A look at an input's first rows, for what a policy alone doesn't show."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import polars as pl

from tokenkit.errors import TokenkitError, from_polars, translated
from tokenkit.policy import ColumnRule, Fate
from tokenkit.policy.check import PolicyWarning

SAMPLE_ROWS = 10_000
_LEAST_DISTINCT = 20
"""Fewer values stand in order by chance."""
Explain: TypeAlias = Callable[[str], TokenkitError | None]
"""Puts the text of an error of Polars into our words; nothing of the text comes out."""


def inspect_input(
    frame: pl.LazyFrame,
    fates: Mapping[str, Fate],
    *,
    types: Mapping[str, pl.DataType] | None = None,
    explain: Explain | None = None,
) -> list[PolicyWarning]:
    """Look for tokenized columns in whose order the rows stand, and for types that don't fit.

    Tokens hide a value, and not its rank: where rows are sorted by the value, the first token is
    the smallest's.

    Parameters
    ----------
    frame
        The input; its first 10,000 rows are read.
    fates
        What the policy says of each column.
    types
        What columns of text will be read as.
    explain
        Says in our words what an error of Polars says about the input.

    Raises
    ------
    TokenkitError
        If the input can't be read.

    Examples
    --------
    >>> rule = ColumnRule.build("us-ssn", key="people")
    >>> frame = pl.LazyFrame({"ssn": [f"{n:09}" for n in range(100)]})
    >>> [warning.kind for warning in inspect_input(frame, {"ssn": rule})]
    ['sorted']
    """
    rules = {name: fate for name, fate in fates.items() if isinstance(fate, ColumnRule)}
    with translated():
        columns = frame.collect_schema().names()
    # By position, and renamed: Polars takes a name such as "^a$" for a pattern.
    wanted = [
        pl.nth(columns.index(name)).alias(f"column{number}") for number, name in enumerate(rules)
    ]
    sample = _collected(frame.head(SAMPLE_ROWS).select(wanted), explain)
    looked_at = zip(sample, rules.items(), strict=True)
    dtypes = types or {}
    with translated():
        return [
            warning
            for column, (name, rule) in looked_at
            for warning in _look(column, name, rule, dtypes.get(name, column.dtype))
        ]


def _collected(frame: pl.LazyFrame, explain: Explain | None) -> list[pl.Series]:
    try:
        return frame.collect().get_columns()
    except Exception as exc:  # noqa: BLE001 - whatever it is, its text may quote values
        explained = None if explain is None else explain(str(exc))
        error = explained or from_polars(exc)
    raise error


def _look(
    column: pl.Series, name: str, rule: ColumnRule, dtype: pl.DataType
) -> list[PolicyWarning]:
    found = []
    if (problem := _unfit(dtype, rule)) is not None:
        found.append(PolicyWarning(kind="type", column=name, message=problem))
    if (order := _order(column)) is not None:
        found.append(
            PolicyWarning(
                kind="sorted",
                column=name,
                message=f"the rows stand in {order} order of this column, so tokens tell its "
                "ranks: sort them by another column first",
            )
        )
    return found


def _unfit(dtype: pl.DataType, rule: ColumnRule) -> str | None:
    if dtype in (pl.String, pl.Categorical, pl.Null):
        return None
    if not dtype.is_integer():
        return f"a column of type {dtype.base_type()} can't be tokenized: cast it to text first"
    if rule.parameters.width is None:
        return "integers need scheme: digits and a width, the number of digits to write them with"
    if rule.on_invalid == "seal":
        return "integers can't hold sealed tokens: say on_invalid: error, null or reject"
    return None


def _order(column: pl.Series) -> str | None:
    if column.dtype == pl.Categorical:
        column = column.cast(pl.String)
    if column.dtype != pl.String and not column.dtype.is_integer():
        return None
    values = column.drop_nulls()
    if values.n_unique() < _LEAST_DISTINCT:
        return None
    candidates = [values]
    if values.dtype == pl.String:
        # Numbers as text may be sorted as numbers.
        numbers = values.cast(pl.Int128, strict=False)
        candidates += [numbers] if not numbers.null_count() else []
    for candidate in candidates:
        for descending, word in ((False, "ascending"), (True, "descending")):
            if candidate.is_sorted(descending=descending):
                return word
    return None
