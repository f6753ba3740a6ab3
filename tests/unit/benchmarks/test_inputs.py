"""What the benchmarks measure with is what they say: distinct, well formed, new each time."""

from __future__ import annotations

import numpy as np

from benchmarks import inputs
from tests.vectors.reference import luhn_sum


def test_digit_strings_are_distinct_and_new():
    """No value stands twice in a column, and no column is made twice."""
    first, second = inputs.digit_strings(5_000), inputs.digit_strings(5_000)
    assert len(set(first.to_pylist())) == 5_000
    assert not first.equals(second)
    assert all(len(value) == 16 and value.isdigit() for value in first.to_pylist())


def test_cards_have_valid_check_digits():
    """Cards pass Luhn's check and are written in four groups with hyphens."""
    cards = inputs.card_strings(500).to_pylist()
    for card in cards:
        assert [len(group) for group in card.split("-")] == [4, 4, 4, 4]
        assert luhn_sum([int(digit) for digit in card.replace("-", "")]) == 0


def test_base62_strings_use_the_alphabet():
    """Codes have the length asked for and every character of the alphabet."""
    codes = inputs.base62_strings(500, 20).to_pylist()
    assert set("".join(codes)) == set(inputs.BASE62)
    assert {len(code) for code in codes} == {20}


def test_a_matrix_of_bytes_becomes_strings_and_back():
    """Arrow strings share the matrix's memory, slices included."""
    rows = inputs.digits(10, 12) + np.uint8(ord("0"))
    values = inputs.strings(rows)
    assert values.to_pylist() == [bytes(row).decode() for row in rows]
    assert np.array_equal(inputs.matrix(values.slice(3, 4), 12), rows[3:7])
