"""Policies to draw, for properties: all of them valid."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

KEYS = st.sampled_from(["payments", "people", "k-1.x_y"])
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="*?["), min_size=1, max_size=12
)
LITERALS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
        # Not a card number's token.
        lambda text: sum(char in string.digits for char in text) < 12
    ),
    max_size=4,
)
NORMALIZE = st.lists(st.sampled_from(["trim", "nfc", "lower", "strip-separators"]), max_size=4)
COMMON: dict[str, Any] = {
    "literals": LITERALS,
    "normalize": NORMALIZE,
    "version": st.one_of(st.just("primary"), st.integers(1, 2**31)),
    "action": st.just("tokenize"),
}
ON_INVALID = st.sampled_from(["error", "null", "reject", "seal", None])
KEEP = st.fixed_dictionaries({}, optional={"first": st.integers(0, 6), "last": st.integers(0, 5)})


def tokenized(scheme: str, **parameters: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a column of one scheme."""
    given: dict[str, Any] = {"on_invalid": ON_INVALID, **COMMON, **parameters}
    return st.fixed_dictionaries({"scheme": st.just(scheme), "key": KEYS}, optional=given)


def with_domain(pair: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    """Give a column a domain of its own, so that no two look joinable."""
    number, column = pair
    return column if "scheme" not in column else {**column, "domain": f"d{number}"}


CARDS = tokenized(
    "credit-card",
    keep=st.fixed_dictionaries({}, optional={"last": st.integers(0, 5)}),
    check_digit=st.sampled_from(["ignore", "valid", "invalid"]),
    min_length=st.integers(12, 19),
)
DIGITS = tokenized("digits", keep=KEEP, separators=st.sampled_from(["", "-", " -"]))
WIDE = tokenized("digits", output=st.sampled_from(["same", "string"])).flatmap(
    lambda column: st.integers(6, 19).map(lambda width: {**column, "width": width})
)
CODES = tokenized("alphanumeric", keep=KEEP, allow_small_domain=st.booleans())
OWN = tokenized("custom", max_length=st.integers(30, 60)).map(
    lambda column: {**column, "alphabet": "abcXYZ"}
)
TEXTS = tokenized(
    "text",
    on_invalid=st.sampled_from(["error", "null", "reject", None]),
    max_length=st.integers(1, 2**20),
)
UNTOUCHED = st.sampled_from([{"action": "keep"}, {"action": "drop"}])
COLUMN = st.one_of(CARDS, DIGITS, WIDE, CODES, OWN, TEXTS, UNTOUCHED)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the fields of a valid policy."""
    names = draw(st.lists(NAMES, max_size=5, unique=True))
    columns = {name: with_domain((number, draw(COLUMN))) for number, name in enumerate(names)}
    kept = [name for name, column in columns.items() if column == {"action": "keep"}]
    for column in columns.values():
        if kept and column.get("scheme") in ("credit-card", "digits") and draw(st.booleans()):
            column["tweak"] = draw(st.sampled_from(kept))
    found: dict[str, Any] = {"columns": columns}
    if draw(st.booleans()):
        found["columns"][draw(st.sampled_from(["*", "tel_*", "x[0-9]", "??"])) + "'"] = draw(
            UNTOUCHED
        )
    if draw(st.booleans()):
        found["unlisted"] = draw(st.sampled_from(["error", "keep", "drop"]))
    if draw(st.booleans()):
        found["rejects"] = draw(
            st.sampled_from([{}, {"key": "people"}, {"max_fraction": 0.25}, {"max_fraction": 1}])
        )
    if draw(st.booleans()):
        found["pins"] = {
            str(draw(st.integers(1, 2**32 - 1))): draw(st.binary(min_size=16, max_size=16)).hex()
        }
    return found
