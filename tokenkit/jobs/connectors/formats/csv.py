"""CSV and TSV: text with a header; every value is text; metadata in a sidecar.

Values are never guessed at: leading zeros, 19 digits and "NA" come out as they went in. An empty
field without quotes is null, ``""`` is the empty string, and both are written so. Other fields get
quotes only where they need them, lines end in a line feed.

A plain UTF-8 file is checked as a whole and then read by Polars. Compressed files and other
encodings are checked and read block by block, so that no text of theirs is ever on a disk.
"""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from tokenkit.engines.structure import Structure
from tokenkit.errors import InputError, JobError, UnsupportedType
from tokenkit.jobs.connectors.compression import Compressor, Reader, codec_of, with_compression
from tokenkit.jobs.connectors.csv_header import delimiter_of, names_of, types_of
from tokenkit.jobs.connectors.options import TextOptions, output_options
from tokenkit.jobs.connectors.passing import Records
from tokenkit.jobs.connectors.protocol import Format
from tokenkit.jobs.connectors.remote import AnyFile
from tokenkit.jobs.connectors.sidecar import read_sidecar
from tokenkit.jobs.connectors.streams import Stream
from tokenkit.jobs.connectors.text import CHUNK, TextReader, estimated_rows

_COMPLAINTS = {
    "more fields than defined": "a row has more fields than the header",
    "utf-8": "the file is not UTF-8 text",
    "could not parse": "a quoted field is not closed, or its quotes are not doubled",
    "not properly escaped": "a quoted field is not closed, or its quotes are not doubled",
    "csv malformed": "a quoted field is not closed, or its quotes are not doubled",
}


class CsvSource:
    """A CSV file to read."""

    def __init__(self, path: AnyFile, options: TextOptions) -> None:
        self._path = path
        self._options = options
        self._delimiter = delimiter_of(path.name, options)
        names = names_of(path, options)
        self.schema = pl.Schema(dict.fromkeys(names, pl.String()))
        self.types = types_of(path, self.schema, options)
        self.rows: int | None = None
        self.estimated_rows = estimated_rows(path, options)
        self.metadata = read_sidecar(path)
        plain = options.is_utf8 and codec_of(path.name) is None
        self._plain = path if plain and isinstance(path, Path) else None
        self._stream = Stream(self._blocks, self.schema)

    def check(self) -> None:
        """Check every record of a plain file; others are checked while they're read."""
        if self._plain is not None:
            structure = self._structure()
            structure.scan(self._plain)
            self.rows = structure.rows

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily; every column is text."""
        if self._plain is None:
            return self._stream.scan()
        # The names are given because Polars leaves doubled quotes in a header as they are.
        return pl.scan_csv(
            self._plain,
            has_header=self._options.header,
            separator=self._delimiter,
            quote_char=self._options.quote,
            infer_schema=False,
            glob=False,
            new_columns=self.schema.names(),
        )

    def explain(self, text: str) -> JobError | None:
        """Say what an error of the scan says about the file."""
        if self._plain is None:
            return self._stream.failure
        lowered = text.lower()
        problem = next((ours for theirs, ours in _COMPLAINTS.items() if theirs in lowered), None)
        if problem is None:
            return None
        return InputError(problem, file=str(self._path), hint="correct the input")

    def _blocks(self) -> Iterator[pl.DataFrame]:
        """Read whole records at a time, as the structure finds them."""
        structure = self._structure()
        # Polars skips blank lines at a beginning, though they may be records; so each block gets a
        # header.
        stand_in = self._delimiter.join("x" for _ in self.schema).encode() + b"\n"
        header, tail, records = b"" if self._options.header else stand_in, b"", 0
        mark = b"" if self._options.header else codecs.BOM_UTF8
        with TextReader(self._path, self._options) as reader:
            while data := reader.read(max(CHUNK, len(tail))):
                tail += data
                end = structure.feed(tail)
                if end:
                    block = header + tail[:end].removeprefix(mark)
                    yield self._parsed(block, structure.records - records)
                    header, mark = stand_in, b""
                    tail, records = tail[end:], structure.records
        structure.finish(tail)
        if structure.records > records:
            block = header + tail.removeprefix(mark)
            yield self._parsed(block, structure.records - records)
        self.rows = structure.rows

    def _parsed(self, text: bytes, records: int) -> pl.DataFrame:
        try:
            frame = pl.read_csv(
                io.BytesIO(text),
                separator=self._delimiter,
                quote_char=self._options.quote,
                infer_schema=False,
                new_columns=self.schema.names(),
            )
        except pl.exceptions.PolarsError:
            frame = None
        # The first block's header is one of its records.
        if frame is None or records - frame.height not in {0, int(self._options.header)}:
            raise InputError("records can't be read", file=str(self._path), hint="check the quotes")
        return frame

    def _structure(self) -> Structure:
        return Structure(
            delimiter=self._delimiter,
            quote=self._options.quote,
            fields=len(self.schema),
            header=self._options.header,
            file=str(self._path),
        )


class CsvSink:
    """A CSV file to write."""

    metadata_beside = True

    def __init__(self, suffix: str, options: TextOptions) -> None:
        self._options = output_options(options)
        self._delimiter = delimiter_of(suffix, options)
        self._codec = codec_of(suffix)
        # Each partition would need a compressor of its own.
        self.partitionable = self._codec is None
        self._compressor: Compressor | None = None

    def check(self, schema: pl.Schema) -> None:
        """Refuse the types that CSV has no form for."""
        for name, dtype in schema.items():
            if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
                raise UnsupportedType(
                    f"a column of type {dtype.base_type().__name__} can't be written to CSV",
                    column=name,
                    hint="write Parquet, or drop the column",
                )

    def write(
        self, frame: pl.LazyFrame, file: "BinaryIO | pl.PartitionBy", metadata: str | None
    ) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        del metadata
        if self._codec is not None:
            file = self._compressor = Compressor(cast("BinaryIO", file), self._codec)
        return self._sink(frame, file)

    def stream(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows to what can only be written to."""
        del metadata
        if self._codec is not None:
            file = self._compressor = Compressor(file, self._codec)
        self._records = Records(file, self._structure())
        return self._sink(frame, self._records)

    def streamed(self) -> int:
        """Count the records that went by."""
        return self._records.finish()

    def _sink(self, frame: pl.LazyFrame, file: "BinaryIO | pl.PartitionBy") -> pl.LazyFrame:
        first = frame.collect_schema().names()[0]
        return frame.sink_csv(
            file,
            include_header=self._options.header,
            # A name that begins with what looks like a byte order mark needs one before it.
            include_bom=self._options.header and first.startswith("\ufeff"),
            separator=self._delimiter,
            quote_char=self._options.quote or '"',
            lazy=True,
        )

    def finish(self, file: BinaryIO | None) -> None:  # noqa: ARG002 - the compressor has it
        """Write the end of compressed data."""
        if self._compressor is not None:
            self._compressor.finish()

    def count(self, path: Path) -> int:
        """Count the rows."""
        structure = self._structure()
        if self._codec is None:
            structure.scan(path)
        else:
            with Reader(path, self._codec) as reader:
                structure.read(cast("BinaryIO", reader))
        return structure.rows

    def _structure(self) -> Structure:
        return Structure(
            delimiter=self._delimiter, quote=self._options.quote, header=self._options.header
        )


FORMAT = Format("csv", with_compression(".csv", ".tsv"), CsvSource, CsvSink)
