"""A column specification: literals, normalization, sealed fallback, dictionaries."""

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

STRINGS = [pa.string(), pa.large_string(), pa.string_view()]
CARD = characters(separators=" -", min_length=12, max_length=19, keep_last=4, check_digit="invalid")


@pytest.fixture(scope="module")
def key() -> Iterator[_native.KeyHandle]:
    """Load a key that nothing else uses."""
    handle = _native.generate_key(0x4E310001)
    yield handle
    handle.release()


def fixed(width: int, **changes: Any) -> dict[str, Any]:
    """Return the method for numbers of so many digits."""
    return characters(min_length=width, max_length=width, small_domain=width < 6, **changes)


# Reasons


def test_reasons() -> None:
    """The closed list of reason codes, in the order of the contract."""
    assert _native.REASONS == (
        "too_short", "too_long", "character", "check_digit", "range",
        "pattern", "encoding", "type", "integrity", "tweak",
    )  # fmt: skip


@pytest.mark.parametrize("rows", [0, 1, 65_535, 65_536, 65_537])
def test_what_fits_has_no_reason(key: _native.KeyHandle, rows: int) -> None:
    """Where everything fits, every row's reason is null, however many rows there are."""
    text = specification(key, "tokenize", output="outcome")
    found = transform(text, pa.array(["123456"] * rows, pa.string_view()))
    reasons = found.field("reason")
    assert (len(reasons), reasons.null_count) == (rows, rows)
    assert reasons.cast(pa.string()).to_pylist() == [None] * rows


# Literals


@pytest.mark.parametrize("array_type", STRINGS, ids=str)
@pytest.mark.parametrize("method", [characters(), CARD, SEALED], ids=["plain", "card", "sealed"])
def test_literals_stay(
    key: _native.KeyHandle, array_type: pa.DataType, method: dict[str, Any]
) -> None:
    """A literal stays what it is in both directions, beside nulls, empty strings and tokens."""
    literals = ["N/A", "none", "x" * 100, "Zoë"]
    values = pa.array(["N/A", None, "", "4111111111111111", "x" * 100, "Zoë", "none"], array_type)
    options: dict[str, Any] = {"literals": literals, "output": "token", "on_invalid": "error"}
    tokens = transform(specification(key, "tokenize", method, **options), values)
    assert tokens.type == values.type
    found = tokens.to_pylist()
    assert found[:3] + found[4:] == ["N/A", None, "", "x" * 100, "Zoë", "none"]
    assert found[3] != "4111111111111111"
    assert transform(specification(key, "detokenize", method, **options), tokens).equals(values)


def test_literals_of_a_null_tweak(key: _native.KeyHandle) -> None:
    """A literal needs no tweak; a value whose tweak is null doesn't fit."""
    text = specification(key, "tokenize", literals=["N/A"], tweak_column=True)
    tweaks = pa.array([None, None], pa.string())
    assert outcome(text, pa.array(["N/A", "123456"]), tweaks) == (["N/A", None], [None, "tweak"])


@pytest.mark.parametrize("literal", ["4222222222221", "4222-222222221"])
def test_literals_with_the_form_of_a_token(key: _native.KeyHandle, literal: str) -> None:
    """Where tokens have a wrong check digit, a literal that could be one is refused, unquoted."""
    digits = [int(digit) for digit in literal if digit.isdigit()]
    assert sum(sum(divmod(d * (1 + i % 2), 10)) for i, d in enumerate(digits[::-1])) % 10 == 9
    wrong = literal[:-1] + "3"
    text = specification(key, "tokenize", CARD, literals=[wrong])
    with pytest.raises(tk.errors.SchemeError) as caught:
        transform(text, pa.array(["N/A"]))
    assert wrong not in str(caught.value)
    right = specification(key, "tokenize", CARD, literals=[literal[:-1] + "2", "N/A"])
    assert outcome(right, pa.array(["N/A"])) == (["N/A"], [None])


def test_many_literals(key: _native.KeyHandle) -> None:
    """Nine values in ten may be literals; the others still change places among themselves."""
    values = [f"{number:03}" for number in range(1000)]
    literals = [value for value in values if value[0] != "7"]
    method = fixed(3)
    found, reasons = outcome(
        specification(key, "tokenize", method, literals=literals), pa.array(values)
    )
    assert set(reasons) == {None}
    assert sorted(found) == values
    assert [
        value for value, token in zip(values, found, strict=True) if value[0] != "7"
    ] == literals
    back, _ = outcome(specification(key, "detokenize", method, literals=literals), pa.array(found))
    assert back == values


# Sealed fallback


UNFIT = ["12345", "n/a", "4111 1111 1111 1111", "Zoë Müller", " ", "x" * 5000, "123456\n"]


