"""Walks through the pages of a Parquet file, and compares them with their checksums.

Neither Polars nor the footer notices a changed byte in a page. Where a page's header has a checksum
(parquet-mr and Spark write them), the page is compared with it. Page headers are Thrift structures
in the compact protocol.
"""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tokenkit.errors import InputError
from tokenkit.jobs.connectors.remote import AnyFile, size_of

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_MAGIC = 4
_WINDOW = 2**16
_LONGEST_HEADER = 2**24
_READ = 2**22
# Old writers left the header of the dictionary out of a column's size.
_TOLERANCE = 100
_COMPRESSED_SIZE, _CHECKSUM = 3, 4
_DEEPEST = 16


class PageHeader(NamedTuple):
    """What is needed of a page's header."""

    length: int
    size: int
    checksum: int | None


def check_pages(path: Path, footer: "pq.FileMetaData") -> None:
    """Check the pages of every column in every row group.

    Raises
    ------
    InputError
        With the row group, counted from 1, and the column.
    """
    with path.open("rb") as file:
        descriptor = file.fileno()
        _check(path, footer, lambda start, stop: _are_whole(descriptor, start, stop))


def check_chunks(file: AnyFile, footer: "pq.FileMetaData") -> None:
    """Check that every column in every row group lies in the file, without reading it.

    Raises
    ------
    InputError
        With the row group, counted from 1, and the column.
    """
    _check(file, footer, lambda _start, _stop: True)


def _check(file: AnyFile, footer: "pq.FileMetaData", are_whole: Callable[[int, int], bool]) -> None:
    end = size_of(file) - 2 * _MAGIC
    for group in range(footer.num_row_groups):
        columns = footer.row_group(group)
        for index in range(columns.num_columns):
            column = columns.column(index)
            start = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset:
                start = min(start, column.dictionary_page_offset)
            stop = start + column.total_compressed_size
            if not (_MAGIC <= start <= stop <= end and are_whole(start, stop)):
                raise InputError(
                    f"row group {group + 1} is damaged",
                    file=str(file),
                    column=column.path_in_schema.split(".")[0],
                    hint="get a whole copy of the file",
                )


def read_header(data: bytes) -> PageHeader:
    """Read the header that data begins with.

    Raises
    ------
    IndexError
        If more data is needed.
    ValueError
        If it's no page header.
    """
    place, number = 0, 0
    found: dict[int, int] = {}
    while kind := data[place] & 15:
        delta = data[place] >> 4
        place += 1
        if delta:
            number += delta
        else:
            number, place = _varint(data, place)
            number = _signed(number)
        if number in {_COMPRESSED_SIZE, _CHECKSUM}:
            value, place = _varint(data, place)
            found[number] = _signed(value)
        else:
            place = _after(data, place, kind, 0)
    size = found.get(_COMPRESSED_SIZE, -1)
    if size < 0:
        raise ValueError("no page header")
    checksum = found.get(_CHECKSUM)
    return PageHeader(place + 1, size, None if checksum is None else checksum & 0xFFFFFFFF)


def _are_whole(descriptor: int, start: int, stop: int) -> bool:
    place = start
    while place < stop:
        window, header = _WINDOW, None
        while header is None:
            try:
                header = read_header(os.pread(descriptor, window, place))
            except ValueError:
                return False
            except IndexError:
                if window > min(_LONGEST_HEADER, stop - place + _TOLERANCE):
                    return False
                window *= 4
        place += header.length
        if header.checksum is not None and _crc(descriptor, place, header.size) != header.checksum:
            return False
        place += header.size
    return place <= stop + _TOLERANCE


def _crc(descriptor: int, place: int, size: int) -> int:
    checksum = 0
    while size > 0 and (data := os.pread(descriptor, min(size, _READ), place)):
        checksum = zlib.crc32(data, checksum)
        place, size = place + len(data), size - len(data)
    return checksum


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("no page header")


def _signed(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def _after(data: bytes, place: int, kind: int, depth: int) -> int:
    """Give the place behind a field of a kind."""
    if depth > _DEEPEST:
        raise ValueError("no page header")
    match kind:
        case 1 | 2:  # a boolean, which is its kind
            return place
        case 3:
            return place + 1
        case 4 | 5 | 6:
            return _varint(data, place)[1]
        case 7:
            return place + 8
        case 8:
            length, place = _varint(data, place)
            return place + length
        case 12:
            while kind := data[place] & 15:
                delta = data[place] >> 4
                place += 1
                if not delta:
                    place = _varint(data, place)[1]
                place = _after(data, place, kind, depth + 1)
            return place + 1
        case _:  # page headers hold no lists, sets or maps
            raise ValueError("no page header")
