"""Integer columns: a fixed width, the type's limits, strings out and back, and promised types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import tokenkit as tk
from tests.vectors.specifications import (
    SEALED,
    characters,
    expression,
    outcome,
    specification,
    transform,
)
from tokenkit import _native

MOST_DIGITS = {
    "int8": 2, "uint8": 2, "int16": 4, "uint16": 4,
    "int32": 9, "uint32": 9, "int64": 18, "uint64": 19,
}  # fmt: skip


@pytest.fixture(scope="module")
def key() -> Iterator[_native.KeyHandle]:
    """Load a key that nothing else uses."""
    handle = _native.generate_key(0x4E310002)
    yield handle
    handle.release()


def fixed(width: int, **changes: Any) -> dict[str, Any]:
    """Return the method for numbers of so many digits."""
    return characters(min_length=width, max_length=width, small_domain=width < 6, **changes)


@pytest.mark.parametrize("name", MOST_DIGITS)
def test_widest_numbers(key: _native.KeyHandle, name: str) -> None:
    """Each integer type takes as many digits as it can hold all of, and no more."""
    width = MOST_DIGITS[name]
    data_type = getattr(pa, name)()
    values = pa.array([0, 1, 10**width - 1, None, 10 ** (width - 1)], data_type)
    forth, back = (
        specification(key, operation, fixed(width), width=width, output="token", on_invalid="error")
        for operation in ("tokenize", "detokenize")
    )
    tokens = transform(forth, values)
    assert tokens.type == data_type
    assert transform(back, tokens).equals(values)
    texts = pa.array(["0" * width, f"{1:0{width}}", "9" * width, None, "1" + "0" * (width - 1)])
    as_text = transform(
        specification(key, "tokenize", fixed(width), output="token"), texts
    ).to_pylist()
    assert tokens.to_pylist() == [None if text is None else int(text) for text in as_text]
    too_wide = specification(key, "tokenize", fixed(width + 1), width=width + 1)
    with pytest.raises(tk.errors.UnsupportedType, match="digits"):
        transform(too_wide, values)


def test_out_of_range(key: _native.KeyHandle) -> None:
    """Negative numbers and those of more digits don't fit; neither does anything above."""
    text = specification(key, "tokenize", fixed(6), width=6)
    edges = [-1, 10**6, -(2**63), 2**63 - 1, 999_999]
    tokens, reasons = outcome(text, pa.array(edges, pa.int64()))
    assert reasons == ["range"] * 4 + [None]
    assert tokens[:4] == [None] * 4
    assert outcome(text, pa.array([2**64 - 1], pa.uint64())) == ([None], ["range"])
    failing = specification(key, "tokenize", fixed(6), width=6, on_invalid="error", output="token")
    with pytest.raises(tk.errors.InvalidValues) as caught:
        transform(failing, pa.array(edges))
    assert (caught.value.reason, caught.value.count) == ("range", 4)


@pytest.mark.parametrize("name", MOST_DIGITS)
def test_strings_out_and_back(key: _native.KeyHandle, name: str) -> None:
    """Tokens may be strings wider than the type; they come back as integers of the type."""
    data_type = getattr(pa, name)()
    values = pa.array([0, 7, None, 127], data_type).slice(1)
    for width in (6, 13, 25):
        method = fixed(width)
        tokens = transform(
            specification(
                key, "tokenize", method, width=width, token_type="string", output="token"
            ),
            values,
        )
        assert tokens.type == pa.string_view()
        assert [token and len(token) for token in tokens.to_pylist()] == [width, None, width]
        for layout in (pa.string(), pa.large_string(), pa.string_view()):
            back = transform(
                specification(key, "detokenize", method, value_type=name, output="token"),
                tokens.cast(layout),
            )
            assert back.equals(values)


def test_strings_that_are_no_numbers(key: _native.KeyHandle) -> None:
    """Values beyond the type, empty strings and strangers get a reason instead of a number."""
    tokens, _ = outcome(
        specification(key, "tokenize", fixed(9)), pa.array(["000000300", "000000255", "123456789"])
    )
    text = specification(key, "detokenize", fixed(9), value_type="uint8", literals=["N/A", "-1"])
    found, reasons = outcome(text, pa.array([*tokens, "", "x", "N/A", "-1", None]))
    assert found == [None, 255, None, None, None, None, None, None]
    assert reasons == [
        "range", None, "range", "too_short", "character", "range", "range", None,
    ]  # fmt: skip
    signed = specification(key, "detokenize", fixed(9), value_type="int8", literals=["-1"])
    assert outcome(signed, pa.array(["-1"])) == ([-1], [None])


def test_literals_of_integers(key: _native.KeyHandle) -> None:
    """A literal in the domain is written with all digits; others stay where they can't collide."""
    options: dict[str, Any] = {"width": 3, "literals": ["-1", "1000", "042", "N/A"]}
    values = pa.array([-1, 1000, 42, None, *range(100)])
    tokens, reasons = outcome(specification(key, "tokenize", fixed(3), **options), values)
    assert tokens[:4] == [-1, 1000, 42, None]
    assert set(reasons) == {None}
    back, _ = outcome(specification(key, "detokenize", fixed(3), **options), pa.array(tokens))
    assert back == values.to_pylist()
    strings, _ = outcome(
        specification(key, "tokenize", fixed(3), token_type="string", **options), values
    )
    assert strings[:4] == ["-1", "1000", "042", None]
    assert [int(token) for token in strings[4:]] == tokens[4:]
    returned = specification(key, "detokenize", fixed(3), value_type="int64", **options)
    assert outcome(returned, pa.array(strings))[0] == values.to_pylist()
    for literal in ("42", "0"):
        short = specification(key, "tokenize", fixed(3), width=3, literals=[literal])
        with pytest.raises(tk.errors.SchemeError):
            transform(short, values)


