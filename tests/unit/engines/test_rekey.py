"""Rekeyed tokens are those that tokenizing the values under the new version gives."""

import random
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import tokenkit as tk
from tokenkit.errors import InvalidValues, KeyVersionUnknown, PolicyError, SchemeError
from tokenkit.keys import Keyring, key_uses
from tokenkit.policy import ColumnRule, Metadata, Policy

KEY = {"key": "data"}
DIGITS = {"scheme": "digits", **KEY}
DRAW = random.Random(7)


def digits(length: int) -> str:
    return "".join(DRAW.choices("0123456789", k=length))


def spread(values: list[Any]) -> list[Any]:
    """Two batches of the native module and a bit, with nulls and empty strings among them."""
    return [DRAW.choice(values) for _ in range(9_000)]


CARDS = ["4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004", "", None]
COLUMNS: dict[str, tuple[list[Any], pl.DataType, dict[str, Any]]] = {
    "plain": ([digits(16) for _ in range(9_000)], pl.String(), DIGITS),
    "lengths": ([digits(6 + n % 20) for n in range(9_000)], pl.String(), DIGITS),
    "cards": (spread(CARDS), pl.String(), {"scheme": "credit-card", **KEY}),
    "literals": (
        spread([digits(8), "N/A", "00000000", None, ""]),
        pl.String(),
        {**DIGITS, "literals": ["N/A", "00000000"]},
    ),
    "normalized": (
        spread([" 1234-5678 ", "12345679", "x y"]),
        pl.String(),
        {**DIGITS, "normalize": ["trim", "strip-separators"], "on_invalid": "seal"},
    ),
    "sealing": (
        spread([digits(9), "no digits", "é" * 30, None, ""]),
        pl.String(),
        {**DIGITS, "on_invalid": "seal"},
    ),
    "text": (spread(["a", "Zoë", "x" * 300, None, ""]), pl.String(), {"scheme": "text", **KEY}),
    "tweaked": ([digits(10) for _ in range(9_000)], pl.String(), {**DIGITS, "tweak": "tenant"}),
    "numbers": (
        [None if n % 7 == 0 else DRAW.randrange(10**12) for n in range(9_000)],
        pl.Int64(),
        {**DIGITS, "width": 12, "literals": ["-1"]},
    ),
    "to_strings": (
        [DRAW.randrange(10**9) for _ in range(9_000)],
        pl.Int32(),
        {**DIGITS, "width": 10, "output": "string"},
    ),
    "categories": (spread([digits(12), digits(13), None]), pl.Categorical(), DIGITS),
    "nothing": ([None] * 9_000, pl.String(), DIGITS),
}
TENANT = pl.Series("tenant", [f"t{n % 5}" for n in range(9_000)])


@pytest.fixture
def ring() -> Keyring:
    """Give a keyring whose key has two versions."""
    ring = Keyring.from_secrets({"data": bytes(range(32))})
    ring.rotate("data")
    return ring


def policy_of(rule: dict[str, Any], version: int) -> Policy:
    return Policy.from_mapping(
        {"columns": {"c": {**rule, "version": version}, "tenant": {"action": "keep"}}}
    )


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_rekeyed_frame_is_what_the_new_version_makes(kind: str, ring: Keyring) -> None:
    """For every kind of column, rekey(tokenize(v1)) is tokenize(v2), for Polars and for Arrow."""
    values, dtype, rule = COLUMNS[kind]
    frame = pl.DataFrame({"c": pl.Series(values, dtype=dtype), "tenant": TENANT})
    if kind == "numbers":
        frame = frame.with_columns(
            c=pl.when(pl.int_range(pl.len()) % 11 == 0).then(-1).otherwise("c")
        )
    old = tk.tokenize(frame, policy_of(rule, 1), keyring=ring)
    new = tk.tokenize(frame, policy_of(rule, 2), keyring=ring)
    plain = policy_of(rule, 1)
    assert tk.rekey(old, plain, keyring=ring).cast({"c": new["c"].dtype}).equals(new)
    lazy = tk.rekey(old.lazy(), plain, to=2, versions=1, keyring=ring)
    assert lazy.collect(engine="streaming").equals(new)
    table = tk.rekey(old.to_arrow(), plain, keyring=ring)
    assert isinstance(table, pa.Table)
    assert pl.DataFrame(table).equals(new)
    assert tk.rekey(new, plain, versions=2, to=1, keyring=ring).equals(old)


