"""Bodies as Arrow IPC streams: a column of values, and perhaps one of tweaks."""

import struct

import polars as pl
import pyarrow as pa

from tokenkit.errors import InvalidRequest, RequestTooLarge, UnsupportedBody

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
TWEAK = "tweak"
"""The name of the second column, if there is one."""
_COMPRESSION_FIELD = 3
_BATCH_FIELD = 1
_HEADER_FIELD = 2


def read_stream(content: bytes, most: int) -> tuple[pa.Array, pa.Array | None]:
    """Read the values, and the tweak of each.

    Raises
    ------
    InvalidRequest
        If it is no stream of one column, or of two of which the second is called ``tweak``.
    UnsupportedBody
        If its buffers are compressed: what they would grow to isn't known.
    RequestTooLarge
        If there are too many values.
    """
    failure: Exception
    try:
        _require_uncompressed(content)
        return _columns(content, most)
    except (InvalidRequest, UnsupportedBody, RequestTooLarge) as exc:
        failure = exc
    except Exception:  # noqa: BLE001 - a broken stream raises much, and its text may quote values
        failure = InvalidRequest(
            "the body is no Arrow IPC stream", location="body", reason="arrow_invalid"
        )
    failure.__context__ = None
    raise failure


def _columns(content: bytes, most: int) -> tuple[pa.Array, pa.Array | None]:
    with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
        names = reader.schema.names
        if not names or len(names) > 2 or (len(names) == 2 and names[1] != TWEAK):
            raise InvalidRequest(
                "the stream has one column of values, and perhaps one of tweaks after it",
                location="body",
                reason="columns",
                hint=f'call the second column "{TWEAK}"',
            )
        batches: list[pa.RecordBatch] = []
        count = 0
        for batch in reader:
            count += batch.num_rows
            if count > most:
                raise RequestTooLarge(
                    f"a stream has at most {most:,} values", reason="values", hint="send several"
                )
            batch.validate(full=True)
            batches.append(batch)
    table = pa.Table.from_batches(batches, reader.schema)
    found = [_one(table.column(index)) for index in range(len(names))]
    return found[0], found[1] if len(found) == 2 else None


def _one(column: pa.ChunkedArray) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        raise InvalidRequest(
            "a column of an extension type can't be tokenized", location="body", reason="type"
        )
    if column.num_chunks == 1:
        return column.chunk(0)
    found = column.combine_chunks()
    # One array is what a chunked array becomes only if it isn't too large for its offsets.
    if isinstance(found, pa.ChunkedArray):
        raise RequestTooLarge("the values are too large for one array", reason="values")
    return found


def write_stream(name: str, found: pa.Array, reasons: pa.Array) -> pa.Buffer:
    """Write what values became, and why others don't fit."""
    if reasons.null_count == len(reasons):
        codes = pa.DictionaryArray.from_arrays(
            pa.nulls(len(reasons), pa.int8()), pa.array([], pa.string())
        )
    else:
        texts = pl.Series(reasons).cast(pl.Categorical).to_arrow()
        codes = pa.DictionaryArray.from_arrays(
            texts.indices.cast(pa.int8()), texts.dictionary.cast(pa.string())
        )
    batch = pa.RecordBatch.from_arrays([found, codes], names=[name, "reason"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _require_uncompressed(content: bytes) -> None:
    """Look at each message's header (Message.fbs, RecordBatch.compression) before it is read."""
    reader = pa.ipc.MessageReader.open_stream(pa.py_buffer(content))
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        if message.type not in {"record batch", "dictionary"}:
            continue
        metadata = message.metadata.to_pybytes()
        table = _table(metadata, 0, _HEADER_FIELD)
        if message.type == "dictionary":
            table = _inner(metadata, table, _BATCH_FIELD)
        if table is not None and _field(metadata, table, _COMPRESSION_FIELD) is not None:
            raise UnsupportedBody(
                "compressed Arrow streams aren't read here",
                reason="compressed",
                hint="write the stream without compression",
            )


def _table(content: bytes, root: int, field: int) -> int | None:
    return _inner(content, root + _offset(content, root), field)


def _inner(content: bytes, table: int | None, field: int) -> int | None:
    place = None if table is None else _field(content, table, field)
    return None if place is None else place + _offset(content, place)


def _field(content: bytes, table: int, field: int) -> int | None:
    """Give where a field of a FlatBuffers table is; None where it isn't."""
    vtable = table - struct.unpack_from("<i", content, table)[0]
    size = struct.unpack_from("<H", content, vtable)[0]
    entry = 4 + 2 * field
    if vtable < 0 or entry + 2 > size:
        return None
    offset = struct.unpack_from("<H", content, vtable + entry)[0]
    return table + offset if offset else None


def _offset(content: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", content, place)[0])
