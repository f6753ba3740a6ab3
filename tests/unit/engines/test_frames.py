"""Frames by policy: each column gets what the policy says, whatever its name is."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

import tokenkit as tk
from tokenkit.hazmat import keyring_from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS: list[Callable[[pl.DataFrame], Any]] = [
    lambda frame: frame,
    lambda frame: frame.lazy(),
    lambda frame: frame.to_arrow(),
    lambda frame: frame.to_arrow().combine_chunks().to_batches()[0],
    lambda frame: pa.RecordBatchReader.from_batches(
        frame.to_arrow().schema, frame.to_arrow().to_batches(max_chunksize=2)
    ),
]
NAMES = ["DataFrame", "LazyFrame", "Table", "RecordBatch", "RecordBatchReader"]
POLICY: dict[str, Any] = {
    "columns": {
        "card": {"scheme": "credit-card", "key": "payments", "keep": {"last": 4}},
        "^ssn$": {"scheme": "us-ssn", "key": "people", "on_invalid": "null"},
        "note": {"scheme": "text", "key": "people"},
        "ssn": {"action": "drop"},
    },
    "unlisted": "keep",
}
FRAME = pl.DataFrame(
    {
        "card": ["4111111111111111", None, "", "5500-0000-0000-0004"],
        "^ssn$": ["078-05-1120", "078051120", None, "dirty"],
        "ssn": ["219-09-9999"] * 4,
        "*": ["star"] * 4,
        "note": ["a", "ä", None, ""],
        "amount": [1.5, 2.5, None, 4.0],
    }
)


@pytest.fixture
def ring() -> Iterator[tk.Keyring]:
    """Open a keyring of random keys."""
    keys = {"payments": random.randbytes(32), "people": random.randbytes(32)}
    with keyring_from_bytes(keys) as opened:
        yield opened


def as_polars(data: Any) -> pl.DataFrame:
    """Read any kind of frame."""
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, pa.RecordBatchReader):
        data = data.read_all()
    return data if isinstance(data, pl.DataFrame) else pl.DataFrame(data)


@pytest.mark.parametrize("convert", KINDS, ids=NAMES)
def test_round_trip(convert: Callable[[pl.DataFrame], Any], ring: tk.Keyring) -> None:
    """The same kind of frame comes out; dropped columns are gone, others kept or turned."""
    data = convert(FRAME)
    tokens = tk.tokenize(data, POLICY, keyring=ring)
    assert type(tokens) is type(data)
    found = as_polars(tokens)
    assert found.columns == ["card", "^ssn$", "*", "note", "amount"]
    assert found["amount"].equals(FRAME["amount"])
    assert found["*"].equals(FRAME["*"])
    assert found["card"][0] != FRAME["card"][0]
    assert found["card"].str.slice(-4).to_list() == ["1111", None, "", "0004"]
    assert found["^ssn$"].null_count() == 2
    assert "219-09-9999" not in str(found.rows())
    back = tk.detokenize(convert(found), POLICY, keyring=ring)
    expected = FRAME.drop("ssn").with_columns(
        pl.Series("^ssn$", ["078-05-1120", "078051120", None, None])
    )
    assert as_polars(back).equals(expected)


def test_every_kind_gives_the_same_tokens(ring: tk.Keyring) -> None:
    """Polars and pyarrow, eager and lazy, agree to the byte."""
    first, *others = (as_polars(tk.tokenize(kind(FRAME), POLICY, keyring=ring)) for kind in KINDS)
    assert all(other.equals(first) for other in others)
    namespaces = [
        FRAME.tk.tokenize(POLICY, keyring=ring),  # type: ignore[attr-defined]
        FRAME.lazy().tk.tokenize(POLICY, keyring=ring).collect(),  # type: ignore[attr-defined]
    ]
    assert all(other.equals(first) for other in namespaces)


def test_readers_are_lazy(ring: tk.Keyring) -> None:
    """A reader's batches are turned one by one, when they are read."""
    read = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(3):
            read.append(number)
            yield pa.record_batch({"id": pa.array(["0042719365"])})

    reader = pa.RecordBatchReader.from_batches(pa.schema({"id": pa.string()}), batches())
    policy = {"columns": {"id": {"scheme": "digits", "key": "people"}}}
    turned = tk.tokenize(reader, policy, keyring=ring)
    assert read == []
    turned.read_next_batch()
    assert read == [0]


