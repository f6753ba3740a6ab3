"""Arrow files that are counted and completed while they are written."""

import io

import polars as pl
import pyarrow as pa
import pytest

from tokenkit.engines.structure import Structure
from tokenkit.jobs.connectors.arrow_stream import ArrowStream
from tokenkit.jobs.connectors.passing import Records, Tail

FRAME = pl.DataFrame(
    {
        "number": pl.int_range(1000, eager=True),
        "kind": pl.Series(["a", "b", None, "c"] * 250, dtype=pl.Categorical),
        "text": [f"\xff {number} é" for number in range(1000)],
        "list": [[number, None] for number in range(1000)],
    }
)


def by_polars(frame):
    """Write as our sinks do."""
    file = io.BytesIO()
    frame.lazy().sink_ipc(file, compression="zstd", compat_level=pl.CompatLevel.oldest())
    return file.getvalue()


def by_pyarrow(frame):
    """Write in several batches, with what pyarrow puts in front of the schema."""
    file = io.BytesIO()
    table = frame.drop("kind").to_arrow()
    with pa.ipc.new_file(file, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=70):
            writer.write_batch(batch)
    return file.getvalue()


def passed(content, size):
    """Pass a file on in pieces."""
    file = io.BytesIO()
    stream = ArrowStream(file)
    for start in range(0, len(content), size):
        stream.write(content[start : start + size])
    return stream, file


@pytest.mark.parametrize("write", [by_polars, by_pyarrow])
@pytest.mark.parametrize("rows", [0, 1, 1000])
@pytest.mark.parametrize("size", [1, 7, 8, 4096, 10**9])
def test_a_file_is_counted_and_completed(write, rows, size):
    """Whatever the pieces, rows are counted and the file gets its metadata."""
    content = write(FRAME.head(rows))
    stream, file = passed(content, size)
    stream.finish("tokenkit", "what is said")
    assert stream.rows == rows
    with pa.ipc.open_file(pa.BufferReader(file.getvalue())) as reader:
        assert reader.schema.metadata[b"tokenkit"] == b"what is said"
        assert reader.read_all().num_rows == rows
    assert pl.read_ipc(file.getvalue()).equals(pl.read_ipc(content))
    stream, file = passed(content, size)
    stream.finish("tokenkit", None)
    assert file.getvalue() == content


@pytest.mark.parametrize("write", [by_polars, by_pyarrow])
def test_what_is_cut_short_is_no_file(write):
    """A file that lacks its end, or a part of it, isn't completed."""
    content = write(FRAME)
    for cut in range(0, len(content) - 1, 997):
        stream, _ = passed(content[:cut], 1000)
        with pytest.raises(ValueError, match="no Arrow IPC file"):
            stream.finish("tokenkit", "what is said")


def test_other_bytes_are_no_file():
    """What doesn't begin as an Arrow file is refused at once."""
    with pytest.raises(ValueError, match="no Arrow IPC file"):
        ArrowStream(io.BytesIO()).write(b"PAR1 and more of it")


def test_the_end_of_a_long_file_is_kept():
    """Memory doesn't grow with what goes by, and the last two megabytes are always there."""
    file = io.BytesIO()
    tail = Tail(file)
    content = b""
    for number in range(200):
        piece = bytes([number]) * 65_536
        content += piece
        tail.write(piece)
    assert file.getvalue() == content
    assert content.endswith(tail.end())
    assert 2 * 2**20 <= len(tail.end()) < 3 * 2**20


@pytest.mark.parametrize("size", [1, 5, 10**6])
def test_records_are_counted_in_pieces(size):
    """Records that are cut anywhere are counted once; one that lacks its end counts too."""
    content = b'a,b\n"1\n2",x\n' * 3 + b'"",\n3,4'
    file = io.BytesIO()
    records = Records(file, Structure(header=True))
    for start in range(0, len(content), size):
        records.write(content[start : start + size])
    assert records.finish() == content.count(b"a,b") * 2 + 1
    assert file.getvalue() == content
