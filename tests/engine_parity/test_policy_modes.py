"""Every mode of a policy, in every kind of frame: literals, normalizing, sealing, integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokenkit as tk
from tests.unit.engines.test_frames import KINDS, NAMES, as_polars
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.policy import Metadata, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

DIGITS = {"scheme": "digits", "key": "test"}
MODES: dict[str, Any] = {
    "columns": {
        "id": {**DIGITS, "width": 9},
        "number": {**DIGITS, "domain": "numbers", "width": 12, "output": "string"},
        "code": {
            **DIGITS,
            "domain": "codes",
            "literals": ["N/A", "0000000"],
            "normalize": ["trim"],
        },
        "card": {"scheme": "credit-card", "key": "test", "on_invalid": "seal"},
        "note": {"scheme": "text", "key": "test", "literals": ["none"]},
    },
    "unlisted": "keep",
}
FRAME = pl.DataFrame(
    {
        "id": pl.Series([42, None, 999_999_999, 0], dtype=pl.Int32),
        "number": pl.Series([42, None, 999_999_999_999, 0], dtype=pl.UInt64),
        "code": ["N/A", " 1234567", "0000000", None],
        "card": ["4111 1111 1111 1111", "no card", None, ""],
        "note": ["none", "a note", "", None],
        "city": ["Oslo"] * 4,
    }
)
NORMALIZED = FRAME.with_columns(code=pl.col("code").str.strip_chars())


def recorded(policy: dict[str, Any], ring: tk.Keyring) -> Metadata:
    """Sign metadata as a job does."""
    types = {"number": "uint64"}
    pairs = {}
    for name, rule in Policy.from_mapping(policy).rules.items():
        typed = rule.__class__.build(
            rule.scheme.name,
            key=rule.key,
            domain=rule.domain,
            on_invalid=rule.on_invalid,
            literals=rule.literals,
            normalize=rule.normalize,
            output=rule.output,
            value_type=types.get(name),
            **({"width": rule.parameters.width} if rule.parameters.width else {}),
        )
        pairs[name] = (typed, ring[rule.key].primary)
    return Metadata.parse(Metadata.sign("parquet", "ab" * 32, pairs, run="cd" * 16))


@pytest.mark.parametrize("convert", KINDS, ids=NAMES)
def test_every_mode_comes_back(convert: Callable[[pl.DataFrame], Any], ring: tk.Keyring) -> None:
    """Types stay or become what the policy says; metadata gives values back, types included."""
    tokens = tk.tokenize(convert(FRAME), MODES, keyring=ring)
    found = as_polars(tokens)
    assert found.schema == {**FRAME.schema, "number": pl.String}
    assert found["number"].str.len_bytes().to_list() == [12, None, 12, 12]
    assert found["code"][0] == "N/A"
    assert found["code"][2] == "0000000"
    assert found["note"].to_list()[::2] == ["none", ""]
    assert found["card"][0] != FRAME["card"][0]
    assert len(found["card"][1]) > len("no card")
    back = as_polars(tk.detokenize(convert(found), columns=recorded(MODES, ring), keyring=ring))
    assert back.equals(NORMALIZED)
    assert back.schema == FRAME.schema


def test_every_kind_gives_the_same_tokens(ring: tk.Keyring) -> None:
    """Polars and pyarrow agree in every mode."""
    first, *others = (as_polars(tk.tokenize(kind(FRAME), MODES, keyring=ring)) for kind in KINDS)
    assert all(other.equals(first) for other in others)


def test_integers_join_with_text(ring: tk.Keyring) -> None:
    """An id that is an integer here and a text there has the same digits as its token."""
    policy = {"columns": {"id": {**DIGITS, "width": 9, "output": "string"}}}
    numbers = tk.tokenize(pl.DataFrame({"id": [42, 7]}), policy, keyring=ring)
    texts = tk.tokenize(pl.DataFrame({"id": ["000000042", "000000007"]}), policy, keyring=ring)
    assert numbers.equals(texts)


def test_no_other_value_has_a_literal_for_its_token(ring: tk.Keyring) -> None:
    """A literal in the domain is left out of the permutation, in both directions."""
    values = pl.Series([f"{n:03}" for n in range(1000)])
    options: dict[str, Any] = {
        "key": "test",
        "keyring": ring,
        "min_length": 3,
        "max_length": 3,
        "allow_small_domain": True,
        "literals": ["000", "007", "999", "N/A"],
    }
    tokens = tk.tokenize(values, "digits", **options)
    kept = [0, 7, 999]
    assert tokens.gather(kept).to_list() == ["000", "007", "999"]
    assert tokens.n_unique() == 1000
    assert tk.detokenize(tokens, "digits", **options).equals(values)


def test_single_columns_take_every_mode(ring: tk.Keyring) -> None:
    """Series, arrays and expressions have the options of a policy."""
    options: dict[str, Any] = {"key": "test", "keyring": ring}
    numbers = tk.tokenize(pa.array([42], pa.int64()), "digits", width=9, output="string", **options)
    assert len(numbers[0].as_py()) == 9
    sealed = tk.tokenize(pl.Series(["x"]), "digits", on_invalid="seal", **options)
    assert tk.detokenize(sealed, "digits", on_invalid="seal", **options).to_list() == ["x"]
    frame = pl.DataFrame({"id": [" 123-4567 ", "N/A", "x"]})
    outcome = tk.expr.try_tokenize(
        "id",
        "digits",
        on_invalid="seal",
        literals=["N/A"],
        normalize=["strip-separators", "trim"],
        **options,
    )
    found = frame.select(outcome).unnest("id")
    assert found["reason"].to_list() == [None, None, "character"]
    assert found["token"].null_count() == 0
    back = tk.expr.detokenize("token", "digits", on_invalid="seal", literals=["N/A"], **options)
    assert found.select(back)["token"].to_list() == ["1234567", "N/A", "x"]


def test_integers_need_a_width(ring: tk.Keyring) -> None:
    """Without one the column is refused, and the hint says what to write."""
    with pytest.raises(tk.errors.UnsupportedType) as caught:
        tk.tokenize(pl.DataFrame({"id": [42]}), {"columns": {"id": DIGITS}}, keyring=ring)
    assert "width" in str(caught.value.hint)


VALUES = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("0123456789-", max_size=14),
    st.sampled_from(["N/A", "1234567", "000000", ""]),
)
COLUMNS = st.fixed_dictionaries(
    {"scheme": st.sampled_from(["digits", "alphanumeric"])},
    optional={
        "literals": st.lists(st.sampled_from(["N/A", "1234567", "000000", "x-1"]), unique=True),
        "separators": st.just("-"),
        "keep": st.sampled_from([{"first": 1}, {"last": 2}]),
        "domain": st.just("d"),
    },
)


@given(COLUMNS, st.lists(VALUES, max_size=12), st.sampled_from([pl.String, pl.Categorical]))
@settings(max_examples=200, deadline=None)
def test_sealing_loses_nothing(
    column: dict[str, Any], values: list[str | None], dtype: Any
) -> None:
    """With `seal`, any text at all comes back to the byte, whatever the other fields."""
    policy = {"columns": {"a": {**column, "key": "test", "on_invalid": "seal"}}}
    frame = pl.DataFrame({"a": pl.Series(values, dtype=dtype)})
    with keyring_from_bytes({"test": bytes(range(32))}) as ring:
        tokens = tk.tokenize(frame, policy, keyring=ring)
        assert tk.detokenize(tokens, policy, keyring=ring).equals(frame)
