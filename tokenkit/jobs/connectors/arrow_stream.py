"""Arrow IPC files that are written once and never read again.

Rows are counted by the messages that go by, as Arrow's `Message.fbs` describes them; the footer
behind the last one is kept until metadata has been put into it.
"""

import io
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from tokenkit.jobs.connectors.arrow_footer import batch_places, with_footer_entry

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MAGIC: Final = b"ARROW1\0\0"
_PREFIX: Final = struct.Struct("<Ii")
_CONTINUATION: Final = 0xFFFFFFFF
_RECORD_BATCH: Final = 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_LENGTH: Final = 0


class ArrowStream(io.RawIOBase, BinaryIO):
    """A file to write an Arrow IPC file to, which passes all but the footer on to another.

    Parameters
    ----------
    file
        The other file, which stays open.

    Attributes
    ----------
    rows
        The rows of the record batches so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._held = b""
        self._wanted = len(_MAGIC)
        self._part = self._begun
        self._body = 0
        self._ended = False
        self._is_first = True
        self._batches: list[int] = []
        self._message_at = 0
        self._place = 0
        self.rows = 0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Count what is complete, and pass it on."""
        content = data if isinstance(data, bytes) else bytes(memoryview(data))
        rest = content
        while rest:
            if self._ended:
                self._held += rest
                break
            if self._body:
                body, rest = rest[: self._body], rest[self._body :]
                self._body -= len(body)
                self._pass(body)
                continue
            missing = self._wanted - len(self._held)
            self._held, rest = self._held + rest[:missing], rest[missing:]
            if len(self._held) == self._wanted:
                part, self._held = self._held, b""
                self._pass(part)
                self._part(part)
        return len(content)

    def finish(self, key: str, value: str | None) -> None:
        """Write the footer, with an entry in its metadata.

        Raises
        ------
        ValueError
            If what was written is no complete Arrow IPC file, or not all of it was understood.
        """
        if not self._ended or batch_places(self._held) != self._batches:
            raise ValueError("no Arrow IPC file")
        self._file.write(self._held if value is None else with_footer_entry(self._held, key, value))
        self._held = b""

    def _pass(self, data: bytes) -> None:
        self._place += len(data)
        self._file.write(data)

    def _begun(self, data: bytes) -> None:
        if data != _MAGIC:
            raise ValueError("no Arrow IPC file")
        self._wanted, self._part = _PREFIX.size, self._prefix

    def _prefix(self, data: bytes) -> None:
        mark, size = _PREFIX.unpack(data)
        if mark != _CONTINUATION and self._is_first:
            # Polars writes the schema without a prefix. It's a multiple of eight bytes long, and
            # the footer says in the end whether the batches were found.
            return
        self._is_first = False
        if mark != _CONTINUATION or size < 0:
            raise ValueError("no Arrow IPC file")
        self._message_at = self._place - _PREFIX.size
        self._ended = size == 0
        self._wanted, self._part = size, self._message

    def _message(self, data: bytes) -> None:
        root = struct.unpack_from("<I", data, 0)[0]
        kind = _field(data, root, _HEADER_TYPE)
        if kind is not None and data[kind] == _RECORD_BATCH:
            header = _field(data, root, _HEADER)
            if header is None:
                raise ValueError("no Arrow IPC file")
            batch = header + struct.unpack_from("<I", data, header)[0]
            length = _field(data, batch, _LENGTH)
            self._batches.append(self._message_at)
            self.rows += 0 if length is None else struct.unpack_from("<q", data, length)[0]
        body = _field(data, root, _BODY_LENGTH)
        self._body = 0 if body is None else struct.unpack_from("<q", data, body)[0]
        self._wanted, self._part = _PREFIX.size, self._prefix


def _field(data: bytes, table: int, number: int) -> int | None:
    """Give the place of a table's field; None if it has its default."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + slot)[0]
    return table + offset if offset else None
