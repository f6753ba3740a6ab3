"""NDJSON line by line: what JSON allows and a table can't hold is found, with its line."""

import codecs
import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import polars as pl

from tokenkit.engines.json_lines import JsonLines
from tokenkit.errors import InputError
from tokenkit.jobs.connectors.options import TextOptions
from tokenkit.jobs.connectors.remote import AnyFile
from tokenkit.jobs.connectors.text import TextReader

_LONGEST_LINE = 256 * 2**20
_KINDS = frozenset({"text", "integer", "fraction", "boolean", "list", "object"})

Row = tuple[tuple[str, Any], ...]


class Integer(str):
    """An integer as it's written."""

    __slots__ = ()


class Fraction(str):
    """A number with a point or an exponent, as it's written."""

    __slots__ = ()


def blocks(path: AnyFile, options: TextOptions) -> Iterator[tuple[int, str]]:
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


def rows(path: AnyFile, first: int, text: str) -> Iterator[tuple[int, Row]]:
    """Give the objects of some lines, with the lines' numbers. Empty lines are no rows."""
    for number, line in enumerate(text.split("\n"), first):
        if line.strip(" \t\r"):
            yield number, _row(path, number, line)


def problem(path: AnyFile, line: int, what: str, *, column: str | None = None) -> InputError:
    """Say what is wrong with a line."""
    declared = "declare the column's type as text" if column is not None else "correct the line"
    return InputError(what, file=str(path), line=line, column=column, hint=declared)


def look(path: AnyFile, options: TextOptions) -> JsonLines:
    """Look at every line: which keys there are, and what their values are.

    Raises
    ------
    InputError
        For the first line that can't be accepted.
    """
    lines = JsonLines(options.names, file=str(path))
    for first, text in blocks(path, options):
        lines.feed(text, first)
    return lines


def dtype_of(path: AnyFile, name: str, facts: Mapping[str, int]) -> pl.DataType:
    """Give a column's type, or refuse what has none without losing something."""
    kinds = _KINDS & facts.keys()
    if nested := kinds & {"list", "object"}:
        raise InputError(
            "a value is a list or an object",
            file=str(path),
            line=min(facts[kind] for kind in nested),
            column=name,
            hint="only text, numbers, true, false and null make a table",
        )
    if facts.get("negative_zero") and "integer" in kinds:
        # Only a float has it.
        kinds = kinds | {"fraction"}
    line, what = 0, ""
    if len(kinds - {"fraction"}) > 1 or ("fraction" in kinds and kinds - {"fraction", "integer"}):
        line = sorted(facts.get(kind, facts.get("negative_zero", 0)) for kind in kinds)[1]
        what = "a value is of another kind than the column's values before it"
    elif "fraction" in kinds:
        line = facts.get("inexact_fraction", 0) or facts.get("inexact_integer", 0)
        what = "a number has more digits than a float holds"
    elif "integer" in kinds:
        together = facts.get("negative", 0) and facts.get("unsigned", 0)
        line = facts.get("beyond", 0) or (together and max(facts["negative"], facts["unsigned"]))
        what = "a number doesn't fit into 64 bits together with the column's other numbers"
    if line:
        raise problem(path, line, what, column=name)
    if "fraction" in kinds:
        return pl.Float64()
    if "integer" in kinds:
        return pl.UInt64() if facts.get("unsigned") else pl.Int64()
    return pl.Boolean() if "boolean" in kinds else pl.String()


def _text(path: AnyFile, data: bytes, line: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        place = exc.start
    raise problem(path, line + data.count(b"\n", 0, place), "the text is not UTF-8")


def _row(path: AnyFile, line: int, text: str) -> Row:
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


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=tuple, parse_int=Integer, parse_float=Fraction, parse_constant=_refuse
)
