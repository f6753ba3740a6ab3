"""How text files are written: delimiter, quote, encoding, header, types."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from tokenkit.errors import JobError

_TYPES: Mapping[str, pl.DataType] = {
    "text": pl.String(),
    **{kind.__name__.lower(): kind() for kind in (pl.Int8, pl.Int16, pl.Int32, pl.Int64)},
    **{kind.__name__.lower(): kind() for kind in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)},
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
    "time": pl.Time(),
}
_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
_MOST_DIGITS = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How a text file is to be read or written. Other formats have no use for it.

    Attributes
    ----------
    delimiter
        What stands between fields; default: a comma, in TSV a tab.
    quote
        What stands around fields that need it; None if nothing does.
    encoding
        The input's encoding, as Python names it. Outputs are UTF-8.
    header
        Whether the first record holds the columns' names.
    names
        The columns' names, in place of a header or of what the header says.
    types
        What columns are; one that isn't listed is text, in NDJSON what JSON says.

    Raises
    ------
    JobError
        If an option can't be.

    Examples
    --------
    >>> TextOptions(delimiter=";", encoding="windows-1252").header
    True
    >>> TextOptions(types={"price": "decimal(10,2)"}).dtypes()
    {'price': Decimal(precision=10, scale=2)}
    """

    delimiter: str | None = None
    quote: str | None = '"'
    encoding: str = "utf-8"
    header: bool = True
    names: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option, mark in (("delimiter", self.delimiter), ("quote", self.quote)):
            if mark is not None and (len(mark) != 1 or not mark.isascii() or mark in "\r\n\0"):
                raise JobError(f"the {option} is no single ASCII character", hint="such as ;")
        if self.quote is not None and self.delimiter == self.quote:
            raise JobError("delimiter and quote are the same character", hint="change one of them")
        if not _is_text_encoding(self.encoding):
            raise JobError(
                "there is no such encoding", hint="use a name such as utf-8, latin-1 or utf-16"
            )
        if self.names is not None and (
            not all(name and "\0" not in name for name in self.names or [""])
            or len(set(self.names)) < len(self.names)
        ):
            raise JobError(
                "column names are missing, empty or there twice", hint="name each column once"
            )
        if self.names is None and not self.header:
            raise JobError("a file without a header needs names", hint="list the columns' names")
        self.dtypes()

    @property
    def is_utf8(self) -> bool:
        """Whether files are UTF-8, with or without a byte order mark."""
        return codecs.lookup(self.encoding).name in {"utf-8", "utf-8-sig"}

    def dtypes(self) -> dict[str, pl.DataType]:
        """Give the types that were listed."""
        return {name: _dtype(name, written) for name, written in self.types.items()}


def refuse_options(options: TextOptions, path: object | None = None) -> None:
    """Refuse options of text files for a format that isn't text."""
    if options != TextOptions():
        raise JobError(
            "options of text files were given for another format",
            file=None if path is None else str(path),
            hint="leave out delimiter, quote, encoding, header, names and types",
        )


def output_options(options: TextOptions) -> TextOptions:
    """Refuse options that an output can't have."""
    if not options.is_utf8:
        raise JobError("outputs are UTF-8", hint="leave the output's encoding out")
    if options.quote is None:
        raise JobError("an output needs a quote", hint="leave the output's quote out")
    return options


def _dtype(column: str, written: str) -> pl.DataType:
    if (found := _TYPES.get(written)) is not None:
        return found
    if (parts := _DECIMAL.fullmatch(written)) is not None:
        precision, scale = int(parts[1]), int(parts[2])
        if 1 <= precision <= _MOST_DIGITS and scale <= precision:
            return pl.Decimal(precision, scale)
    raise JobError(
        "there is no such type",
        column=column,
        hint=f"types are {', '.join(_TYPES)} and decimal(digits,places)",
    )


def _is_text_encoding(name: str) -> bool:
    try:
        "".encode(name)
    except (LookupError, UnicodeError, ValueError):
        return False
    return True
