"""Compressed files, read and written as streams."""

import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from tokenkit.errors import InputError
from tokenkit.jobs.connectors.remote import AnyFile

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import ReadableBuffer

CODECS = {".gz": "gzip", ".zst": "zstd"}
_GZIP_LEVEL = 6
_SUGGESTION = "get a whole copy of the file"


def with_compression(*suffixes: str) -> tuple[str, ...]:
    """Give the suffixes of a format, bare and with each compression.

    Examples
    --------
    >>> with_compression(".csv")
    ('.csv', '.csv.gz', '.csv.zst')
    """
    return tuple(suffix + end for suffix in suffixes for end in ("", *CODECS))


def codec_of(name: str) -> str | None:
    """Give the compression that the end of a file's name says.

    Examples
    --------
    >>> codec_of("a.csv.zst"), codec_of("a.csv")
    ('zstd', None)
    """
    return next((codec for end, codec in CODECS.items() if name.lower().endswith(end)), None)


class Reader:
    """The bytes of a file, decompressed.

    A context manager.

    Parameters
    ----------
    path
        The file.
    codec
        How it's compressed; None if it isn't.

    Raises
    ------
    InputError
        When reading finds that compressed data is cut short or damaged, or that something else
        follows it.
    """

    def __init__(self, path: AnyFile, codec: str | None) -> None:
        self._path = path
        self._codec = codec
        self._begun = False
        self._file, self._stream = _opened(path, codec)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
        self._file.close()

    def read(self, size: int) -> bytes:
        """Read as many bytes as there are, up to ``size``; none at the end."""
        source = self._stream or self._file
        try:
            data: bytes | None = source.read(size)
        except OSError as exc:
            if exc.errno is not None:
                raise
            data, cut = None, "truncated" in str(exc).lower()
        else:
            # Data that is cut off before its first byte isn't missed by the decompressor.
            cut = not data and not self._begun and self._codec is not None
        if data is None or cut:
            problem = "is cut short" if cut else "is damaged, or something else follows it"
            raise InputError(
                f"the {self._codec} data {problem}", file=str(self._path), hint=_SUGGESTION
            )
        self._begun = self._begun or bool(data)
        return data


class Compressor(io.RawIOBase, BinaryIO):
    """A file to write to, which compresses into another; that one stays open.

    Parameters
    ----------
    file
        The file that gets the compressed data.
    codec
        ``gzip`` or ``zstd``.
    """

    def __init__(self, file: BinaryIO, codec: str) -> None:
        super().__init__()
        self._stream: _Stream = _Gzip(file) if codec == "gzip" else _compressed(_Kept(file), codec)

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Compress and write."""
        self._stream.write(data)
        return memoryview(data).nbytes

    def finish(self) -> None:
        """Write the end of the compressed data."""
        self._stream.close()


def _opened(
    path: AnyFile, codec: str | None
) -> "tuple[BinaryIO | pa.NativeFile, pa.CompressedInputStream | None]":
    if codec is None:
        return path.open("rb") if isinstance(path, Path) else path.open(), None
    import pyarrow as pa  # noqa: PLC0415 - a plain file needs none of it

    file = pa.OSFile(str(path)) if isinstance(path, Path) else pa.PythonFile(path.open(), "rb")
    return file, pa.CompressedInputStream(file, codec)


def _compressed(file: "_Kept", codec: str) -> "pa.CompressedOutputStream":
    import pyarrow as pa  # noqa: PLC0415

    return pa.CompressedOutputStream(file, codec)


class _Stream(Protocol):
    def write(self, data: "ReadableBuffer", /) -> object: ...
    def close(self) -> object: ...


class _Gzip:
    # pyarrow's own always takes the slowest level.
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._state = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)

    def write(self, data: "ReadableBuffer", /) -> None:
        self._file.write(self._state.compress(data))

    def close(self) -> None:
        self._file.write(self._state.flush())


class _Kept(io.RawIOBase):
    """A file that another closes."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        if self._file.closed:
            # A stream that was given up writes its end when it's collected; Python would print the
            # error.
            return memoryview(data).nbytes
        return self._file.write(data)
