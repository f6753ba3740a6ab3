"""The structural scan of CSV files: what it accepts, Polars reads as the same rows."""

from __future__ import annotations

import gzip
import io
import threading
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit import _native
from tokenkit.engines.structure import Structure
from tokenkit.errors import InputError, InputNotFound, JobError

DIALECTS = [(",", '"'), (";", "'"), ("\t", None), (" ", '"'), ("|", '"')]


def polars_rows(path: Path, delimiter: str, quote: str | None, header: bool) -> pl.DataFrame:
    return pl.scan_csv(
        path,
        infer_schema=False,
        glob=False,
        has_header=header,
        separator=delimiter,
        quote_char=quote,
    ).collect(engine="streaming")


@st.composite
def records(draw: st.DrawFn) -> tuple[bytes, str, str | None]:
    """Records of many notations, some of them spoiled."""
    delimiter, quote = draw(st.sampled_from(DIALECTS))
    marks = ["a", "é", "\0", "\ufeff", "#", "\x0b", delimiter, quote or "q", "\n", "\r\n", "\r"]
    plain = st.text(st.sampled_from("aé\0\ufeff# \x0b\t'\"") | st.characters(codec="utf-8"))
    inside = st.lists(st.sampled_from(marks), max_size=6).map("".join)

    def field(text: str, quoted: bool) -> str:
        if quoted and quote:
            return quote + text.replace(quote, quote + quote) + quote
        outside = {delimiter, "\n", "\r"} | ({quote} if quote else set())
        return "".join(character for character in text if character not in outside)

    fields = st.one_of(
        plain.map(lambda text: field(text, False)), inside.map(lambda t: field(t, True))
    )
    width = draw(st.integers(1, 4))
    lines = draw(st.lists(st.lists(fields, min_size=width, max_size=width), min_size=1, max_size=8))
    ends = draw(st.lists(st.sampled_from(["\n", "\n", "\r\n"]), min_size=8, max_size=8))
    text = "".join(delimiter.join(line) + end for line, end in zip(lines, ends, strict=False))
    data = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()
    if draw(st.booleans()):
        data = data.rstrip(b"\r\n")
    if draw(st.integers(0, 2)) == 0 and data:
        place = draw(st.integers(0, len(data) - 1))
        spoil = draw(
            st.sampled_from([b'"', b"'", b",", b"\n", b"\r", b"\xff", b"\n\n", b"", b"  \n"])
        )
        data = data[:place] + spoil + data[place + 1 :]
    return data, delimiter, quote


@settings(max_examples=1500, deadline=None)
@given(records(), st.booleans())
def test_polars_reads_as_many_rows(tmp_path_factory, given_records, header):
    """Whatever is accepted, Polars reads without an error as the same rows and columns."""
    data, delimiter, quote = given_records
    path = tmp_path_factory.getbasetemp() / "structure.csv"
    path.write_bytes(data)
    structure = Structure(delimiter=delimiter, quote=quote, header=header)
    try:
        structure.scan(path)
    except InputError as error:
        assert error.line is not None
        return
    if structure.records == 0:
        assert data in {b"", b"\xef\xbb\xbf"}
        return
    frame = polars_rows(path, delimiter, quote, header)
    assert (frame.height, frame.width) == (structure.rows, structure.fields)


def scanned(data: bytes, **options: object) -> Structure:
    structure = Structure(**options)  # type: ignore[arg-type]
    structure.finish(data)
    return structure


