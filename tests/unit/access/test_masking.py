"""The masked view shows the last four characters of long values, and nothing else."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.access.masking import masked


def view(values, dtype=None):
    return pl.select(masked(pl.lit(pl.Series("v", values, dtype)))).to_series().to_list()


@given(st.lists(st.none() | st.text(), max_size=20))
def test_no_more_than_four_characters_show(values):
    """Whatever the script, and line ends too; null stays null and the length stays."""
    for value, shown in zip(values, view(values, pl.String), strict=True):
        if value is None:
            assert shown is None
        elif len(value) < 8:
            assert shown == "*" * len(value)
        else:
            assert shown == "*" * (len(value) - 4) + value[-4:]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(123456789, "*****6789"), (1234, "****"), (dt.date(2026, 1, 31), "******1-31")],
)
def test_other_types_show_their_text(value, shown):
    """Numbers and dates are masked as they would be written."""
    assert view([value]) == [shown]
