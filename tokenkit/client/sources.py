"""Files that are uploaded: by their path, as bytes, or open; read as they are sent."""

import os
import stat
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from tokenkit.client.effects import Content

Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes themselves, or a file that is open in binary mode."""
FORMATS: Final = ("csv.gz", "csv.zst", "tsv.gz", "tsv.zst", "csv", "tsv", "parquet")
_PIECE = 2**18
_MEDIA = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/vnd.apache.parquet",
}
_ANY = "application/octet-stream"


def format_of(name: str | os.PathLike[str]) -> str | None:
    """Give the format that a name ends in.

    Examples
    --------
    >>> format_of("customers.CSV.gz"), format_of("customers.txt")
    ('csv.gz', None)
    """
    lower = Path(name).name.lower()
    return next((form for form in FORMATS if lower.endswith(f".{form}")), None)


def named_format(source: Source) -> str | None:
    """Give the format that a source's own name ends in, if it has one."""
    return format_of(source) if isinstance(source, str | os.PathLike) else None


def upload_content(source: Source, form: str | None) -> Content:
    r"""Make the body of a request of a file, which is read a piece at a time.

    Raises
    ------
    OSError
        If there is no such file, or it can't be read.
    TypeError
        If it is open as text, or is something else.

    Examples
    --------
    >>> upload_content(b"ssn\n078-05-1120\n", "csv")
    Content(media_type='text/csv', length=16)
    """
    media = _MEDIA.get(form or "csv", _ANY)
    if isinstance(source, bytes):
        return Content(
            media_type=media,
            length=len(source),
            pieces=lambda: _slices(source),
            can_repeat=lambda: True,
        )
    if isinstance(source, str | os.PathLike):
        return _of_path(Path(source), media)
    if not callable(getattr(source, "read", None)):
        raise TypeError("what is uploaded is a path, bytes, or a file that is open in binary mode")
    return _of_file(source, media)


def _of_path(path: Path, media: str) -> Content:
    found = path.stat()
    length = found.st_size if stat.S_ISREG(found.st_mode) else None
    was_read = False

    def pieces() -> Generator[bytes, None, None]:
        nonlocal was_read
        was_read = True
        with path.open("rb") as file:
            yield from _read(file, length)

    # A pipe by its name is read once, like one that is open.
    return Content(
        media_type=media,
        length=length,
        pieces=pieces,
        can_repeat=lambda: length is not None or not was_read,
    )


def _of_file(file: BinaryIO, media: str) -> Content:
    start = length = None
    if file.seekable():
        start = file.tell()
        length = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    was_read = False

    def pieces() -> Generator[bytes, None, None]:
        nonlocal was_read
        if start is not None:
            file.seek(start)
        was_read = True
        yield from _read(file, length)

    return Content(
        media_type=media,
        length=length,
        pieces=pieces,
        can_repeat=lambda: start is not None or not was_read,
    )


def _read(file: BinaryIO, length: int | None) -> Generator[bytes, None, None]:
    """Read a file, up to the length that was announced: what has come since isn't sent."""
    left = length
    while left is None or left > 0:
        piece = file.read(_PIECE if left is None else min(_PIECE, left))
        if not isinstance(piece, bytes):
            raise TypeError("the file is open as text; open it with mode 'rb'")
        if not piece:
            return
        if left is not None:
            left -= len(piece)
        yield piece


def _slices(content: bytes) -> Generator[bytes, None, None]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]
