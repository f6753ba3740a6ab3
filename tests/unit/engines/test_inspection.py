"""A look at an input: order and types."""

from typing import Any

import polars as pl
import pytest

from tokenkit.engines.polars.inspection import inspect_input
from tokenkit.policy import ColumnRule

RULE = ColumnRule.build("digits", key="people")
WIDE = ColumnRule.build("digits", key="people", width=9)
UNSORTED = [str(n * 7919 % 1009) for n in range(1000)]


def kinds(values: Any, rule: ColumnRule = RULE) -> list[str]:
    """Look at one column, whose name is a pattern to Polars."""
    frame = pl.LazyFrame({"other": range(len(values)), "^o.*$": values})
    return [warning.kind for warning in inspect_input(frame, {"other": "keep", "^o.*$": rule})]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (UNSORTED, []),
        (sorted(UNSORTED), ["sorted"]),
        (sorted(UNSORTED, key=int), ["sorted"]),
        (sorted(UNSORTED, reverse=True), ["sorted"]),
        ([None, *sorted(UNSORTED)], ["sorted"]),
        (["1"] * 1000, []),
        (["1", "2", "3"], []),
        ([], []),
        ([None] * 50, []),
    ],
)
def test_sorted_columns_are_found(values, expected):
    """In either direction, as text or as numbers; few values stand in order by chance."""
    assert kinds(pl.Series(values, dtype=pl.String)) == expected


def test_other_types_are_told():
    """What the engines would refuse is known before."""
    assert kinds(pl.Series([1.5])) == ["type"]
    assert kinds(pl.Series([5, 3])) == ["type"]
    assert kinds(pl.Series([5, 3]), WIDE) == []
    assert kinds(pl.Series(range(50)), WIDE) == ["sorted"]
    seal = ColumnRule.build("digits", key="people", width=9, on_invalid="seal")
    assert kinds(pl.Series([5, 3]), seal) == ["type"]
    assert kinds(pl.Series(sorted(UNSORTED), dtype=pl.Categorical)) == ["sorted"]
    assert kinds(pl.Series([None, None])) == []


def test_warnings_quote_no_value():
    """Only the column's name is in them."""
    values = [f"CANARY{n:04}" for n in range(100)]
    (warning,) = inspect_input(pl.LazyFrame({"a": values}), {"a": RULE})
    assert "CANARY" not in str(warning)
