"""CSV: comma-separated UTF-8 with a header; every value is text; metadata in a sidecar.

Values are never guessed at: leading zeros, 19 digits and "NA" come out as they went in. An empty
field without quotes is null, ``""`` is the empty string, and both are written so. Other fields get
quotes only where they need them, lines end in a line feed.
"""

from pathlib import Path
from typing import BinaryIO

import polars as pl

from tokenkit.errors import InputError, UnsupportedType
from tokenkit.jobs.connectors.protocol import Format

SIDECAR_SUFFIX = ".tokenkit.json"
_MOST_METADATA = 64 * 2**20
_SAMPLE = 256 * 1024
_COMPLAINTS = {
    "more fields than defined": "a row has more fields than the header",
    "utf-8": "the file is not UTF-8 text",
    "could not parse": "a quoted field is not closed, or its quotes are not doubled",
    "not properly escaped": "a quoted field is not closed, or its quotes are not doubled",
}


class CsvSource:
    """A CSV file to read."""

    rows = None

    def __init__(self, path: Path) -> None:
        self._path = path
        names = _header(path)
        if names is None:
            raise InputError(
                "the file is empty, or its first line can't be read as a header",
                file=str(path),
                line=1,
                hint="a CSV file begins with a line of column names, in UTF-8",
            )
        self.schema = pl.Schema(dict.fromkeys(_checked(path, names), pl.String))
        self.estimated_rows = _estimated_rows(path)
        self.metadata = _sidecar(path)

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily; every column is text."""
        # The names are given because Polars leaves doubled quotes in a header as they are.
        return pl.scan_csv(
            self._path, infer_schema=False, glob=False, new_columns=self.schema.names()
        )

    def complaint(self, text: str) -> str | None:
        """Say what an error of Polars says about the file's structure."""
        return next((ours for theirs, ours in _COMPLAINTS.items() if theirs in text.lower()), None)


class CsvSink:
    """A CSV file to write."""

    metadata_beside = True

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
        return frame.sink_csv(file, lazy=True)

    def count(self, path: Path) -> int:
        """Count the rows."""
        rows = pl.scan_csv(path, infer_schema=False, glob=False).select(pl.len())
        return int(rows.collect(engine="streaming").item())


def sidecar_of(path: Path) -> Path:
    """Give the place of a file's sidecar.

    Examples
    --------
    >>> sidecar_of(Path("customers.csv")).name
    'customers.csv.tokenkit.json'
    """
    return path.with_name(path.name + SIDECAR_SUFFIX)


def _header(path: Path) -> list[str | None] | None:
    try:
        first = pl.scan_csv(path, has_header=False, n_rows=1, infer_schema=False, glob=False)
        return list(first.collect(engine="streaming").row(0))
    except (pl.exceptions.PolarsError, OSError, ValueError, IndexError):
        return None


def _checked(path: Path, names: list[str | None]) -> list[str]:
    # The names aren't quoted: in a file without a header they are values.
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name:
            problem = f"column {place} has no name"
        elif name in places:
            problem = f"the columns {places[name]} and {place} have the same name"
        else:
            places[name] = place
            continue
        raise InputError(
            problem, file=str(path), line=1, hint="give each column a name of its own in the header"
        )
    return list(places)


def _estimated_rows(path: Path) -> int:
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    return round(path.stat().st_size * sample.count(b"\n") / max(len(sample), 1))


def _sidecar(path: Path) -> bytes | None:
    try:
        with sidecar_of(path).open("rb") as file:
            return file.read(_MOST_METADATA)
    except FileNotFoundError:
        return None


FORMAT = Format("csv", (".csv",), CsvSource, CsvSink)
