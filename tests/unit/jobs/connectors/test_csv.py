"""CSV and TSV lose nothing, in any encoding and compression, and what is broken is named."""

import gzip
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.errors import InputError, JobError, UnsupportedType
from tokenkit.jobs.connectors import TextOptions, format_of, suffix_of
from tokenkit.jobs.connectors import text as text_module
from tokenkit.jobs.connectors.formats import csv as csv_module

CANARY = "4111CANARY1111"
SUFFIXES = ["csv", "csv.gz", "csv.zst", "tsv", "tsv.gz", "tsv.zst"]
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
HARD = st.sampled_from(
    [
        *[
            '"',
            '""',
            "\n",
            "\r\n",
            "\r",
            "\x00",
            "007",
            "1234567890123456789",
            " x ",
            "NA",
            "",
            ",",
        ],
        *["\ufeff", "\u2028", "a,b", "null", "-0.10", "é", "😀", "x\r", '"q"', "\n\n", "\t"],
    ]
)
NAME = (ANY_TEXT | HARD).filter(lambda name: name and "\0" not in name)


def compressed(path: Path, content: bytes) -> None:
    """Write a file as its name says."""
    if path.suffix == ".gz":
        content = gzip.compress(content)
    elif path.suffix == ".zst":
        content = pa.Codec("zstd").compress(content, asbytes=True)
    path.write_bytes(content)


@settings(deadline=None, max_examples=150)
@given(
    names=st.lists(NAME, min_size=1, max_size=4, unique=True),
    data=st.data(),
    suffixes=st.tuples(*[st.sampled_from(SUFFIXES)] * 3),
)
def test_any_text_survives_any_chain_of_files(names, data, suffixes):
    """Quotes, line ends, NUL, zeros, 19 digits, spaces, null beside empty: the bytes come back."""
    values = st.none() | HARD | ANY_TEXT
    rows = data.draw(st.lists(st.tuples(*[values] * len(names)), max_size=8))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "0.csv")
        with first.open("w+b") as file:
            format_of(first).sink(".csv", TextOptions()).write(frame.lazy(), file, None).collect()
        path = first
        for number, suffix in enumerate([*suffixes, "csv"], 1):
            target = Path(folder, f"{number}.{suffix}")
            copied(path, target)
            path = target
        assert path.read_bytes() == first.read_bytes()
        source = format_of(path).source(path, TextOptions())
        assert source.scan().collect().equals(frame)


def copied(source: Path, target: Path) -> None:
    """Copy a file and check its count."""
    opened = format_of(source).source(source, TextOptions())
    opened.check()
    sink = format_of(target).sink(suffix_of(target) or "", TextOptions())
    with target.open("w+b") as file:
        sink.write(opened.scan(), file, None).collect(engine="streaming")
        sink.finish(file)
    assert sink.count(target) == opened.rows


@pytest.mark.parametrize("end", ["", ".gz", ".zst"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "latin-1", "windows-1252", "utf-16", "utf-16-be", "utf-32"]
)
def test_encodings_and_compressions(copy, tmp_path, monkeypatch, encoding, end):
    """Records that begin and end anywhere in the blocks that are read."""
    monkeypatch.setattr(csv_module, "CHUNK", 17)
    text = "naïve,ö\r\n" + "".join(f'é{n},"a\n""ü{n}"""\r\n' for n in range(50)) + ',""'
    compressed(tmp_path / f"a.csv{end}", text.encode(encoding))
    rows = copy(f"a.csv{end}", "b.csv", TextOptions(encoding=encoding))
    assert rows == 51
    expected = text.replace("\r\n", "\n") + "\n"
    assert (tmp_path / "b.csv").read_bytes() == expected.encode()


