"""NDJSON: what a table can't hold exactly is refused, and nothing changes silently."""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.errors import InvalidValues, JobError, UnsupportedType
from tokenkit.jobs.connectors import TextOptions, format_of, suffix_of

CANARY = "4111CANARY1111"


@pytest.fixture
def read(tmp_path):
    """Read lines as a frame."""

    def reading(text: str | bytes, **options: Any) -> pl.DataFrame:
        path = tmp_path / "a.ndjson"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        source = format_of(path).source(path, TextOptions(**options))
        source.check()
        frame = source.scan().collect()
        assert frame.schema == source.schema
        assert frame.height == source.rows
        return frame

    return reading


def test_keys_are_columns(read):
    """In the order of their first line; missing is null; blank lines are no rows."""
    frame = read('{"a":1,"b":"x"}\r\n\n{"c":true}\n  \n{"b":null,"a":-2}')
    assert frame.schema == {"a": pl.Int64, "b": pl.String, "c": pl.Boolean}
    assert frame.rows() == [(1, "x", None), (None, None, True), (-2, None, None)]
    assert read("").shape == (0, 0)
    assert read('\ufeff{"a":"\\ud83d\\ude00\\u0000\u2028"}\n').rows() == [("😀\x00\u2028",)]
    assert read('{"*":1,"^.*$":2}\n').rows() == [(1, 2)]


def test_numbers_keep_their_value(read):
    """64 bits, floats to their last digit, and the types that hold them."""
    most = 2**64 - 1
    assert read(f'{{"a":{most}}}\n{{"a":1}}\n').schema == {"a": pl.UInt64}
    assert read(f'{{"a":{-(2**63)}}}\n{{"a":{2**63 - 1}}}\n')["a"].to_list() == [
        -(2**63),
        2**63 - 1,
    ]
    floats = [
        "0.1",
        "1.50",
        "5e-324",
        "1.7976931348623157e308",
        "-0",
        "3",
        "1E2",
        "0.30000000000000004",
    ]
    frame = read("".join(f'{{"a":{written}}}\n' for written in floats))
    assert frame["a"].to_list() == [float(written) for written in floats]
    assert str(frame["a"][4]) == "-0.0"


@pytest.mark.parametrize(
    "second",
    ["18446744073709551616", "-1", "9" * 5000, "0.5"],
    ids=["beyond 64 bit", "no type for both", "thousands of digits", "an integer that no float is"],
)
def test_integers_that_do_not_fit_are_refused(copy, tmp_path, second):
    """With the line; declared as text they come through digit by digit."""
    first = "18446744073709551615"
    text = f'{{"a":{first}}}\n{{"a":{second}}}\n'
    (tmp_path / "a.ndjson").write_text(text)
    error = copy.refused("a.ndjson")
    assert error.line in {1, 2}
    assert error.column == "a"
    assert "text" in (error.hint or "")
    copy("a.ndjson", "b.parquet", TextOptions(types={"a": "text"}))
    assert pl.read_parquet(tmp_path / "b.parquet")["a"].to_list() == [first, second]


@pytest.mark.parametrize(
    "number", ["0.1234567890123456789", "1e400", "1e-400", "12345678901234567.5"]
)
def test_floats_that_would_lose_digits_are_refused(copy, tmp_path, number):
    """With the line, and not the number."""
    (tmp_path / "a.ndjson").write_text(f'{{"a":1.5}}\n{{"a":{number}}}\n')
    error = copy.refused("a.ndjson", canary=number)
    assert (error.line, error.column) == (2, "a")


