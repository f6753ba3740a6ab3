"""Columns with literals, sealed values, normalization and widths: permutations and round trips."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vectors import reference, reference_treatment
from tests.vectors.reference import DIGITS, Parameters, UnfitError, luhn_sum
from tests.vectors.reference_treatment import Treatment
from tests.vectors.specifications import characters, outcome, specification
from tokenkit import _native

VERSION = bytes(range(32))
KEY = _native.import_key(0x4E310003, bytearray(VERSION))
STEPS = ("trim", "nfc", "lower", "strip-separators")
LAYOUTS = st.sampled_from([pa.string(), pa.large_string(), pa.string_view()])
#: Python's tables know fewer characters than the native module's.
ASSIGNED = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=40)
#: Characters that some step or other changes, among digits.
WRITINGS = st.text(alphabet="0123456789 -.()/_\t\x1c\u00a0\u2013\u3000aAİßΣé\u0301", max_size=16)

#: Shapes of three free digits, and what turns three digits into a value of the shape.
SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({"min_length": 3, "max_length": 3}, "{0}{1}{2}"),
    "separators": ({"min_length": 3, "max_length": 3, "separators": "-·"}, "{0}-{1}·{2}"),
    "kept": ({"min_length": 6, "max_length": 6, "keep_first": 1, "keep_last": 2}, "4{0}{1}{2}07"),
    "ignore": ({"min_length": 3, "max_length": 3, "check_digit": "ignore"}, "{0}{1}{2}"),
    "valid": ({"min_length": 4, "max_length": 4, "check_digit": "valid"}, "{0}{1}{2}{check}"),
    "invalid": ({"min_length": 4, "max_length": 4, "check_digit": "invalid"}, "{0}{1}{2}{check}"),
}


def values_of(form: str) -> list[str]:
    """Return all thousand values of a form."""
    found = []
    for number in range(1000):
        digits = list(map(int, f"{number:03}"))
        check = reference.with_luhn_sum([*digits, 0], 3, 0)[3]
        found.append(form.format(*digits, check=check))
    return found


@pytest.mark.parametrize("name", SHAPES)
@given(
    literals=st.sets(st.integers(0, 999), max_size=999),
    domain=st.text("abc", min_size=1, max_size=3),
    layout=LAYOUTS,
    has_tweak=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_literals_are_left_out_of_the_permutation(
    name: str, literals: set[int], domain: str, layout: pa.DataType, has_tweak: bool
) -> None:
    """Of a whole small domain, the values beside the literals change places among themselves."""
    shape, form = SHAPES[name]
    values = values_of(form)
    stay = {values[number] for number in literals}
    fields: dict[str, Any] = {
        "domain": domain, "literals": ["N/A", *sorted(stay)], "tweak_column": has_tweak,
    }  # fmt: skip
    tweaks = pa.array(["tenant"] * len(values)) if has_tweak else None
    method = characters(small_domain=True, **shape)
    forth, back = (
        specification(KEY, operation, method, **fields) for operation in ("tokenize", "detokenize")
    )
    tokens, reasons = outcome(forth, pa.array(values, layout), tweaks)
    assert set(reasons) == {None}
    assert {value for value, token in zip(values, tokens, strict=True) if value == token} >= stay
    others = {token for value, token in zip(values, tokens, strict=True) if value not in stay}
    assert len(others) == len(values) - len(stay)
    if name == "invalid":
        assert {luhn_sum(list(map(int, token))) for token in others} <= {1}
    else:
        assert others == set(values) - stay
    assert outcome(back, pa.array(tokens, layout), tweaks) == (values, reasons)
    if name == "invalid" and stay:
        # What a literal's token would be is nobody's.
        alone = specification(KEY, "tokenize", method, **(fields | {"literals": []}))
        unused, _ = outcome(alone, pa.array(sorted(stay)), tweaks and tweaks[: len(stay)])
        found, reasons = outcome(back, pa.array(unused), tweaks and tweaks[: len(stay)])
        assert set(found) == {None}
        assert set(reasons) == {"integrity"}


def parameters(shape: dict[str, Any], domain: str = "digits") -> Parameters:
    """Return the reference's parameters."""
    given = {"min_length": 6, "max_length": 40, "alphabet": DIGITS, **shape}
    return Parameters(key=VERSION, key_id=KEY.id, domain=domain, allow_small_domain=True, **given)


@given(
    values=st.lists(st.none() | WRITINGS | ASSIGNED, max_size=30),
    steps=st.sets(st.sampled_from(STEPS)),
    literals=st.lists(WRITINGS, max_size=3),
    seal=st.booleans(),
    separators=st.sampled_from(["", "-", " ·"]),
    layout=LAYOUTS,
)
@settings(max_examples=150, deadline=None)
def test_agrees_with_the_reference(
    values: list[str | None],
    steps: set[str],
    literals: list[str],
    seal: bool,
    separators: str,
    layout: pa.DataType,
) -> None:
    """Any writing of any value gets the reference's token, comes back, and sealed ones exactly."""
    shape = {"separators": separators, "min_length": 3}
    treatment = Treatment(literals=tuple(literals), normalize=tuple(steps), seal=seal)
    fields: dict[str, Any] = {
        "literals": literals, "normalize": sorted(steps), "on_invalid": "seal" if seal else "null",
    }  # fmt: skip
    method = characters(small_domain=True, **shape)
    tokens, reasons = outcome(
        specification(KEY, "tokenize", method, **fields), pa.array(values, layout)
    )
    for value, token, reason in zip(values, tokens, reasons, strict=True):
        if value is None:
            assert (token, reason) == (None, None)
            continue
        try:
            expected = reference_treatment.tokenize(value, parameters(shape), treatment)
        except UnfitError:
            assert token is None
            assert reason is not None
        else:
            assert token == expected
    back, unfit = outcome(
        specification(KEY, "detokenize", method, **fields), pa.array(tokens, layout)
    )
    assert set(unfit) <= {None}
    for value, token, reason, returned in zip(values, tokens, reasons, back, strict=True):
        if value is None or token is None:
            assert returned is None
        elif reason is None:
            alphabet = "" if value in literals else DIGITS
            normalized = reference_treatment.normalized(value, tuple(steps), alphabet)
            assert returned == (value if value in literals else normalized)
        else:
            assert returned == value


@given(
    numbers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2_000_000)),
    width=st.integers(3, 18),
    strings=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_integers_come_back(numbers: list[int | None], width: int, strings: bool) -> None:
    """Numbers that fit the width come back from integers and from strings; the others have none."""
    method = characters(min_length=width, max_length=width, small_domain=True)
    fields: dict[str, Any] = {"width": width, "token_type": "string" if strings else "value"}
    tokens, reasons = outcome(
        specification(KEY, "tokenize", method, **fields), pa.array(numbers, pa.int64())
    )
    fitting = [
        number if number is not None and 0 <= number < 10**width else None for number in numbers
    ]
    assert [reason == "range" for reason in reasons] == [
        number is not None and fit is None for number, fit in zip(numbers, fitting, strict=True)
    ]
    fields = {"value_type": "int64"} if strings else {"width": width}
    back, _ = outcome(
        specification(KEY, "detokenize", method, **fields),
        pa.array(tokens, pa.string() if strings else pa.int64()),
    )
    assert back == fitting
