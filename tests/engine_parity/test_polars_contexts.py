"""Wherever a Polars expression can stand, it gives the same tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_series_equal

import tokenkit as tk

if TYPE_CHECKING:
    from tests.engine_parity.cases import Case
    from tokenkit import Keyring

pytestmark = pytest.mark.usefixtures("kernel")


def tokenize(column: pl.Expr, case: Case, ring: Keyring) -> pl.Expr:
    """Build the expression under test."""
    return tk.expr.tokenize(column, case.scheme, key="test", keyring=ring, **case.parameters)


@pytest.fixture
def tokens(values: pl.Series, case: Case, ring: Keyring) -> pl.Series:
    """The tokens of the values one by one, so that no batch can be at fault."""
    expression = tokenize(pl.col("value"), case, ring)
    single = [
        pl.DataFrame([values[row : row + 1]]).select(expression) for row in range(len(values))
    ]
    found = pl.concat(single).to_series()
    assert found.null_count() == 2
    assert found[1] == ""
    return found


def test_eager(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """A whole column at once."""
    frame = pl.DataFrame([values]).with_columns(tokenize(pl.col("value"), case, ring))
    assert_series_equal(frame["value"], tokens)


def test_namespace(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """``pl.col(...).tk`` is the same function."""
    column = pl.col("value").tk.tokenize(case.scheme, key="test", keyring=ring, **case.parameters)  # type: ignore[attr-defined]
    assert_series_equal(pl.DataFrame([values]).select(column).to_series(), tokens)


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_lazy(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring, engine: str) -> None:
    """A lazy frame, in memory and streaming."""
    lazy = pl.DataFrame([values]).with_row_index().lazy()
    found = lazy.with_columns(tokenize(pl.col("value"), case, ring)).collect(engine=engine)  # type: ignore[call-overload]
    assert_series_equal(found.sort("index")["value"], tokens)


def test_chunked(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """A column of many chunks, some of them empty."""
    parts = [values[:0], values[:1], values[1:64], values[64:64], values[64:333], values[333:]]
    chunked = pl.concat(parts, rechunk=False)
    assert chunked.n_chunks() > 1
    found = pl.DataFrame([chunked]).select(tokenize(pl.col("value"), case, ring)).to_series()
    assert_series_equal(found, tokens)


def test_sliced(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """Slices at odd places."""
    for start, length in [(0, 1), (1, 2), (3, 5), (7, 64), (63, 129), (999, 1), (1000, 0)]:
        frame = pl.DataFrame([values]).slice(start, length)
        found = frame.select(tokenize(pl.col("value"), case, ring)).to_series()
        assert_series_equal(found, tokens.slice(start, length))


def test_group_by(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """Inside an aggregation, and as the key of one."""
    frame = pl.DataFrame([values]).with_row_index().with_columns(group=pl.col("index") % 7)
    aggregated = frame.group_by("group").agg("index", tokenize(pl.col("value"), case, ring))
    flat = aggregated.explode("index", "value").sort("index")
    assert_series_equal(flat["value"], tokens)
    counted = frame.group_by(tokenize(pl.col("value"), case, ring)).len()
    assert counted["len"].sum() == len(values)
    assert counted.height == tokens.n_unique()


def test_over(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """As a window expression."""
    frame = pl.DataFrame([values]).with_row_index().with_columns(group=pl.col("index") % 5)
    found = frame.select(tokenize(pl.col("value"), case, ring).over("group")).to_series()
    assert_series_equal(found, tokens)


def test_when_then(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """As a branch: other rows stay out of it."""
    frame = pl.DataFrame([values]).with_row_index()
    even = pl.col("index") % 2 == 0
    branch = pl.when(even).then(tokenize(pl.col("value"), case, ring)).otherwise(pl.lit("other"))
    found = frame.select(branch.alias("value")).to_series()
    assert_series_equal(found.gather_every(2), tokens.gather_every(2))
    assert set(found.gather_every(2, 1)) == {"other"}


def test_list_eval(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """Inside lists."""
    lists = pl.DataFrame({"lists": [values[:3], values[3:3], values[3:500], values[500:]]})
    inner = tokenize(pl.element(), case, ring)
    found = lists.select(pl.col("lists").list.eval(inner)).to_series()
    assert [len(inner) for inner in found.to_list()] == [3, 0, 497, 500]
    assert [token for inner in found.to_list() for token in inner] == tokens.to_list()


def test_struct_field(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """A field of a struct."""
    frame = pl.DataFrame([values]).select(pl.struct("value").alias("record"))
    field = pl.col("record").struct.field("value")
    assert_series_equal(frame.select(tokenize(field, case, ring)).to_series(), tokens)


def test_literal(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """Literals, alone and beside a column."""
    for row in (2, 3, 500):
        literal = tokenize(pl.lit(values[row]), case, ring).alias("token")
        assert pl.select(literal).item() == tokens[row]
        beside = pl.DataFrame([values]).select("value", literal)
        assert beside["token"].unique().to_list() == [tokens[row]]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_empty_and_all_null(case: Case, ring: Keyring, engine: str) -> None:
    """Columns with no row, or with nothing but nulls, keep length and type."""
    for column in (
        pl.Series("value", [], pl.String),
        pl.Series("value", [None, None], pl.String),
        pl.Series("value", [None, None], pl.Null),
        pl.Series("value", [], pl.Categorical),
    ):
        lazy = pl.DataFrame([column]).lazy().select(tokenize(pl.col("value"), case, ring))
        found = lazy.collect(engine=engine).to_series()  # type: ignore[call-overload]
        assert_series_equal(found, column)


def test_categorical(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """A categorical column stays one, and holds no category that no row has."""
    repeated = pl.concat([values[:50]] * 20).cast(pl.Categorical)
    frame = pl.DataFrame([repeated]).slice(0, 500)
    found = frame.select(tokenize(pl.col("value"), case, ring)).to_series()
    assert found.dtype == pl.Categorical
    assert_series_equal(found.cast(pl.String), pl.concat([tokens[:50]] * 10), check_names=False)


def test_back(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """Detokenizing gives the values back, type included."""
    options = {"key": "test", "keyring": ring, **case.parameters}
    back = tk.expr.detokenize("value", case.scheme, **options)
    assert_series_equal(pl.DataFrame([tokens]).select(back).to_series(), values)


def test_outcome(values: pl.Series, tokens: pl.Series, case: Case, ring: Keyring) -> None:
    """``try_tokenize`` gives the same tokens beside null reasons."""
    options = {"key": "test", "keyring": ring, **case.parameters}
    outcome = tk.expr.try_tokenize("value", case.scheme, **options)
    found = pl.DataFrame([values]).select(outcome).unnest("value")
    assert_series_equal(found["token"], tokens, check_names=False)
    assert found["reason"].null_count() == len(values)


def test_tweak_column(values: pl.Series, case: Case, ring: Keyring) -> None:
    """A tweak column separates equal values, comes back with it, and needs it."""
    if case.scheme == "text":
        sealed = tk.expr.tokenize("value", "text", key="test", keyring=ring, tweak=pl.lit("t"))
        with pytest.raises(pl.exceptions.ComputeError, match="TK103"):
            pl.DataFrame([values]).select(sealed)
        return
    options = {"key": "test", "keyring": ring, **case.parameters}
    frame = pl.DataFrame([values]).with_row_index()
    frame = frame.with_columns(tenant=pl.format("tenant {}", pl.col("index") % 3))
    tokens = frame.with_columns(tk.expr.tokenize("value", case.scheme, tweak="tenant", **options))
    assert not tokens["value"].equals(frame.select(tokenize(pl.col("value"), case, ring))["value"])
    for tweak, row in (("tenant 0", 3), ("tenant 1", 4), ("tenant 2", 5)):
        alone = tk.expr.tokenize(pl.lit(values[row]), case.scheme, tweak=pl.lit(tweak), **options)
        assert pl.select(alone).item() == tokens["value"][row]
    back = tokens.select(tk.expr.detokenize("value", case.scheme, tweak="tenant", **options))
    assert_series_equal(back.to_series(), values)