def test_tweaks_and_kept_digits(key: _native.KeyHandle) -> None:
    """Integers take tweak columns and kept parts, leading zeros counted."""
    method = fixed(9, keep_last=2)
    options: dict[str, Any] = {"width": 9, "tweak_column": True}
    values, tweaks = [42, 42, 42, -1], pa.array(["a", "b", None, None], pa.string())
    tokens, reasons = outcome(
        specification(key, "tokenize", method, **options), pa.array(values), tweaks
    )
    assert reasons == [None, None, "tweak", "range"]
    assert tokens[0] != tokens[1]
    assert {token % 100 for token in tokens[:2]} == {42}
    back, _ = outcome(specification(key, "detokenize", method, **options), pa.array(tokens), tweaks)
    assert back == [42, 42, None, None]


@pytest.mark.parametrize(
    ("method", "fields", "hint"),
    [
        (characters(), {}, "width: n"),
        (SEALED, {}, "cast the column to String"),
        (fixed(6), {"width": 6, "on_invalid": "seal"}, "on_invalid"),
        (fixed(6), {"operation": "detokenize", "value_type": "int64"}, "cast"),
    ],
)
def test_refused_integers(
    key: _native.KeyHandle, method: dict[str, Any], fields: dict[str, Any], hint: str
) -> None:
    """What can't be done with integers is refused with a hint, by the plan's schema already."""
    text = specification(key, fields.pop("operation", "tokenize"), method, **fields)
    with pytest.raises(tk.errors.UnsupportedType) as caught:
        transform(text, pa.array([123456]))
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert caught.value.column == "column"
    plan = pl.LazyFrame({"a": [123456]}).select(expression(text, "a"))
    with pytest.raises(pl.exceptions.ComputeError, match="TK302"):
        plan.collect_schema()


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        (SEALED, {"width": 6}),
        (characters(), {"width": 5}),
        (characters(alphabet="0123456789ABCDEF"), {"width": 6}),
        (characters(alphabet="9876543210"), {"width": 6}),
        (characters(alphabet="0123456789ABCDEF"), {"value_type": "int8"}),
    ],
)
def test_widths_that_no_scheme_takes(
    key: _native.KeyHandle, method: dict[str, Any], fields: dict[str, Any]
) -> None:
    """A width is for digits, and for lengths that the scheme accepts."""
    with pytest.raises(tk.errors.SchemeError):
        transform(specification(key, "tokenize", method, **fields), pa.array(["123456"]))


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16,
                                   pl.UInt32, pl.UInt64])  # fmt: skip
@pytest.mark.parametrize("output", ["token", "outcome"])
def test_promised_types(key: _native.KeyHandle, dtype: Any, output: str) -> None:
    """A Polars plan gives the types that its schema says, both ways, eagerly and streaming."""
    name = str(dtype()).lower()
    width = MOST_DIGITS[name]
    frame = pl.DataFrame({"a": pl.Series([1, None, 99], dtype=dtype)})
    method = fixed(width)
    same = specification(key, "tokenize", method, width=width, output=output)
    strings = specification(
        key, "tokenize", method, width=width, token_type="string", output=output
    )
    back = specification(key, "detokenize", method, value_type=name, output=output)

    def token(column: str) -> pl.Expr:
        return pl.col(column).struct.field("token") if output == "outcome" else pl.col(column)

    plan = (
        frame.lazy()
        .with_columns(b=expression(same, "a"), c=expression(strings, "a"))
        .with_columns(b=token("b"), c=token("c"))
        .with_columns(d=expression(back, "c"))
        .with_columns(d=token("d"))
    )
    schema = plan.collect_schema()
    assert schema == {"a": dtype, "b": dtype, "c": pl.String, "d": dtype}
    for engine in ("in-memory", "streaming"):
        found = plan.collect(engine=engine)
        assert found.schema == schema
        assert found["d"].equals(frame["a"])
        assert found["c"].cast(dtype, strict=False).equals(found["b"])


def test_null_columns(key: _native.KeyHandle) -> None:
    """A column of nulls stays one, and becomes integers where integers come back."""
    nulls = pl.LazyFrame({"a": [None, None]})
    for text, dtype in (
        (specification(key, "tokenize", fixed(6), width=6, output="token"), pl.Null),
        (
            specification(key, "detokenize", fixed(6), value_type="int32", output="token"),
            pl.Int32,
        ),
    ):
        plan = nulls.select(expression(text, "a"))
        assert plan.collect_schema()["a"] == plan.collect()["a"].dtype == dtype
        assert plan.collect()["a"].null_count() == 2


def test_wide_columns_of_threads(key: _native.KeyHandle) -> None:
    """A column that several threads share comes back, and joins with the text of its numbers."""
    numbers = pa.array([(number * 7_919) % 10**9 for number in range(300_000)])
    texts = pa.array([f"{number:09}" for number in numbers.to_pylist()])
    options: dict[str, Any] = {"output": "token", "literals": ["000007919"]}
    strings = transform(
        specification(key, "tokenize", fixed(9), width=9, token_type="string", **options), numbers
    )
    assert strings.cast(pa.string()).equals(
        transform(specification(key, "tokenize", fixed(9), **options), texts)
    )
    back = specification(key, "detokenize", fixed(9), value_type="int64", **options)
    assert transform(back, strings).equals(numbers)
