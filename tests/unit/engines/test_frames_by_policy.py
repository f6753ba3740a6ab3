"""Frames by the whole policy: tweak columns, rejects and metadata in place of a policy."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

import tokenkit as tk
from tests.unit.engines.test_frames import KINDS, NAMES, as_polars
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.policy import ColumnRule, Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIGITS = {"scheme": "digits", "key": "people"}
TWEAKED: dict[str, Any] = {
    "columns": {"id": {**DIGITS, "tweak": "^tenant$"}, "^tenant$": {"action": "keep"}},
    "unlisted": "keep",
}
FRAME = pl.DataFrame(
    {
        "tenant": ["other"] * 3,
        "id": ["0042719365", "0042719365", None],
        "^tenant$": ["north", "south", "north"],
    }
)


@pytest.fixture
def ring() -> Iterator[tk.Keyring]:
    """Open a keyring of a random key."""
    with keyring_from_bytes({"people": random.randbytes(32)}) as opened:
        yield opened


@pytest.mark.parametrize("convert", KINDS, ids=NAMES)
def test_a_tweak_column_separates(convert: Callable[[pl.DataFrame], Any], ring: tk.Keyring) -> None:
    """Equal values beside other tweaks get other tokens, in every kind of frame, and come back."""
    tokens = tk.tokenize(convert(FRAME), TWEAKED, keyring=ring)
    found = as_polars(tokens)
    assert found["id"][0] != found["id"][1]
    assert found.drop("id").equals(FRAME.drop("id"))
    expected = FRAME.select(
        pl.col("id").tk.tokenize("digits", key=ring["people"], tweak=pl.nth(2))  # type: ignore[attr-defined]
    )
    assert found["id"].equals(expected["id"])
    back = tk.detokenize(convert(found), TWEAKED, keyring=ring)
    assert as_polars(back).equals(FRAME)


def test_chunks_of_a_table_need_not_agree(ring: tk.Keyring) -> None:
    """A tweak column that is cut in other places still belongs to its rows."""
    columns = [
        pa.chunked_array([["t"], ["t", "t"]]),
        pa.chunked_array([["0042719365", "0042719365"], [None]], pa.string()),
        pa.chunked_array([[], ["north"], ["south"], ["north"]], pa.string()),
    ]
    table = pa.table(columns, names=["tenant", "id", "^tenant$"])
    tokens = tk.tokenize(table, TWEAKED, keyring=ring)
    whole = tk.tokenize(table.combine_chunks(), TWEAKED, keyring=ring)
    assert tokens.column("id").to_pylist() == whole.column("id").to_pylist()
    empty = tk.tokenize(table.slice(0, 0), TWEAKED, keyring=ring)
    assert empty.schema == table.schema
    assert tk.tokenize(table.schema.empty_table(), TWEAKED, keyring=ring).num_rows == 0


def test_a_tweak_that_is_not_kept_is_refused(ring: tk.Keyring) -> None:
    """Its tokens could never be turned back."""
    for policy in (
        {"columns": {"id": {**DIGITS, "tweak": "tenant"}}, "unlisted": "drop"},
        {"columns": {"id": {**DIGITS, "tweak": "gone"}}, "unlisted": "keep"},
    ):
        with pytest.raises(tk.errors.PolicyError):
            tk.tokenize(FRAME, policy, keyring=ring)


def test_rows_cannot_be_set_aside_in_a_frame(ring: tk.Keyring) -> None:
    """`reject` says where it can be done; on the way back there is nothing to set aside."""
    policy = {"columns": {"id": {**DIGITS, "on_invalid": "reject"}}, "unlisted": "keep"}
    with pytest.raises(tk.errors.PolicyError) as caught:
        tk.tokenize(FRAME, policy, keyring=ring)
    assert caught.value.column == "id"
    assert "tokenkit.apply(frame, policy)" in str(caught.value.hint)
    tokens = tk.tokenize(FRAME["id"], "digits", key="people", keyring=ring)
    frame = FRAME.with_columns(tokens)
    assert tk.detokenize(frame, policy, keyring=ring).equals(FRAME)
    with pytest.raises(tk.errors.InvalidValues):
        tk.detokenize(frame.with_columns(id=pl.lit("no token")), policy, keyring=ring)
    options: Any = {"key": "people", "keyring": ring, "on_invalid": "reject"}
    calls: list[tuple[Any, Any]] = [(tk.tokenize, FRAME["id"]), (tk.expr.tokenize, "id")]
    for function, column in calls:
        with pytest.raises(tk.errors.SchemeError, match="no rows to set aside"):
            function(column, "digits", **options)


@pytest.fixture
def metadata(ring: tk.Keyring) -> Metadata:
    """Give the metadata of tokens that version 1 made."""
    rule = ColumnRule.build("digits", key="people", tweak="^tenant$", on_invalid="null")
    text = Metadata.sign("parquet", "ab" * 32, {"id": (rule, ring["people"].primary)})
    return Metadata.parse(text)


@pytest.mark.parametrize("convert", KINDS, ids=NAMES)
def test_metadata_stands_for_policy_and_versions(
    convert: Callable[[pl.DataFrame], Any], ring: tk.Keyring, metadata: Metadata
) -> None:
    """After a rotation, metadata says which version made the tokens; other columns stay."""
    tokens = as_polars(tk.tokenize(FRAME, TWEAKED, keyring=ring))
    ring.rotate("people")
    back = tk.detokenize(convert(tokens), columns=metadata, keyring=ring)
    assert as_polars(back).equals(FRAME)
    verified = metadata.verify(ring, "parquet")
    assert as_polars(tk.detokenize(convert(tokens), columns=verified)).equals(FRAME)


def test_metadata_uses_the_current_keyring(ring: tk.Keyring, metadata: Metadata) -> None:
    """As a policy does; the frames' namespaces take it as well."""
    tokens = tk.tokenize(FRAME, TWEAKED, keyring=ring)
    with tk.use_keyring(ring):
        assert tk.detokenize(tokens, columns=metadata).equals(FRAME)
        assert tokens.tk.detokenize(columns=metadata).equals(FRAME)
        lazy = tokens.lazy().tk.detokenize(columns=metadata)
        assert lazy.collect().equals(FRAME)


