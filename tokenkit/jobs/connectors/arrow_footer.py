"""Puts key-value metadata into the footer of an Arrow IPC file that is complete.

Polars writes no metadata, and pyarrow's writer can't take over: batch by batch it writes
dictionaries as deltas, which Polars doesn't read. A footer is a Flatbuffers table at the file's
end, in which references only point forward; so new tables are put in front of the old ones, of
which everything else stays in use. Layout: `Footer` and `Schema` in Arrow's `File.fbs` and
`Schema.fbs`.
"""

import os
import struct
from typing import BinaryIO

_MAGIC = b"ARROW1"
_TAIL = struct.Struct("<i6s")
_FOOTER_FIELDS = "heeee"  # version, schema, dictionaries, record batches, metadata
_SCHEMA_FIELDS = "heee"  # endianness, fields, metadata, features
_BLOCK = struct.Struct("<qi4xq")  # place, length of the metadata, length of the body
_SCHEMA = 1
_BATCHES = 3
_METADATA = 2
_ALIGNMENT = 8

_Fields = list[int | None]


def add_metadata(file: BinaryIO, key: str, value: str) -> None:
    """Add an entry to the metadata of the schema in a file's footer.

    Parameters
    ----------
    file
        A complete file, whose descriptor can be read and written.
    key, value
        The entry.

    Raises
    ------
    ValueError
        If the file is no Arrow IPC file.
    """
    descriptor = file.fileno()
    end = os.fstat(descriptor).st_size - _TAIL.size
    length, magic = _TAIL.unpack(os.pread(descriptor, _TAIL.size, max(end, 0)))
    if magic != _MAGIC or not 0 < length <= end:
        raise ValueError("no Arrow IPC file")
    footer = with_entry(os.pread(descriptor, length, end - length), key.encode(), value.encode())
    _write(descriptor, footer + _TAIL.pack(len(footer), _MAGIC), end - length)


def with_footer_entry(end: bytes, key: str, value: str) -> bytes:
    """Give the end of a file, from its footer on, with another entry in the schema's metadata.

    Raises
    ------
    ValueError
        If it's no such end.
    """
    footer = with_entry(_footer_of(end), key.encode(), value.encode())
    return footer + _TAIL.pack(len(footer), _MAGIC)


def batch_places(end: bytes) -> list[int]:
    """Give where the record batches are, by the end of a file from its footer on.

    Raises
    ------
    ValueError
        If it's no such end.
    """
    footer = _footer_of(end)
    blocks = _read(footer, _u32(footer, 0), _FOOTER_FIELDS)[_BATCHES]
    if blocks is None:
        return []
    size = _BLOCK.size
    return [
        _BLOCK.unpack_from(footer, blocks + 4 + size * number)[0]
        for number in range(_u32(footer, blocks))
    ]


def _footer_of(end: bytes) -> bytes:
    footer, tail = end[: -_TAIL.size], end[-_TAIL.size :]
    if len(tail) < _TAIL.size or _TAIL.unpack(tail) != (len(footer), _MAGIC):
        raise ValueError("no Arrow IPC file")
    return footer


def with_entry(footer: bytes, key: bytes, value: bytes) -> bytes:
    """Give a footer with another entry in its schema's metadata."""
    root = _u32(footer, 0)
    fields = _read(footer, root, _FOOTER_FIELDS)
    schema = fields[_SCHEMA]
    if schema is None:
        raise ValueError("no Arrow IPC file")
    schema_fields = _read(footer, schema, _SCHEMA_FIELDS)
    old = schema_fields[_METADATA]
    entries = [] if old is None else [old + 4 + 4 * i for i in range(_u32(footer, old))]
    entries = [place + _u32(footer, place) for place in entries]

    # Each part's size is known before its place, and the old footer comes behind them all.
    first = 8
    second = first + len(_table(_FOOTER_FIELDS, fields, 0))
    vector = second + len(_table(_SCHEMA_FIELDS, schema_fields, 0, always=_METADATA))
    pair = vector + _padded(4 + 4 * (len(entries) + 1))
    texts = [pair + len(_table("ee", [0, 0], 0))]
    texts.append(texts[0] + len(_text(key)))
    front = texts[1] + len(_text(value))

    fields = _shifted(_FOOTER_FIELDS, fields, front)
    fields[_SCHEMA] = second + _vtable_size(_SCHEMA_FIELDS)
    schema_fields = _shifted(_SCHEMA_FIELDS, schema_fields, front)
    schema_fields[_METADATA] = vector
    pairs = [*(place + front for place in entries), pair + _vtable_size("ee")]
    offsets = [place - (vector + 4 + 4 * i) for i, place in enumerate(pairs)]
    parts = (
        struct.pack("<I4x", first + _vtable_size(_FOOTER_FIELDS)),
        _table(_FOOTER_FIELDS, fields, first),
        _table(_SCHEMA_FIELDS, schema_fields, second),
        struct.pack(f"<{1 + len(offsets)}I", len(offsets), *offsets).ljust(pair - vector, b"\0"),
        _table("ee", [texts[0], texts[1]], pair),
        _text(key),
        _text(value),
        footer,
    )
    return b"".join(parts)


def _read(data: bytes, table: int, kinds: str) -> _Fields:
    """Read a table's fields: numbers as they are, references as places in the data."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, vtable)[0]
    found: _Fields = []
    for number, kind in enumerate(kinds):
        slot = 4 + 2 * number
        offset = struct.unpack_from("<H", data, vtable + slot)[0] if slot < size else 0
        if not offset:
            found.append(None)
        elif kind == "h":
            found.append(struct.unpack_from("<h", data, table + offset)[0])
        else:
            found.append(table + offset + _u32(data, table + offset))
    return found


def _table(kinds: str, fields: _Fields, place: int, *, always: int | None = None) -> bytes:
    """Build a table that starts with its vtable at a place; every field takes four bytes."""
    start = _vtable_size(kinds)
    size = 4 + 4 * len(kinds)
    slots = [
        0 if field is None and number != always else 4 + 4 * number
        for number, field in enumerate(fields)
    ]
    vtable = struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), size, *slots)
    body = struct.pack("<i", start)
    for number, (kind, field) in enumerate(zip(kinds, fields, strict=True)):
        if kind == "h":
            body += struct.pack("<hxx", field or 0)
        else:
            here = place + start + 4 + 4 * number
            body += struct.pack("<I", 0 if field is None else max(field - here, 0))
    return vtable.ljust(start, b"\0") + body.ljust(_padded(len(body)), b"\0")


def _vtable_size(kinds: str) -> int:
    return _padded(4 + 2 * len(kinds))


def _text(value: bytes) -> bytes:
    return (struct.pack("<I", len(value)) + value).ljust(_padded(5 + len(value)), b"\0")


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _shifted(kinds: str, fields: _Fields, by: int) -> _Fields:
    """Move what fields refer to."""
    return [
        field if kind == "h" or field is None else field + by
        for kind, field in zip(kinds, fields, strict=True)
    ]


def _u32(data: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", data, place)[0])


def _write(descriptor: int, data: bytes, place: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, place)
        rest, place = rest[written:], place + written