def test_blank_lines_are_rows_in_a_file_of_one_column(tmp_path):
    """No empty value of a file with one column is lost."""
    path = tmp_path / "one.csv"
    path.write_bytes(b'a\n\n1\r\n\r\n""\n\n')
    structure = Structure()
    structure.scan(path)
    frame = polars_rows(path, ",", '"', True)
    assert structure.rows == frame.height == 5
    assert frame["a"].to_list() == [None, "1", None, "", None]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"a,b\n1\n", 2, "a row has 1 field, the header 2"),
        (b'a,b\n"x\ny",1\n1,2,3\n', 4, "a row has 3 fields, the header 2"),
        (b"a,b\n\n1,2\n", 2, "a line is blank, the header has 2 fields"),
        (b"\na,b\n", 1, "the first line is blank"),
        (b'a,b\n"x\ny","z\n', 3, "a quoted field is not closed"),
        (b'a,b\n1,x"y\n', 2, "a field has a quote in it but doesn't start with one"),
        (b'a,b\n1,"x"y\n', 2, "a quoted field goes on after its closing quote"),
        (b"a,b\r1,2\r", 1, "a carriage return stands without a line feed"),
        (b"a,b\n1,\xe9\n", 2, "a row is not UTF-8 text"),
    ],
)
def test_malformed_files_are_refused(tmp_path, data, line, message):
    """Each problem is an InputError that names file and line, and nothing of the content."""
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        Structure().scan(path)
    assert (caught.value.line, caught.value.message) == (line, message)
    assert caught.value.file == str(path)
    assert caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    with pytest.raises(InputError) as caught:
        Structure(file="named").read(io.BytesIO(data))
    assert (caught.value.line, caught.value.file) == (line, "named")


def test_streams_are_read_in_pieces():
    """What comes out of a decompressor is checked like a file, records longer than a piece too."""
    long = b'"' + b"x\n" * 1_500_000 + b'"'
    data = b"a,b\n" + b"1,2\n" * 400_000 + long + b",2\n3,4"
    structure = Structure()
    structure.read(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data, 1))))  # type: ignore[arg-type]
    assert (structure.rows, structure.fields) == (400_002, 2)


def test_long_records_in_a_file(tmp_path):
    """A file's records may be longer than what is read at once, and lines still count."""
    path = tmp_path / "long.csv"
    path.write_bytes(b"a,b\n" + b'"' + b"x\n" * 1_500_000 + b'",2\n' + b"1,2\n" * 7 + b"1\n")
    with pytest.raises(InputError) as caught:
        Structure().scan(path)
    assert caught.value.line == 1 + 1_500_001 + 7 + 1


def test_many_chunks_of_polars(tmp_path):
    """Quoted line ends and delimiters all over a large file don't make Polars count otherwise."""
    path = tmp_path / "large.csv"
    rows = [f'{i},"line\n{i},""x"", ""\n",{"y" * (i % 50)}\r\n' for i in range(400_000)]
    path.write_text("a,b,c\n" + "".join(rows), encoding="utf-8", newline="")
    structure = Structure()
    structure.scan(path)
    frame = polars_rows(path, ",", '"', True)
    assert structure.rows == frame.height == 400_000
    assert frame["a"].cast(pl.Int64).sum() == sum(range(400_000))


def test_fields_can_be_given():
    """Without a header, the job says how many fields there are."""
    assert scanned(b"1,2\n", fields=2, header=False).rows == 1
    with pytest.raises(InputError, match="a row has 2 fields, the header 3"):
        scanned(b"1,2\n", fields=3)


def test_files_that_cannot_be_read(tmp_path):
    """A missing file and a folder are errors of their own, without context."""
    for path, kind in [(tmp_path / "none.csv", InputNotFound), (tmp_path, JobError)]:
        with pytest.raises(kind) as caught:
            Structure().scan(path)
        assert caught.value.file == str(path)
        assert caught.value.__context__ is None


def test_delimiters_and_quotes_are_checked():
    """What can't delimit is refused, as is a piece without the tail of the last one."""
    for delimiter, quote in [(",,", None), ("é", None), ("\n", None), (",", ",")]:
        with pytest.raises(ValueError, match="ASCII"):
            Structure(delimiter=delimiter, quote=quote)
    structure = Structure()
    structure.feed(b"a,b\n1,2")
    with pytest.raises(ValueError, match="left over"):
        structure.feed(b"1,")


def test_the_portable_path_agrees():
    """TOKENKIT_KERNEL=portable scans without vector extensions and finds the same."""
    previous = _native.select_kernel("portable")
    try:
        assert scanned(b'a,b\n"1\n",2\n').rows == 1
    finally:
        _native.select_kernel(previous)


def test_other_threads_run_meanwhile(tmp_path):
    """A scan of a large file doesn't hold Python's lock."""
    path = tmp_path / "large.csv"
    path.write_bytes(b"a,b\n" + b"1234567890123456789,2\n" * 8_000_000)
    structure = Structure()
    thread = threading.Thread(target=structure.scan, args=[path])
    ticks = 0
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert structure.rows == 8_000_000
    assert ticks > 3