@pytest.mark.parametrize("convert", KINDS[:4], ids=NAMES[:4])
def test_invalid_values_are_an_error(
    convert: Callable[[pl.DataFrame], Any], ring: tk.Keyring
) -> None:
    """Values that don't fit are counted by reason; the error quotes none and holds no other."""
    policy = {
        "columns": {"^ssn$": {"scheme": "us-ssn", "key": "people"}},
        "unlisted": "drop",
    }
    if convert is KINDS[1]:
        with pytest.raises(pl.exceptions.ComputeError) as raw:
            tk.tokenize(convert(FRAME), policy, keyring=ring).collect()
        error: BaseException = tk.errors.from_polars(raw.value)
    else:
        with pytest.raises(tk.errors.InvalidValues) as caught:
            tk.tokenize(convert(FRAME), policy, keyring=ring)
        error = caught.value
        assert error.__cause__ is None
        assert error.__context__ is None
    assert isinstance(error, tk.errors.InvalidValues)
    assert (error.column, error.reason, error.count) == ("^ssn$", "character", 1)
    assert "dirty" not in str(error)


def test_versions(ring: tk.Keyring) -> None:
    """After a rotation, frames need to be told which version made their tokens."""
    policy = {"columns": {"id": {"scheme": "digits", "key": "people"}}}
    frame = pl.DataFrame({"id": ["0042719365"]})
    old = tk.tokenize(frame, policy, keyring=ring)
    assert tk.detokenize(old, policy, keyring=ring).equals(frame)
    ring.rotate("people")
    new = tk.tokenize(frame, policy, keyring=ring)
    assert not new.equals(old)
    with pytest.raises(tk.errors.KeyVersionUnknown):
        tk.detokenize(old, policy, keyring=ring)
    assert tk.detokenize(old, policy, keyring=ring, versions={"id": 1}).equals(frame)
    assert tk.detokenize(old, policy, keyring=ring, versions=1).equals(frame)
    assert tk.detokenize(new, policy, keyring=ring, versions="primary").equals(frame)
    with pytest.raises(tk.errors.PolicyError):
        tk.detokenize(new, policy, keyring=ring, versions={"other": 1})


def test_two_columns_of_one_name(ring: tk.Keyring) -> None:
    """A table with two columns of one name is refused, whatever the policy says of the rest."""
    table = pa.table([["219-09-9999"], ["219-09-9999"]], names=["ssn", "ssn"])
    policy = {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
    for data in (table, table.to_batches()[0], table.to_reader()):
        with pytest.raises(tk.errors.PolicyError):
            tk.tokenize(data, policy, keyring=ring)


def test_other_data_is_refused(ring: tk.Keyring) -> None:
    """What is neither Polars nor pyarrow is refused with a hint."""
    for data in ({"id": ["1"]}, ["1"], "1", None, pa.schema([])):
        with pytest.raises(tk.errors.UnsupportedType) as caught:
            tk.tokenize(data, POLICY, keyring=ring)
        assert caught.value.hint
    with pytest.raises(tk.errors.SchemeError):
        tk.tokenize(FRAME, POLICY, keyring=ring, keep={"last": 4})  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(["0042719365", None]),
        pa.array(["0042719365", None], pa.large_string()),
        pa.chunked_array([["0042719365"], [None]]),
    ],
    ids=lambda column: type(column).__name__,
)
def test_single_columns(column: Any, ring: tk.Keyring) -> None:
    """A column is tokenized by scheme and comes back as the same kind."""
    tokens = tk.tokenize(column, "digits", key="people", keyring=ring)
    assert type(tokens) is type(column)
    assert not tokens.equals(column)
    assert tk.detokenize(tokens, "digits", key=ring["people"]).equals(column)
