"""The structure of CSV files, checked before Polars reads them.

Polars fills short rows with nulls, takes quotes in the middle of a field in several ways, and names
neither file nor line. What :class:`Structure` accepts, Polars reads as the same number of rows.
"""

from pathlib import Path
from typing import BinaryIO

from tokenkit import _native
from tokenkit.errors import InputError, InputNotFound, JobError

_PIECE = 512 * 1024


class Structure:
    r"""Checks that all records of a CSV file are well-formed and have as many fields as the first.

    Refused are ragged rows, blank lines (in a file of one column they are rows, but not as the
    first line), quotes that aren't closed, stand inside an unquoted field or are followed by text,
    carriage returns without a line feed outside quotes, bytes that aren't UTF-8, and records over
    256 MiB. A byte-order mark at the start is skipped. NUL is data.

    Parameters
    ----------
    delimiter, quote
        One ASCII character each; ``quote=None`` says that quotes mean nothing.
    fields
        How many fields each record has; by default as many as the first.
    header
        Whether the first record is a header, which is no row.
    file
        What errors call the file.

    Examples
    --------
    >>> structure = Structure()
    >>> structure.feed(b'name,note\nAda,"two\nlines"\nBob')
    26
    >>> structure.finish(b"Bob,x")
    >>> structure.rows, structure.fields
    (2, 2)
    """

    def __init__(
        self,
        *,
        delimiter: str = ",",
        quote: str | None = '"',
        fields: int | None = None,
        header: bool = True,
        file: str | None = None,
    ) -> None:
        self._native = _native.CsvStructure(
            delimiter.encode(), None if quote is None else quote.encode(), fields
        )
        self._header = header
        self._file = file

    @property
    def records(self) -> int:
        """Records so far, a header included."""
        return self._native.records

    @property
    def rows(self) -> int:
        """Records so far without the header."""
        return max(self.records - self._header, 0)

    @property
    def fields(self) -> int | None:
        """Fields in each record; None until the first is complete, unless they were given."""
        return self._native.fields

    def feed(self, data: bytes) -> int:
        r"""Check the next piece.

        Returns
        -------
        int
            The offset behind the last complete record. The next piece starts there: what lies
            behind is given again, with more.

        Raises
        ------
        InputError
            For the first record that can't be accepted, with the line where it starts.

        Examples
        --------
        >>> Structure().feed(b"a,b\n1")
        4
        """
        try:
            return self._native.feed(data)
        except InputError as error:
            error.file = self._file
            raise

    def finish(self, data: bytes) -> None:
        r"""Check the rest, in which the last record may lack its line end.

        Raises
        ------
        InputError
            As for :meth:`feed`, and for a quote that is still open.

        Examples
        --------
        >>> Structure(file="cards.csv").finish(b'a,b\n1,"2')
        Traceback (most recent call last):
        ...
        tokenkit.errors.jobs.InputError: a quoted field is not closed [file="cards.csv" line=2]
        hint: ...
        """
        try:
            self._native.finish(data)
        except InputError as error:
            error.file = self._file
            raise

    def read(self, stream: BinaryIO) -> None:
        r"""Check all that a stream holds, such as what comes out of a decompressor.

        Raises
        ------
        InputError
            As for :meth:`finish`. What the stream raises is raised as it is.

        Examples
        --------
        >>> import io
        >>> structure = Structure(header=False)
        >>> structure.read(io.BytesIO(b"1,2\r\n3,4\r\n"))
        >>> structure.rows
        2
        """
        tail = b""
        size = _PIECE
        while piece := stream.read(size):
            data = tail + piece
            tail = data[self.feed(data) :]
            # A long record is then copied a few times, not once a piece.
            size = max(_PIECE, len(tail))
        self.finish(tail)

    def scan(self, path: Path) -> None:
        r"""Check a whole file, without Python's lock.

        Raises
        ------
        InputError
            As for :meth:`finish`; the file is named by its path, unless it has another name here.
        InputNotFound
            If there is no such file.
        JobError
            If it can't be read.

        Examples
        --------
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "cards.csv"
        >>> path.write_bytes(b"a,b\n1,2\n")
        8
        >>> structure = Structure()
        >>> structure.scan(path)
        >>> structure.rows
        1
        """
        file = self._file or str(path)
        failure: JobError
        try:
            return self._native.scan_file(str(path))
        except InputError as error:
            error.file = file
            raise
        except FileNotFoundError:
            failure = InputNotFound("there is no such file", file=file)
        except OSError as error:
            failure = JobError(f"the file can't be read ({type(error).__name__})", file=file)
        raise failure
