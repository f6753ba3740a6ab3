"""CSV and TSV: text with a header; every value is text; metadata in a sidecar.

Values are never guessed at: leading zeros, 19 digits and "NA" come out as they went in. An empty
field without quotes is null, ``""`` is the empty string, and both are written so. Other fields get
quotes only where they need them, lines end in a line feed.
"""

from pathlib import Path
from typing import BinaryIO

import polars as pl

from tokenkit.errors import InputError, JobError, UnsupportedType
from tokenkit.jobs.connectors.options import TextOptions
from tokenkit.jobs.connectors.protocol import Format
from tokenkit.jobs.connectors.sidecar import read_sidecar

_SAMPLE = 256 * 1024
_COMPLAINTS = {
    "more fields than defined": "a row has more fields than the header",
    "utf-8": "the file is not UTF-8 text",
    "could not parse": "a quoted field is not closed, or its quotes are not doubled",
    "not properly escaped": "a quoted field is not closed, or its quotes are not doubled",
    "csv malformed": "a quoted field is not closed, or its quotes are not doubled",
}


class CsvSource:
    """A CSV file to read."""

    def __init__(self, path: Path, options: TextOptions) -> None:
        self._path = path
        self._options = options
        self._delimiter = delimiter_of(path.name, options)
        first = self._first_record()
        if first is None:
            raise InputError(
                "the file is empty, or its first line can't be read",
                file=str(path),
                line=1,
                hint="a CSV file begins with a line of column names, in UTF-8",
            )
        self.schema = pl.Schema(dict.fromkeys(names_of(path, first, options), pl.String()))
        self.types = types_of(path, self.schema, options)
        self.rows: int | None = None
        self.estimated_rows = _estimated_rows(path)
        self.metadata = read_sidecar(path)

    def check(self) -> None:
        """Check every record's fields, quotes and text."""

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily; every column is text."""
        # The names are given because Polars leaves doubled quotes in a header as they are.
        return pl.scan_csv(
            self._path,
            has_header=self._options.header,
            separator=self._delimiter,
            quote_char=self._options.quote,
            infer_schema=False,
            glob=False,
            new_columns=self.schema.names(),
        )

    def explain(self, text: str) -> InputError | None:
        """Say what an error of Polars says about the file."""
        lowered = text.lower()
        problem = next((ours for theirs, ours in _COMPLAINTS.items() if theirs in lowered), None)
        if problem is None:
            return None
        return InputError(problem, file=str(self._path), hint="correct the input")

    def _first_record(self) -> list[str | None] | None:
        try:
            first = pl.scan_csv(
                self._path,
                has_header=False,
                separator=self._delimiter,
                quote_char=self._options.quote,
                n_rows=1,
                infer_schema=False,
                glob=False,
            )
            return list(first.collect(engine="streaming").row(0))
        except (pl.exceptions.PolarsError, OSError, ValueError, IndexError):
            return None


class CsvSink:
    """A CSV file to write."""

    metadata_beside = True
    partitionable = True

    def __init__(self, suffix: str, options: TextOptions) -> None:
        if not options.is_utf8:
            raise JobError("outputs are UTF-8", hint="leave the output's encoding out")
        if options.quote is None:
            raise JobError("an output needs a quote", hint="leave the output's quote out")
        self._options = options
        self._delimiter = delimiter_of(suffix, options)
        self._quote = options.quote

    def check(self, schema: pl.Schema) -> None:
        """Refuse the types that CSV has no form for."""
        for name, dtype in schema.items():
            if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
                raise UnsupportedType(
                    f"a column of type {dtype.base_type().__name__} can't be written to CSV",
                    column=name,
                    hint="write Parquet, or drop the column",
                )

    def write(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        del metadata
        return frame.sink_csv(
            file,
            include_header=self._options.header,
            separator=self._delimiter,
            quote_char=self._quote,
            lazy=True,
        )

    def finish(self, file: BinaryIO) -> None:
        """Nothing is left to write."""

    def count(self, path: Path) -> int:
        """Count the rows."""
        rows = pl.scan_csv(
            path,
            has_header=self._options.header,
            separator=self._delimiter,
            quote_char=self._quote,
            infer_schema=False,
            glob=False,
        ).select(pl.len())
        return int(rows.collect(engine="streaming").item())


def delimiter_of(name: str, options: TextOptions) -> str:
    """Give the delimiter: the one that was given, or what the suffix says."""
    return options.delimiter or ("\t" if ".tsv" in name.lower() else ",")


def names_of(path: Path, first: list[str | None], options: TextOptions) -> list[str]:
    """Give the columns' names, from the first record or in its place."""
    if options.names is not None:
        if len(first) != len(options.names):
            raise InputError(
                f"the first row has {len(first)} fields, and {len(options.names)} names are given",
                file=str(path),
                line=1,
                hint="give one name a column, and check the delimiter",
            )
        return list(options.names)
    # The names aren't quoted: in a file without a header they are values.
    places: dict[str, int] = {}
    for place, name in enumerate(first, 1):
        if not name:
            problem = f"column {place} has no name"
        elif name in places:
            problem = f"the columns {places[name]} and {place} have the same name"
        else:
            places[name] = place
            continue
        raise InputError(
            problem,
            file=str(path),
            line=1,
            hint="give each column a name of its own in the header, or list the names",
        )
    return list(places)


def types_of(path: Path, schema: pl.Schema, options: TextOptions) -> dict[str, pl.DataType]:
    """Give the types that text columns are to be cast to."""
    for name in options.types:
        if name not in schema:
            raise InputError(
                "a type is given for a column that the file lacks",
                file=str(path),
                column=name,
                hint="correct the name, or leave it out",
            )
    return {name: dtype for name, dtype in options.dtypes().items() if dtype != pl.String}


def _estimated_rows(path: Path) -> int:
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    return round(path.stat().st_size * sample.count(b"\n") / max(len(sample), 1))


FORMAT = Format("csv", (".csv", ".tsv"), CsvSource, CsvSink)
