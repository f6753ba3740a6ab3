"""pyarrow data of every layout gives the tokens that Polars gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest

import tokenkit as tk
from tokenkit.engines.arrow.arrays import transform_array, transform_chunks
from tokenkit.engines.column import ColumnCall
from tokenkit.policy.rule import ColumnRule

if TYPE_CHECKING:
    from tests.engine_parity.cases import Case
    from tokenkit import Keyring

pytestmark = pytest.mark.usefixtures("kernel")

LAYOUTS = [pa.string(), pa.large_string(), pa.string_view()]
DICTIONARIES = [
    pa.dictionary(index, value)
    for index in (pa.int8(), pa.uint16(), pa.int32(), pa.int64())
    for value in (pa.string(), pa.large_string())
]


@pytest.fixture
def forth(case: Case, ring: Keyring) -> ColumnCall:
    """Make the call that tokenizes."""
    rule = ColumnRule.build(case.scheme, key="test", **case.parameters)
    return ColumnCall(rule=rule, version=ring["test"].primary, operation="tokenize")


@pytest.fixture
def back(forth: ColumnCall) -> ColumnCall:
    """Make the call that detokenizes."""
    return ColumnCall(rule=forth.rule, version=forth.version, operation="detokenize")


@pytest.fixture
def tokens(values: pl.Series, case: Case, ring: Keyring) -> list[str | None]:
    """Give the tokens that Polars gives."""
    column = tk.expr.tokenize("value", case.scheme, key="test", keyring=ring, **case.parameters)
    return pl.DataFrame([values]).select(column).to_series().to_list()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_layouts(
    layout: pa.DataType,
    values: pl.Series,
    tokens: list[str | None],
    forth: ColumnCall,
    back: ColumnCall,
) -> None:
    """Each string layout comes out as it went in, whole, sliced and back."""
    array = pa.array(values.to_list(), layout)
    expected = pa.array(tokens, layout)
    found = transform_array(array, forth)
    found.validate(full=True)
    assert found.equals(expected)
    for start, length in [(0, 0), (0, 1), (1, 2), (5, 300), (8, 256), (999, 1), (1000, 0)]:
        part = transform_array(array.slice(start, length), forth)
        part.validate(full=True)
        assert part.equals(expected.slice(start, length))
        assert transform_array(part, back).equals(array.slice(start, length))


@pytest.mark.parametrize("layout", DICTIONARIES, ids=str)
def test_dictionaries(
    layout: pa.DictionaryType, values: pl.Series, tokens: list[str | None], forth: ColumnCall
) -> None:
    """A dictionary keeps its type, and loses the values that no row refers to."""
    array = pa.array(values[:60].to_list() * 2, layout.value_type)
    array = array.dictionary_encode().cast(layout).slice(0, 80)
    found = transform_array(array, forth)
    found.validate(full=True)
    assert found.type == layout
    assert found.to_pylist() == (tokens[:60] * 2)[:80]
    assert len(found.dictionary) <= 60
    narrow = transform_array(array.slice(3, 4), forth)
    assert len(narrow.dictionary) <= 4


def test_null_values_under_nulls_do_not_show(forth: ColumnCall) -> None:
    """What stands in memory under a null slot gets into no output buffer."""
    hidden = b"SECRETHIDDENTEXT"
    validity = pa.py_buffer(b"\x00")
    offsets = pa.array([0, 16], pa.int32()).buffers()[1]
    array = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(hidden), validity, 1)
    found = transform_array(array, forth)
    assert found.null_count == 1
    for buffer in found.buffers():
        assert buffer is None or hidden not in buffer.to_pybytes()


def test_chunks(values: pl.Series, tokens: list[str | None], forth: ColumnCall) -> None:
    """A chunked array keeps its chunks; one without any keeps its type."""
    chunks = pa.chunked_array([values[:3].to_list(), [], values[3:].to_list()], pa.string())
    found = transform_chunks(chunks, forth)
    assert found.to_pylist() == tokens
    assert transform_chunks(pa.chunked_array([], pa.string()), forth).type == pa.string()


def test_all_null(forth: ColumnCall) -> None:
    """Arrays of type null stay as they are."""
    assert transform_array(pa.nulls(3), forth).equals(pa.nulls(3))


def test_whole_columns_on_threads(
    values: pl.Series, tokens: list[str | None], forth: ColumnCall, back: ColumnCall
) -> None:
    """A column long enough to be split over threads gives the same, in each layout."""
    for layout in LAYOUTS:
        array = pa.chunked_array([pa.array(values.to_list(), layout)] * 600).combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = array.chunk(0)
        found = transform_array(array, forth)
        found.validate(full=True)
        for start in (0, 299_000, 300_000, 599_000):
            assert found.slice(start, 1000).to_pylist() == tokens
        assert transform_array(found, back).equals(array)
