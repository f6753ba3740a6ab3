"""Text files as streams of UTF-8, whatever their compression and encoding."""

import codecs
from types import TracebackType
from typing import Self

from tokenkit.errors import InputError
from tokenkit.jobs.connectors.compression import Reader, codec_of
from tokenkit.jobs.connectors.options import TextOptions
from tokenkit.jobs.connectors.remote import AnyFile, size_of

CHUNK = 4 * 2**20
_SAMPLE = 256 * 1024


class TextReader:
    """The text of a file, as UTF-8.

    A context manager. UTF-8 itself is given as it is, valid or not, with a byte order mark or not.

    Parameters
    ----------
    path
        The file.
    options
        Say its encoding.

    Raises
    ------
    InputError
        When reading finds that compressed data is damaged, or that bytes aren't text in the
        encoding; with the line.
    """

    def __init__(self, path: AnyFile, options: TextOptions) -> None:
        self._path = path
        self._encoding = options.encoding
        self._decoder = (
            None if options.is_utf8 else codecs.getincrementaldecoder(options.encoding)()
        )
        self._reader = Reader(path, codec_of(path.name))
        self._ended = False
        self._lines = 0

    def __enter__(self) -> Self:
        self._reader.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reader.__exit__(kind, exc, traceback)

    def read(self, size: int = CHUNK) -> bytes:
        """Read about ``size`` bytes; none at the end."""
        text = b""
        while not text and not self._ended:
            try:
                data = self._reader.read(size)
            except InputError as error:
                error.line = self._lines + 1
                raise
            self._ended = not data
            text = self._decoded(data)
        self._lines += text.count(b"\n")
        return text

    def _decoded(self, data: bytes) -> bytes:
        decoder = self._decoder
        if decoder is None:
            return data
        state = decoder.getstate()
        try:
            return decoder.decode(data, self._ended).encode()
        except UnicodeError:
            pass
        # The error itself holds the data, so nothing of it is kept.
        decoder.setstate(state)
        raise InputError(
            f"the text is not {self._encoding}",
            file=str(self._path),
            line=self._lines + 1 + _lines_before_error(decoder, data),
            hint="say the file's encoding, or correct the file",
        )


def estimated_rows(path: AnyFile, options: TextOptions) -> int:
    """Estimate the number of lines from those at a file's beginning."""
    size = size_of(path)
    with TextReader(path, options) as reader:
        sample = reader.read(_SAMPLE)
    # How far text shrinks when it's compressed isn't known; five times is usual.
    grows = 1 if codec_of(path.name) is None else 5
    return round(size * grows * sample.count(b"\n") / max(len(sample), 1))


def _lines_before_error(decoder: codecs.IncrementalDecoder, data: bytes) -> int:
    """Count the lines that can be decoded, by halving."""
    state = decoder.getstate()
    good, bad = 0, len(data)
    while bad - good > 1:
        middle = (good + bad) // 2
        decoder.setstate(state)
        try:
            decoder.decode(data[:middle]).encode()
        except UnicodeError:
            bad = middle
        else:
            good = middle
    decoder.setstate(state)
    return decoder.decode(data[:good]).count("\n")