def test_damaged_tokens_are_an_error(ring: tk.Keyring, metadata: Metadata) -> None:
    """What the policy said of values that don't fit is not about tokens."""
    tokens = FRAME.with_columns(id=pl.lit("no token"))
    with pytest.raises(tk.errors.InvalidValues):
        tk.detokenize(tokens, columns=metadata, keyring=ring)


def test_what_metadata_cannot_be_used_for(ring: tk.Keyring, metadata: Metadata) -> None:
    """Other frames, other keys, a policy besides, and what is no metadata."""
    wrong: list[tuple[type[Exception], Any, dict[str, Any]]] = [
        (tk.errors.MetadataMismatch, FRAME.select("tenant"), {}),
        (tk.errors.MetadataMismatch, FRAME.select("id"), {}),
        (tk.errors.PolicyError, FRAME, {"policy": TWEAKED}),
        (tk.errors.PolicyError, FRAME, {"versions": 1}),
        (tk.errors.PolicyError, FRAME, {"columns": 7}),
        (tk.errors.PolicyError, FRAME, {"columns": None}),
        (tk.errors.PolicyError, pa.table([["1"], ["2"]], names=["id", "id"]), {}),
    ]
    for kind, frame, options in wrong:
        with pytest.raises(kind):
            tk.detokenize(frame, **{"columns": metadata, "keyring": ring, **options})
    with (
        keyring_from_bytes({"people": bytes(32)}) as other,
        pytest.raises(tk.errors.KeyVersionUnknown),
    ):
        tk.detokenize(FRAME, columns=metadata, keyring=other)
    with pytest.raises(tk.errors.SchemeError):
        tk.tokenize(FRAME, TWEAKED, columns=metadata, keyring=ring)  # type: ignore[call-overload]
