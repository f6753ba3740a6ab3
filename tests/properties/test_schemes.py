"""What Python says of a value's form is what the native module finds."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokenkit as tk
from tokenkit.errors import SchemeError
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.policy import ColumnRule

COLUMNS: list[dict[str, Any]] = [
    {"scheme": "digits"},
    {"scheme": "digits", "separators": "- ", "max_length": 9, "keep": {"last": 1}},
    {"scheme": "digits", "width": 7},
    {"scheme": "alphanumeric", "separators": "-"},
    {"scheme": "custom", "alphabet": "0123äöü", "separators": "-", "min_length": 8},
    {"scheme": "us-ssn"},
    {"scheme": "credit-card"},
    {"scheme": "credit-card", "check_digit": "valid"},
    {"scheme": "credit-card", "check_digit": "ignore"},
]
DIGITS = st.text("0123456789", min_size=12, max_size=16)
VALUES = st.one_of(
    st.text("0123-", max_size=10),
    st.text("0123456789- aäö", min_size=1, max_size=20),
    DIGITS,
    DIGITS.map("-".join),
).filter(bool)


@given(st.sampled_from(COLUMNS), st.lists(VALUES, min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_values_that_fit_are_the_same(column: dict[str, Any], values: list[str]) -> None:
    """The check of literals and the tokenizing of values agree on what a value is."""
    given_fields = {name: field for name, field in column.items() if name != "scheme"}
    rule = ColumnRule.build(column["scheme"], key="test", **given_fields)
    with keyring_from_bytes({"test": bytes(range(32))}) as ring:
        outcome = tk.expr.try_tokenize(
            "a", column["scheme"], key="test", keyring=ring, **given_fields
        )
        frame = pl.DataFrame({"a": values})
        reasons = frame.select(outcome.struct.field("reason")).to_series().to_list()
    assert [rule.method.fits(value) for value in values] == [reason is None for reason in reasons]


@given(DIGITS)
@settings(max_examples=200, deadline=None)
def test_a_token_cannot_be_a_literal(digits: str) -> None:
    """Under check_digit: invalid, what could be another value's token is refused, and only it."""
    with keyring_from_bytes({"test": bytes(range(32))}) as ring:
        outcome = pl.lit(digits).tk.try_detokenize("credit-card", key="test", keyring=ring)  # type: ignore[attr-defined]
        is_token = pl.select(outcome.struct.field("reason")).item() is None
    if is_token:
        with pytest.raises(SchemeError):
            ColumnRule.build("credit-card", key="test", literals=[digits])
    else:
        ColumnRule.build("credit-card", key="test", literals=[digits])