def test_declared_columns_are_text_for_the_job_to_cast(tmp_path):
    """Numbers and words as they're written; a column that no line has is there, too."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"a":1.50,"b":true}\n{"a":"x","b":7}\n{"a":null,"b":false}\n')
    types = {"a": "decimal(10,2)", "b": "text", "c": "date"}
    source = format_of(path).source(path, TextOptions(types=types))
    assert dict(source.types) == {"a": pl.Decimal(10, 2), "c": pl.Date()}
    rows = [("1.50", "true", None), ("x", "7", None), (None, "false", None)]
    assert source.scan().collect().rows() == rows


HOSTILE = {
    "no JSON": f'{{"a":"{CANARY}"',
    "two objects": f'{{"a":"{CANARY}"}}{{"a":1}}',
    "a list": f'["{CANARY}"]',
    "a string": f'"{CANARY}"',
    "the same key twice": f'{{"{CANARY}":1,"{CANARY}":2}}',
    "NUL in a key": f'{{"{CANARY}\\u0000":1}}',
    "an empty key": f'{{"":"{CANARY}"}}',
    "a nested object": f'{{"a":{{"b":"{CANARY}"}}}}',
    "a nested list": f'{{"a":["{CANARY}"]}}',
    "half a surrogate pair": f'{{"a":"{CANARY}\\ud83d"}}',
    "half a surrogate pair in a key": f'{{"a\\ud83d":"{CANARY}"}}',
    "another kind": f'{{"a":true,"b":"{CANARY}"}}',
    "no number": f'{{"a":NaN,"b":"{CANARY}"}}',
    "a raw line end": f'{{"a":"{CANARY}\x01"}}',
    "too deep": "[" * 100_000,
    "not UTF-8": f'{{"a":"{CANARY}\udcff"}}',
}


@pytest.mark.parametrize("suffix", ["ndjson", "jsonl.gz"])
@pytest.mark.parametrize("name", HOSTILE)
def test_broken_lines_are_named(copy, tmp_path, suffix, name):
    """A typed error with file and line; no value, and nothing left behind."""
    text = '{"a":"x"}\n\n' + HOSTILE[name] + '\n{"a":"y"}\n'
    content = text.encode(errors="surrogateescape")
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    error = copy.refused(path.name, canary=CANARY)
    assert error.line == 3
    assert error.hint


def test_a_gzip_cut_short(copy, tmp_path):
    """The line at which the text ends is named."""
    lines = b"".join(b'{"a":%d}\n' % (n * n) for n in range(300_000))
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(lines)[:-100_000])
    error = copy.refused("a.ndjson.gz")
    assert "cut short" in error.message
    assert 1 < (error.line or 0) < 300_000


def test_a_line_of_100_megabytes(copy, tmp_path):
    """It's a value like another."""
    line = b'{"a":"' + b"x" * 100_000_000 + b'"}\n'
    (tmp_path / "a.ndjson").write_bytes(line)
    assert copy("a.ndjson", "b.ndjson") == 1
    assert (tmp_path / "b.ndjson").read_bytes() == line


def test_other_encodings_and_names(copy, tmp_path):
    """The encoding is converted; names list what keys there may be."""
    (tmp_path / "a.ndjson").write_bytes('{"a":"é"}\n'.encode("utf-16"))
    options = TextOptions(encoding="utf-16", names=("b", "a"))
    assert copy("a.ndjson", "b.ndjson", options) == 1
    assert (tmp_path / "b.ndjson").read_text(encoding="utf-8") == '{"b":null,"a":"é"}\n'
    error = copy.refused("b.ndjson", TextOptions(names=("a",)))
    assert (error.line, error.column) == (1, None)
    with pytest.raises(JobError, match="no delimiter"):
        copy("a.ndjson", "c.ndjson", TextOptions(delimiter=";"))


def test_what_json_has_no_form_for_is_refused(copy, tmp_path):
    """Nested and binary columns at once; infinite floats when they've been seen."""
    sink = format_of(Path("a.ndjson")).sink(".ndjson", TextOptions())
    for dtype in (pl.List(pl.Int8), pl.Struct({"a": pl.Int8}), pl.Binary):
        with pytest.raises(UnsupportedType) as caught:
            sink.check(pl.Schema({"c": dtype}))
        assert caught.value.column == "c"
    for value in (float("inf"), float("nan")):
        pl.DataFrame({"*": [1.5, value]}).write_parquet(tmp_path / "a.parquet")
        with pytest.raises(InvalidValues) as refused:
            copy("a.parquet", "b.ndjson")
        assert refused.value.column == "*"


SCALARS = {
    pl.String: st.text(st.characters(codec="utf-8"), max_size=12),
    pl.Int64: st.integers(-(2**63), 2**63 - 1),
    pl.Float64: st.floats(allow_nan=False, allow_infinity=False),
    pl.Boolean: st.booleans(),
}


@settings(deadline=None, max_examples=100)
@given(
    kinds=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6),
        st.sampled_from(list(SCALARS)),
        min_size=1,
        max_size=4,
    ),
    data=st.data(),
    suffixes=st.tuples(*[st.sampled_from([".ndjson", ".jsonl.gz", ".ndjson.zst"])] * 2),
)
def test_any_scalars_come_back(kinds, data, suffixes):
    """Any text, every integer and the last bit of each float."""
    # One value is never null, so that each column's type shows.
    rows = [{name: data.draw(SCALARS[kind]) for name, kind in kinds.items()}]
    other = st.fixed_dictionaries({n: st.none() | SCALARS[kind] for n, kind in kinds.items()})
    rows += data.draw(st.lists(other, max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.ndjson")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        for number, suffix in enumerate(suffixes):
            target = Path(folder, f"{number}{suffix}")
            source = format_of(path).source(path, TextOptions())
            sink = format_of(target).sink(suffix_of(target) or "", TextOptions())
            with target.open("w+b") as file:
                sink.write(source.scan(), file, None).collect(engine="streaming")
                sink.finish(file)
            path = target
        source = format_of(path).source(path, TextOptions())
        assert source.schema == kinds
        frame = source.scan().collect()
        expected = pl.DataFrame(rows, schema=kinds)
        assert repr(frame.rows()) == repr(expected.rows())