def test_a_compressed_file_is_read_once(tmp_path, monkeypatch):
    """Two sinks and a count share one reading, and only a part of it stays in memory."""
    path = tmp_path / "a.csv.gz"
    compressed(path, b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(200_000)))
    source = format_of(path).source(path, TextOptions())
    opened = []

    class Counting(text_module.TextReader):
        def __init__(self, *arguments):
            opened.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(csv_module, "TextReader", Counting)
    monkeypatch.setattr(csv_module, "CHUNK", 2**14)
    rows = source.scan().with_row_index("row")
    parts = [rows.filter(pl.col("row") % 2 == odd) for odd in (0, 1)]
    with (tmp_path / "b").open("wb") as b, (tmp_path / "c").open("wb") as c:
        frames = [part.sink_csv(file, lazy=True) for part, file in zip(parts, (b, c), strict=True)]
        counted = pl.collect_all([*frames, rows.select(pl.col("row").max())], engine="streaming")
    assert counted[2].item() == 199_999
    assert source.rows == 200_000
    assert len(opened) == 1
    assert source.scan().head(3).collect()["a"].to_list() == ["0", "1", "2"]
    assert source.scan().select("b").tail(1).collect().rows() == [("x",)]
    assert source.scan().select(pl.len()).collect().item() == 200_000


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst"])
def test_headers(copy, tmp_path, suffix):
    """Names in place of a header, or of what it says; blank and quoted first lines."""
    path = tmp_path / f"a.{suffix}"

    def read(text: str, **options: Any) -> pl.DataFrame:
        compressed(path, text.encode())
        source = format_of(path).source(path, TextOptions(**options))
        source.check()
        frame = source.scan().collect()
        assert source.rows == frame.height
        return frame

    assert read("1,2\n3,4\n", header=False, names=("a", "b")).rows() == [("1", "2"), ("3", "4")]
    assert read("x,x\n3,4\n", names=("a", "b")).to_dict(as_series=False) == {"a": ["3"], "b": ["4"]}
    assert read(",\n3,4\n", names=("a", "b")).rows() == [("3", "4")]
    assert read("\ufeffa\n1\n").columns == ["a"]
    assert read("\ufeff1\n2\n", header=False, names=("a",)).rows() == [("1",), ("2",)]
    assert read('"a ""b"", c"\n1\n').columns == ['a "b", c']
    assert read("a\n\n\n").rows() == [(None,), (None,)]
    assert read("a;b\n'x;y';\n", delimiter=";", quote="'").rows() == [("x;y", None)]
    assert read('a|b\nx"y|\n', delimiter="|", quote=None).rows() == [('x"y', None)]
    assert read("a,b\n").rows() == []
    compressed(path, b"a,b\n1,2\n")
    error = copy.refused(path.name, TextOptions(names=("a", "b", "c")))
    assert (error.message, error.line) == ("the first row has 2 fields, and 3 names are given", 1)


def test_types_are_parsed_and_must_have_a_column(copy, tmp_path):
    """The job casts; the connector gives text and says to what."""
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n007,x,1.50\n")
    types = {"a": "int64", "b": "text", "c": "decimal(10,2)"}
    source = format_of(path).source(path, TextOptions(types=types))
    assert dict(source.types) == {"a": pl.Int64(), "c": pl.Decimal(10, 2)}
    assert source.scan().collect().rows() == [("007", "x", "1.50")]
    assert copy.refused("a.csv", TextOptions(types={"z": "date"})).column == "z"


HOSTILE = {
    "empty": ("", 1),
    "ragged short": (f"a,b\n1,2\n{CANARY}\n3,4\n", 3),
    "ragged long": (f"a,b\n1,2\n{CANARY},2,3\n", 3),
    "blank line": (f"a,b\n{CANARY},2\n\n3,4\n", 3),
    "blank first line": (f"\na\n{CANARY}\n", 1),
    "duplicate names": (f"{CANARY},{CANARY}\n1,2\n", 1),
    "empty name": (f"{CANARY},\n1,2\n", 1),
    "NUL in a name": (f"a,{CANARY}\0\n1,2\n", 1),
    "unclosed quote": (f'a,b\n1,2\n"{CANARY},2\n3,4\n', 3),
    "stray quote": (f'a,b\n1,{CANARY}"2\n', 2),
    "text after a quote": (f'a,b\n1,"{CANARY}"2\n', 2),
    "bare carriage return": (f"a,b\r{CANARY},2\r", 1),
    "a carriage return inside": (f"a,b\n1,2\n{CANARY}\r,2\n", 3),
    "not text": (f"a,b\n1,2\n{CANARY},\udcff\n", 3),
    "not text in the header": (f"a,\udcff{CANARY}\n1,2\n", 1),
}


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst"])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("chunk", [5, 2**22], ids=["small blocks", "one block"])
def test_broken_structure_is_named_with_its_line(copy, tmp_path, monkeypatch, suffix, name, chunk):
    """A typed error with file and line, whatever the blocks; no value, and nothing left behind."""
    monkeypatch.setattr(csv_module, "CHUNK", chunk)
    text, line = HOSTILE[name]
    compressed(tmp_path / f"a.{suffix}", text.encode(errors="surrogateescape"))
    error = copy.refused(f"a.{suffix}", canary=CANARY)
    assert error.line == line
    assert error.hint