@pytest.mark.parametrize("array_type", STRINGS, ids=str)
@pytest.mark.parametrize("method", [characters(), characters(separators="-", keep_last=2,
                         min_length=8)], ids=["plain", "composed"])  # fmt: skip
def test_sealed_values_come_back(
    key: _native.KeyHandle, array_type: pa.DataType, method: dict[str, Any]
) -> None:
    """What doesn't fit is sealed with its reason; it comes back to the byte, and has none then."""
    values = pa.array([None, "", "12345678", *UNFIT, "87654321"], array_type)
    tokens, reasons = outcome(specification(key, "tokenize", method, on_invalid="seal"), values)
    assert reasons[:3] == [None] * 3
    assert None not in reasons[3:-1]
    assert reasons[-1] is None
    assert all(token.startswith("AU4xAA") for token in tokens[3:-1])
    assert len(tokens[2]) == 8
    plain = transform(
        specification(key, "tokenize", method, on_invalid="seal", output="token"), values
    )
    assert plain.to_pylist() == tokens
    back, reasons = outcome(specification(key, "detokenize", method, on_invalid="seal"), plain)
    assert back == values.to_pylist()
    assert set(reasons) == {None}


def test_sealed_like_text(key: _native.KeyHandle) -> None:
    """A sealed value is the token that the sealed scheme gives under the same domain."""
    sealed, _ = outcome(specification(key, "tokenize", on_invalid="seal"), pa.array(UNFIT))
    text, _ = outcome(specification(key, "tokenize", SEALED), pa.array(UNFIT))
    assert sealed == text


def test_forged_seals_are_refused(key: _native.KeyHandle) -> None:
    """What looks sealed and isn't authentic fits neither, and fails unless outcomes are asked."""
    (token,), _ = outcome(specification(key, "tokenize", on_invalid="seal"), pa.array(["n/a"]))
    forged = pa.array([token[:-1] + ("A" if token[-1] != "A" else "B"), token[:-4], "?"])
    text = specification(key, "detokenize", on_invalid="seal")
    found, reasons = outcome(text, forged)
    assert found == [None] * 3
    assert reasons[0] == "integrity"
    assert None not in reasons
    with pytest.raises(tk.errors.InvalidValues) as caught:
        transform(
            specification(key, "detokenize", on_invalid="seal", output="token"),
            pa.array([token, forged[0].as_py()]),
        )
    assert caught.value.count == 1


def test_sealed_tokens_that_fit_the_scheme(key: _native.KeyHandle) -> None:
    """An authentic seal goes before a scheme whose tokens could look the same."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    method = characters(alphabet=alphabet, min_length=4, max_length=200)
    values = pa.array(["a b", "abcdef", "AU4xAAabcdefabcdefabcdefabcdef"])
    forth, back = (
        specification(key, operation, method, on_invalid="seal", output="token")
        for operation in ("tokenize", "detokenize")
    )
    assert transform(back, transform(forth, values)).equals(values)


def test_what_is_no_text_cannot_be_sealed(key: _native.KeyHandle) -> None:
    """Bytes that aren't UTF-8 keep no token, and fail where tokens alone are asked for."""
    values = pa.array([b"caf\xe9", b"123456", b"n/a"], pa.binary()).view(pa.string())
    tokens, reasons = outcome(specification(key, "tokenize", on_invalid="seal"), values)
    assert reasons == ["encoding", None, "character"]
    assert [token is None for token in tokens] == [True, False, False]
    with pytest.raises(tk.errors.InvalidValues) as caught:
        transform(specification(key, "tokenize", on_invalid="seal", output="token"), values)
    assert (caught.value.reason, caught.value.count) == ("encoding", 1)


def test_null_tweaks_are_sealed(key: _native.KeyHandle) -> None:
    """A row whose tweak is null is sealed, and comes back with the tweak still null."""
    tweaks = pa.array(["a", None], pa.string())
    forth, back = (
        specification(key, operation, on_invalid="seal", tweak_column=True)
        for operation in ("tokenize", "detokenize")
    )
    values = ["123456", "123456"]
    tokens, reasons = outcome(forth, pa.array(values), tweaks)
    assert reasons == [None, "tweak"]
    assert outcome(back, pa.array(tokens), tweaks) == (values, [None, None])


# Normalization