def test_large_columns_are_split_over_threads_alike(ring: Keyring) -> None:
    """A column that threads share comes out as one that one thread turns."""
    frame = pl.DataFrame({"c": [f"{n:016}" for n in range(600_000)], "tenant": "t"})
    old = tk.tokenize(frame, policy_of(DIGITS, 1), keyring=ring)
    new = tk.tokenize(frame, policy_of(DIGITS, 2), keyring=ring)
    assert tk.rekey(old, policy_of(DIGITS, 1), keyring=ring).equals(new)
    table = tk.rekey(
        pa.table({"c": pa.array(old["c"].to_list()), "tenant": ["t"] * 600_000}),
        policy_of(DIGITS, 1),
        keyring=ring,
    )
    assert table["c"].to_pylist() == new["c"].to_list()


def test_what_is_no_token_is_an_error_and_not_shown(ring: Keyring) -> None:
    """A value that the old version didn't make stops the rekey, and stands in no message."""
    frame = pl.DataFrame({"c": ["0042719365", "secret-value"], "tenant": "t"})
    with pytest.raises(InvalidValues) as caught:
        tk.rekey(frame, policy_of(DIGITS, 1), keyring=ring)
    assert "secret" not in str(caught.value)
    assert caught.value.count == 1


def test_sealed_tokens_of_another_version_are_refused(ring: Keyring) -> None:
    """Text that version 2 sealed isn't taken for version 1's."""
    rule = {"scheme": "text", **KEY}
    frame = pl.DataFrame({"c": ["words"], "tenant": "t"})
    tokens = tk.tokenize(frame, policy_of(rule, 2), keyring=ring)
    with pytest.raises(InvalidValues):
        tk.rekey(tokens, policy_of(rule, 1), to=2, keyring=ring)


def test_versions_are_asked_for_and_metadata_says_them(ring: Keyring) -> None:
    """Without a version it's KeyVersionUnknown; metadata in its place gives the same tokens."""
    frame = pl.DataFrame({"c": ["0042719365"]})
    policy = {"columns": {"c": DIGITS}}
    old = tk.tokenize(frame, {"columns": {"c": {**DIGITS, "version": 1}}}, keyring=ring)
    with pytest.raises(KeyVersionUnknown):
        tk.rekey(old, policy, keyring=ring)
    rule = ColumnRule.build("digits", key="data")
    document = Metadata.sign("parquet", "00" * 32, {"c": (rule, ring["data"].version(1))})
    expected = tk.tokenize(frame, policy, keyring=ring)
    assert tk.rekey(old, columns=Metadata.parse(document), keyring=ring).equals(expected)
    with pytest.raises(PolicyError):
        tk.rekey(old, policy, versions=1, to={"d": 2}, keyring=ring)


def test_one_way_schemes_are_refused(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheme without a way back is refused before anything is read."""
    policy = policy_of(DIGITS, 1)
    scheme = type(ColumnRule.build("digits", key="data").scheme)
    monkeypatch.setattr(scheme, "reversible", False, raising=False)
    with pytest.raises(SchemeError, match="can't be turned back"):
        tk.rekey(pl.LazyFrame({"c": ["1"], "tenant": ["t"]}), policy, keyring=ring)


def test_rekeying_counts_as_use_of_both_versions(ring):
    """Old tokens are turned back and new ones made, value by value."""
    frame = pl.DataFrame({"ssn": ["078-05-1120", None, "219-09-9999"]})
    rule = {"scheme": "us-ssn", "key": "data"}
    policy = {"columns": {"ssn": rule}}
    old = {"columns": {"ssn": {**rule, "version": 1}}}
    tokens = tk.tokenize(frame, old, keyring=ring)
    ids = [version.id for version in ring["data"].versions]
    before = {use.id: (use.tokenized, use.detokenized) for use in key_uses()}
    tk.rekey(tokens, policy, versions=1, keyring=ring)
    after = {use.id: (use.tokenized, use.detokenized) for use in key_uses()}
    changes = [
        tuple(b - a for a, b in zip(before.get(key, (0, 0)), after[key], strict=True))
        for key in ids
    ]
    assert changes == [(0, 2), (2, 0)]