def test_broken_structure_far_from_the_beginning(copy, tmp_path):
    """What isn't seen when the file is opened is seen when it's read."""
    rows = b"".join(b"%d,x\n" % n for n in range(300_000))
    for suffix in ("csv", "csv.gz", "csv.zst"):
        compressed(tmp_path / f"a.{suffix}", b"a,b\n" + rows + CANARY.encode() + b"\n")
        assert copy.refused(f"a.{suffix}", canary=CANARY).line == 300_002


@pytest.mark.parametrize("encoding", ["utf-16", "cp932", "ascii", "utf-7"])
def test_what_is_no_text_in_an_encoding_has_a_line(copy, tmp_path, encoding):
    """The line is that of the first character that can't be decoded."""
    good = f"a,b\n{CANARY},2\n".encode(encoding)
    (tmp_path / "a.csv").write_bytes(good + b"\xff\xff\xff\n")
    error = copy.refused("a.csv", TextOptions(encoding=encoding), CANARY)
    assert error.line == 3


@pytest.mark.parametrize("suffix", ["csv.gz", "csv.zst"])
def test_damaged_compression(copy, tmp_path, suffix):
    """Cut short, changed, followed by something else, not compressed at all, or nothing at all."""
    path = tmp_path / f"a.{suffix}"
    rows = b"".join(b"%d,%s%d\n" % (n, CANARY.encode(), n * n) for n in range(300_000))
    compressed(path, b"a,b\n" + rows)
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    cases = {
        "cut short": [whole[:-1], whole[: len(whole) // 2], b"", whole + whole[:10]],
        "damaged": [whole + b"more", b"a,b\n1,2\n"],
    }
    if suffix == "csv.gz":
        cases["damaged"] += [whole[:-8] + bytes(8)]
    for problem, contents in cases.items():
        for content in contents:
            path.write_bytes(content)
            error = copy.refused(path.name, canary=CANARY)
            assert problem in error.message
            assert error.line is not None
    # What a changed byte decompresses to may break a record before the checksum is reached.
    if suffix == "csv.gz":
        path.write_bytes(changed)
        assert copy.refused(path.name, canary=CANARY).line is not None


def test_compressed_members_follow_each_other(copy, tmp_path):
    """Files put together are read to their end."""
    for suffix in ("csv.gz", "csv.zst"):
        path = tmp_path / f"a.{suffix}"
        compressed(path, b"a\n1\n")
        first = path.read_bytes()
        compressed(path, b"2\n")
        path.write_bytes(first + path.read_bytes())
        assert copy(path.name, f"b-{suffix}.csv") == 2


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_line_of_100_megabytes(copy, tmp_path, suffix):
    """It's a value like another."""
    value = b"x" * 100_000_000
    compressed(tmp_path / f"a.{suffix}", b"a,b\n1,2\n" + value + b",3\n")
    assert copy(f"a.{suffix}", "b.csv") == 2
    assert (tmp_path / "b.csv").read_bytes() == b"a,b\n1,2\n" + value + b",3\n"


def test_what_an_output_can_not_be(tmp_path):
    """Other encodings, no quotes, and types without a form in text."""
    make = format_of(Path("a.csv")).sink
    for options in (TextOptions(encoding="latin-1"), TextOptions(quote=None)):
        with pytest.raises(JobError):
            make(".csv", options)
    for dtype in (pl.List(pl.Int8), pl.Struct({"a": pl.Int8}), pl.Binary):
        with pytest.raises(UnsupportedType) as caught:
            make(".csv", TextOptions()).check(pl.Schema({"c": dtype}))
        assert caught.value.column == "c"


def test_an_error_of_polars_is_explained_in_our_words(tmp_path):
    """If a plain file changes after its check, Polars' text is looked at and not shown."""
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    source = format_of(path).source(path, TextOptions())
    explained = source.explain(f"could not parse `{CANARY}`")
    assert isinstance(explained, InputError)
    assert CANARY not in str(explained)
    assert source.explain("something else") is None
