"""NDJSON line by line: what JSON allows and a table can't hold is found, with its line."""

import codecs
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from tokenkit.errors import InputError
from tokenkit.jobs.connectors.options import TextOptions
from tokenkit.jobs.connectors.text import TextReader

_LONGEST_LINE = 256 * 2**20
_SURE_DIGITS = 15
_LONGEST_INTEGER = 20
_LARGEST_INT64, _LARGEST_UINT64, _LEAST_INT64 = 2**63 - 1, 2**64 - 1, -(2**63)

Row = tuple[tuple[str, Any], ...]


class Integer(str):
    """An integer as it's written."""

    __slots__ = ()


class Fraction(str):
    """A number with a point or an exponent, as it's written."""

    __slots__ = ()


def blocks(path: Path, options: TextOptions) -> Iterator[tuple[int, str]]:
    """Give whole lines of a file, together with the number of the first of them."""
    tail, line = b"", 1
    with TextReader(path, options) as reader:
        while data := reader.read(max(len(tail), 2**20)):
            tail += data
            if line == 1:
                tail = tail.removeprefix(codecs.BOM_UTF8)
            end = tail.rfind(b"\n") + 1
            if end:
                yield line, _text(path, tail[:end], line)
                line += tail.count(b"\n", 0, end)
                tail = tail[end:]
            elif len(tail) > _LONGEST_LINE:
                raise problem(path, line, "a line is longer than 256 MiB")
    if tail:
        yield line, _text(path, tail, line)


def rows(path: Path, first: int, text: str) -> Iterator[tuple[int, Row]]:
    """Give the objects of some lines, with the lines' numbers. Empty lines are no rows."""
    for number, line in enumerate(text.split("\n"), first):
        if line and not line.isspace():
            yield number, _row(path, number, line)


def problem(path: Path, line: int, what: str, *, column: str | None = None) -> InputError:
    """Say what is wrong with a line."""
    declared = "declare the column's type as text" if column is not None else "correct the line"
    return InputError(what, file=str(path), line=line, column=column, hint=declared)


def new_column(path: Path, line: int, key: str) -> "Column":
    """Begin a column for a key that wasn't there before."""
    if not key or "\0" in key:
        raise problem(path, line, "an object has a key that is empty or holds a NUL")
    return Column()


class Column:
    """What the values of a key are, and the line on which each of it was first seen."""

    def __init__(self) -> None:
        self.lines: dict[type, int] = {}
        self.negative_zero = False
        # Integers of each kind, and numbers that no float holds exactly.
        self.negative = self.unsigned = self.beyond = self.not_float = self.integer_not_float = 0

    def see(self, value: Any, line: int) -> None:
        """Take another value into account."""
        kind = type(value)
        if kind not in self.lines:
            self.lines[kind] = line
        if kind is Integer:
            if len(value) > _SURE_DIGITS:
                self._long_integer(value, line)
            if value[0] == "-":
                self.negative = self.negative or line
                if value == "-0":
                    # Only a float has it.
                    self.lines.setdefault(Fraction, line)
                    self.negative_zero = True
        elif (
            kind is Fraction
            and not self.not_float
            and (len(value) > _SURE_DIGITS or "e" in value or "E" in value)
            and not _exact(value)
        ):
            self.not_float = line

    def _long_integer(self, value: str, line: int) -> None:
        # Python refuses to convert thousands of digits.
        number = int(value) if len(value) <= _LONGEST_INTEGER else _LARGEST_UINT64 + 1
        if not _LEAST_INT64 <= number <= _LARGEST_UINT64:
            self.beyond = self.beyond or line
        elif number > _LARGEST_INT64:
            self.unsigned = self.unsigned or line
        if not self.integer_not_float and not _exact(value):
            self.integer_not_float = line

    def dtype(self, path: Path, name: str) -> pl.DataType:
        """Give the column's type, or refuse what has none without losing something."""
        kinds = set(self.lines) - {type(None)}
        line, what = 0, ""
        if kinds & {list, tuple}:
            line = min(self.lines[kind] for kind in kinds & {list, tuple})
            raise InputError(
                "a value is a list or an object",
                file=str(path),
                line=line,
                column=name,
                hint="only text, numbers, true, false and null make a table",
            )
        if len(kinds - {Fraction}) > 1 or (Fraction in kinds and kinds - {Fraction, Integer}):
            line = sorted(self.lines[kind] for kind in kinds)[1]
            what = "a value is of another kind than the column's values before it"
        elif Fraction in kinds and (line := self.not_float or self.integer_not_float):
            what = "a number has more digits than a float holds"
        elif kinds == {Integer} and (line := self._line_out_of_range()):
            what = "a number doesn't fit into 64 bits together with the column's other numbers"
        if line:
            raise problem(path, line, what, column=name)
        if Fraction in kinds:
            return pl.Float64()
        if Integer in kinds:
            return pl.UInt64() if self.unsigned else pl.Int64()
        return pl.Boolean() if bool in kinds else pl.String()

    def _line_out_of_range(self) -> int:
        return self.beyond or (
            self.negative and self.unsigned and max(self.negative, self.unsigned)
        )


def _text(path: Path, data: bytes, line: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        place = exc.start
    raise problem(path, line + data.count(b"\n", 0, place), "the text is not UTF-8")


def _row(path: Path, line: int, text: str) -> Row:
    what = "a line is no JSON object"
    try:
        text = text.strip(" \t\r")
        row, end = _DECODER.raw_decode(text)
        if end != len(text) or type(row) is not tuple:
            what = "a line is no JSON object"
        elif len(dict(row)) < len(row):
            what = "an object has the same key twice"
        elif "\\u" in text and not _is_unicode(row):
            what = "text has one half of a surrogate pair"
        else:
            return row
    except (ValueError, RecursionError):
        pass
    raise problem(path, line, what)


def _is_unicode(row: Row) -> bool:
    try:
        for key, value in row:
            key.encode()
            if isinstance(value, str):
                value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exact(written: str) -> bool:
    number = float(written)
    return math.isfinite(number) and Decimal(repr(number)) == Decimal(written)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=tuple, parse_int=Integer, parse_float=Fraction, parse_constant=_refuse
)