@pytest.mark.parametrize("array_type", STRINGS, ids=str)
def test_normalized_lengths(key: _native.KeyHandle, array_type: pa.DataType) -> None:
    """Values get shorter or empty; literals as given don't; a slice is read as one."""
    options: dict[str, Any] = {"normalize": ["strip-separators", "trim"], "literals": ["(n/a)"]}
    values = pa.array(
        ["skipped", " 12-34-56 ", None, "--", "(n/a)", "", "123456", "1\u00a02\u201334/56"],
        array_type,
    ).slice(1)
    tokens, reasons = outcome(specification(key, "tokenize", **options), values)
    assert set(reasons) == {None}
    assert tokens[1:5] == [None, "", "(n/a)", ""]
    assert tokens[0] == tokens[5] == tokens[6]
    back, _ = outcome(specification(key, "detokenize", **options), pa.array(tokens, array_type))
    assert back == ["123456", None, "", "(n/a)", "", "123456", "123456"]


def test_the_raw_value_is_sealed(key: _native.KeyHandle) -> None:
    """What doesn't fit after normalizing is sealed as it was given."""
    options: dict[str, Any] = {"normalize": ["trim", "lower"], "on_invalid": "seal"}
    values = [" No Number ", "123456 "]
    tokens, _ = outcome(specification(key, "tokenize", **options), pa.array(values))
    assert outcome(specification(key, "detokenize", **options), pa.array(tokens))[0] == [
        " No Number ",
        "123456",
    ]


def test_the_alphabet_is_no_separator(key: _native.KeyHandle) -> None:
    """Characters of the alphabet stay, even those that separate elsewhere."""
    method = characters(alphabet="0123456789-", min_length=6)
    stripped = specification(key, "tokenize", method, normalize=["strip-separators"])
    plain = specification(key, "tokenize", method)
    assert outcome(stripped, pa.array(["12-34 56"])) == outcome(plain, pa.array(["12-3456"]))


# Dictionaries


def test_dictionaries(key: _native.KeyHandle) -> None:
    """Distinct values are sealed, normalized and left alone once; writings that agree are one."""
    options: dict[str, Any] = {
        "literals": ["N/A"], "normalize": ["trim"], "on_invalid": "seal", "output": "token",
    }  # fmt: skip
    values = ["123456", " 123456", "N/A", None, "unfit", "123456", " N/A", "?"]
    array = pa.array(values).dictionary_encode()
    tokens = transform(specification(key, "tokenize", **options), array)
    assert tokens.type == array.type
    distinct = tokens.dictionary.to_pylist()
    assert len(distinct) == len(set(distinct)) == 4
    plain = transform(specification(key, "tokenize", **options), pa.array(values))
    assert tokens.to_pylist() == plain.to_pylist()
    back = transform(specification(key, "detokenize", **options), tokens)
    assert back.to_pylist() == [None if value is None else value.strip() for value in values]


def test_categoricals(key: _native.KeyHandle) -> None:
    """A Polars categorical stays one, with literals, normalization and sealed values in it."""
    options: dict[str, Any] = {
        "literals": ["N/A"], "normalize": ["trim"], "on_invalid": "seal", "output": "token",
    }  # fmt: skip
    frame = pl.DataFrame({"a": ["123456", " 123456", "N/A", None, "unfit"]})
    frame = frame.cast(pl.Categorical)
    plan = frame.lazy().with_columns(expression(specification(key, "tokenize", **options), "a"))
    tokens = plan.collect()
    assert plan.collect_schema() == tokens.schema == frame.schema
    text = frame.cast(pl.String).with_columns(
        expression(specification(key, "tokenize", **options), "a")
    )
    assert tokens.cast(pl.String).equals(text)
    back = tokens.with_columns(expression(specification(key, "detokenize", **options), "a"))
    assert back["a"].cast(pl.String).to_list() == ["123456", "123456", "N/A", None, "unfit"]


# Memory


@pytest.mark.parametrize("array_type", STRINGS, ids=str)
@pytest.mark.parametrize(
    "fields",
    [
        {"literals": ["N/A", "7" * 28]},
        {"on_invalid": "seal"},
        {"normalize": ["trim"]},
        {"normalize": ["trim"], "on_invalid": "seal", "literals": ["N/A"]},
    ],
    ids=str,
)
def test_nothing_of_an_earlier_column(
    key: _native.KeyHandle, array_type: pa.DataType, fields: dict[str, Any]
) -> None:
    """Buffers that a column of canaries left show none of them in a later column."""
    canary, rows = "5318008", 100_000
    canaries = pa.array([canary * 4] * rows, array_type)
    tokens = transform(specification(key, "tokenize", output="token"), canaries)
    returned = transform(specification(key, "detokenize", output="token"), tokens)
    assert returned.equals(canaries)
    del returned
    values = [None, "", "x" * 28, "１" * 28, "N/A", "7" * 28, " 123456789 "] * (rows // 7)
    later = transform(
        specification(key, "tokenize", output="token", **fields), pa.array(values, array_type)
    )
    for buffer in later.buffers():
        assert buffer is None or canary.encode() not in buffer.to_pybytes()
