"""Files that are written once and never read again: their rows are counted as bytes go by."""

import io
from collections import deque
from typing import TYPE_CHECKING, BinaryIO, Final

from tokenkit.engines.structure import Structure

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LEAST, _SHARE, _MOST = 2 * 2**20, 32, 64 * 2**20
_PIECE: Final = 2**20


class Passing(io.RawIOBase, BinaryIO):
    """A file to write to, which passes everything on to another; that one stays open.

    Parameters
    ----------
    file
        The other file.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Look at the bytes and pass them on."""
        content = data if isinstance(data, bytes) else bytes(memoryview(data))
        self.look(content)
        self._file.write(content)
        return len(content)

    def look(self, data: bytes) -> None:
        """Look at bytes on their way."""


class Lines(Passing):
    r"""Counts lines.

    Examples
    --------
    >>> lines = Lines(io.BytesIO())
    >>> lines.write(b"one\ntwo\n")
    8
    >>> lines.rows
    2
    """

    rows = 0

    def look(self, data: bytes) -> None:
        """Count line ends."""
        self.rows += data.count(b"\n")


class Records(Passing):
    """Counts the records of a CSV file, and checks that they are well-formed.

    Parameters
    ----------
    file
        Where everything goes.
    structure
        How the records are written.
    """

    def __init__(self, file: BinaryIO, structure: Structure) -> None:
        super().__init__(file)
        self._structure = structure
        self._rest = b""
        self._enough = _PIECE

    def look(self, data: bytes) -> None:
        """Count the records that are complete."""
        self._rest += data
        if len(self._rest) >= self._enough:
            self._rest = self._rest[self._structure.feed(self._rest) :]
            self._enough = max(_PIECE, 2 * len(self._rest))

    def finish(self) -> int:
        """Count the records of all."""
        self._structure.finish(self._rest)
        self._rest = b""
        return self._structure.rows


class Tail(Passing):
    """Keeps a file's end, as much of it as a footer may have.

    Examples
    --------
    >>> tail = Tail(io.BytesIO())
    >>> tail.write(b"rows"), tail.write(b"footer")
    (4, 6)
    >>> tail.end()
    b'rowsfooter'
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._pieces: deque[bytes] = deque()
        self._kept = self._written = 0

    def look(self, data: bytes) -> None:
        """Keep it, and let go of what is too far from the end."""
        self._pieces.append(data)
        self._kept += len(data)
        self._written += len(data)
        most = min(_LEAST + self._written // _SHARE, _MOST)
        while self._kept - len(self._pieces[0]) >= most:
            self._kept -= len(self._pieces.popleft())

    def end(self) -> bytes:
        """Give what is kept."""
        return b"".join(self._pieces)
