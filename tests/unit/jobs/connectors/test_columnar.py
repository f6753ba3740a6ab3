"""Parquet and Arrow IPC: types and metadata there and back, damage named where it shows."""

import datetime as dt
import decimal
import random
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenkit.errors import InputError, JobError
from tokenkit.jobs.connectors import TextOptions, format_of
from tokenkit.jobs.connectors.arrow_footer import add_metadata
from tokenkit.jobs.connectors.protocol import FAILURES
from tokenkit.policy import METADATA_KEY

CANARY = "4111CANARY1111"
SUFFIXES = [".parquet", ".pq", ".arrow", ".ipc", ".feather"]


@pytest.fixture
def frame():
    """Give a frame of many types, in more than one batch."""
    rows = 3000
    return pl.DataFrame(
        {
            "*": [f"{CANARY}{n}" for n in range(rows)],
            "category": pl.Series(["a", "b", None] * (rows // 3), dtype=pl.Categorical),
            "enum": pl.Series(["a", "b", None] * (rows // 3), dtype=pl.Enum(["b", "a"])),
            "number": range(rows),
            "date": [dt.date(2020, 1, 1), None, dt.date(1, 1, 1)] * (rows // 3),
            "decimal": [decimal.Decimal("1.20"), None, decimal.Decimal("-0.01")] * (rows // 3),
            "list": [[1], [], None] * (rows // 3),
            "struct": [{"a": 1}] * rows,
            "binary": [b"\xff", b"", None] * (rows // 3),
        }
    )


def written(path: Path, frame: pl.DataFrame, metadata: str | None) -> None:
    """Write a frame through the format's sink."""
    sink = format_of(path).sink(path.suffix, TextOptions())
    sink.check(frame.schema)
    with path.open("w+b") as file:
        sink.write(frame.lazy(), file, metadata).collect(engine="streaming")
        sink.finish(file)
    assert sink.count(path) == frame.height


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("metadata", [None, "{}", '{"columns":"' + "x" * 100_000 + '"}'])
def test_types_and_metadata_come_back(tmp_path, frame, suffix, metadata):
    """Every type stays; the document is found in the footer, by other readers too."""
    path = tmp_path / f"a{suffix}"
    written(path, frame, metadata)
    source = format_of(path).source(path, TextOptions())
    source.check()
    assert source.scan().collect().equals(frame)
    assert source.schema == frame.schema
    assert source.rows == frame.height
    assert source.metadata == (None if metadata is None else metadata.encode())
    if suffix in {".parquet", ".pq"}:
        found = pq.read_metadata(path).metadata or {}
    else:
        with pa.ipc.open_file(path) as reader:
            found = reader.schema.metadata or {}
            reader.read_all().validate(full=True)
    assert found.get(METADATA_KEY.encode()) == source.metadata


def test_entries_are_added_to_those_of_a_footer(tmp_path):
    """A file of pyarrow's with metadata of its own keeps it; dictionaries and batches stay."""
    path = tmp_path / "a.arrow"
    schema = pa.schema([("c", pa.dictionary(pa.int8(), pa.string()))], metadata={"own": "ä"})
    batch = pa.record_batch(
        [pa.array(["x", "y", None]).dictionary_encode().cast(schema[0].type)], schema
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for _ in range(3):
            writer.write_batch(batch)
    for number in range(9):
        with path.open("r+b") as file:
            add_metadata(file, f"key{number}", "v" * number)
    with pa.ipc.open_file(path) as reader:
        entries = {f"key{n}".encode(): b"v" * n for n in range(9)}
        assert reader.schema.metadata == {b"own": "ä".encode(), **entries}
        assert reader.read_all().column(0).to_pylist() == ["x", "y", None] * 3
    assert pl.scan_ipc(path).collect().height == 9
    (tmp_path / "b").write_bytes(b"no Arrow file at all")
    with (tmp_path / "b").open("r+b") as file, pytest.raises(ValueError, match="no Arrow"):
        add_metadata(file, "key", "value")


def test_rows_that_were_filtered_out_are_not_in_an_arrow_file(tmp_path):
    """String views could drag the buffers of other rows along; dictionaries their values."""
    values = [("fine" if n % 2 else CANARY) + f" a longer text {n}" for n in range(10_000)]
    frame = pl.DataFrame({"s": values}).with_columns(c=pl.col("s").cast(pl.Categorical))
    path = tmp_path / "a.arrow"
    sink = format_of(path).sink(".arrow", TextOptions())
    kept = frame.lazy().filter(pl.col("s").str.starts_with("fine"))
    with path.open("w+b") as file:
        sink.write(kept, file, None).collect(engine="streaming")
        sink.finish(file)
    with pa.ipc.open_file(path) as reader:
        table = reader.read_all()
    assert table.num_rows == 5000
    whole = str([c.dictionary for c in table.column("c").chunks]) + str(table.column("s"))
    assert CANARY not in whole
    plain = pa.BufferOutputStream()
    with pa.ipc.new_file(plain, table.schema) as writer:
        writer.write_table(table)
    assert CANARY.encode() not in plain.getvalue().to_pybytes()


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_files_that_are_none(copy, tmp_path, frame, suffix):
    """Empty, of another kind, cut anywhere."""
    path = tmp_path / f"a{suffix}"
    written(path, frame, "{}")
    whole = path.read_bytes()
    cuts = [0, 1, 8, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1]
    for content in (*(whole[:cut] for cut in cuts), b"a,b\n" * 100):
        path.write_bytes(content)
        error = copy.refused(path.name, canary=CANARY)
        assert "can't be read as" in error.message


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_changed_bytes_never_give_another_error(tmp_path, frame, suffix):
    """A changed byte is an InputError, or explained as one, or wasn't to be seen at all."""
    path = tmp_path / f"a{suffix}"
    written(path, frame, "{}")
    whole = path.read_bytes()
    draw = random.Random(7)
    seen = 0
    for number in range(120):
        content = bytearray(whole)
        start = 0 if number % 2 else len(whole) - 3000
        content[draw.randrange(start, len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        try:
            source = format_of(path).source(path, TextOptions())
            source.check()
            error: Exception | None = None
        except InputError as exc:
            error = exc
        else:
            try:
                source.scan().collect(engine="streaming")
            except FAILURES as exc:
                error = source.explain(str(exc))
                assert error is not None
        if error is not None:
            seen += 1
            assert error.__context__ is None
            assert CANARY not in f"{error!r} {error.__dict__}"
    assert seen > 20


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_a_changed_page_is_found_by_its_checksum(copy, tmp_path, version, dictionary):
    """With the row group and the column; where pages have none, a change can go unseen."""
    path = tmp_path / "a.parquet"
    table = pa.table({"a": [[n] for n in range(9000)], "b": [f"{CANARY}{n}" for n in range(9000)]})
    pq.write_table(
        table,
        path,
        row_group_size=3000,
        use_dictionary=dictionary,
        data_page_version=version,
        write_page_checksum=True,
    )
    assert copy(path.name, "whole.parquet") == 9000
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(1).column(1)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    if dictionary:
        content[column.dictionary_page_offset + 1000] ^= 1
    path.write_bytes(content)
    error = copy.refused(path.name, canary=CANARY)
    assert (error.message, error.column) == ("row group 2 is damaged", "b")


def test_a_batch_that_is_not_sound_is_named(copy, tmp_path):
    """Text that isn't UTF-8, in the second batch of an Arrow file."""
    path = tmp_path / "a.arrow"
    schema = pa.schema([("a", pa.large_string())])
    bad = pa.Array.from_buffers(
        pa.large_binary(), 1, pa.array([b"\xff"], pa.large_binary()).buffers()
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(pa.record_batch([pa.array([CANARY], pa.large_string())], schema))
        writer.write_batch(pa.record_batch([bad.view(pa.large_string())], schema))
    assert "batch 2" in copy.refused(path.name, canary=CANARY).message


def test_an_arrow_stream_is_refused(copy, tmp_path):
    """It has no footer."""
    table = pa.table({"a": [CANARY]})
    with (
        pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as w,
    ):
        w.write_table(table)
    assert "stream" in (copy.refused("a.arrow", canary=CANARY).hint or "")


def test_options_of_text_are_refused(tmp_path, frame):
    """They'd have no effect."""
    for suffix in SUFFIXES:
        path = tmp_path / f"a{suffix}"
        written(path, frame, None)
        with pytest.raises(JobError):
            format_of(path).source(path, TextOptions(delimiter=";"))
        with pytest.raises(JobError):
            format_of(path).sink(suffix, TextOptions(header=False, names=("a",)))
