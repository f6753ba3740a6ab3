"""The names of a CSV file's columns, and their types."""

import io

import polars as pl

from tokenkit.engines.structure import Structure
from tokenkit.errors import InputError
from tokenkit.jobs.connectors.options import TextOptions
from tokenkit.jobs.connectors.remote import AnyFile
from tokenkit.jobs.connectors.text import TextReader

_PIECE = 256 * 2**10


def delimiter_of(name: str, options: TextOptions) -> str:
    r"""Give the delimiter: the one that was given, or what a file's suffix says.

    Examples
    --------
    >>> delimiter_of("a.tsv.gz", TextOptions())
    '\t'
    """
    return options.delimiter or ("\t" if ".tsv" in name.lower()[-len(".tsv.zst") :] else ",")


def names_of(path: AnyFile, options: TextOptions) -> list[str]:
    """Give the columns' names, from the first record or in its place.

    Raises
    ------
    InputError
        If there is no first record, or its names are empty, doubled or of another number.
    """
    first = _first_record(path, options)
    if first is None:
        raise InputError(
            "the file is empty",
            file=str(path),
            line=1,
            hint="a CSV file begins with a line of column names",
        )
    if options.names is None:
        return _distinct(path, first)
    if len(first) != len(options.names):
        raise InputError(
            f"the first row has {len(first)} fields, and {len(options.names)} names are given",
            file=str(path),
            line=1,
            hint="give one name a column, and check the delimiter",
        )
    return list(options.names)


def types_of(path: AnyFile, schema: pl.Schema, options: TextOptions) -> dict[str, pl.DataType]:
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


def _distinct(path: AnyFile, first: list[str | None]) -> list[str]:
    # The names aren't quoted: in a file without a header they are values.
    places: dict[str, int] = {}
    for place, name in enumerate(first, 1):
        if not name:
            problem = f"column {place} has no name"
        elif "\0" in name:
            # Arrow's C interface, through which columns go, ends names at a NUL.
            problem = f"the name of column {place} holds a NUL"
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


def _first_record(path: AnyFile, options: TextOptions) -> list[str | None] | None:
    delimiter = delimiter_of(path.name, options)
    structure = Structure(delimiter=delimiter, quote=options.quote, file=str(path))
    text, end = b"", 0
    with TextReader(path, options) as reader:
        while not end and (data := reader.read(max(_PIECE, len(text)))):
            text += data
            end = structure.feed(text)
    if not end:
        structure.finish(text)
        end = len(text)
    if not structure.records:
        return None
    record = pl.read_csv(
        io.BytesIO(text[:end]),
        has_header=False,
        n_rows=1,
        separator=delimiter,
        quote_char=options.quote,
        infer_schema=False,
    )
    return list(record.row(0))
