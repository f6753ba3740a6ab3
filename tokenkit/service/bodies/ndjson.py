"""Bodies as NDJSON: an object a line, with a value and perhaps a tweak."""

import io

import polars as pl
import pyarrow as pa

from tokenkit.engines.json_lines import JsonLines
from tokenkit.errors import InputError, InvalidRequest, RequestTooLarge

MEDIA_TYPE = "application/x-ndjson"
_VALUE = "value"
_TWEAK = "tweak"


def read_lines(content: bytes, most: int) -> tuple[pa.Array, pa.Array | None]:
    r"""Read the values, and the tweak of each; a line without a value is null.

    Raises
    ------
    InvalidRequest
        If a line is no object of these keys, or values are neither all strings nor all integers.
    RequestTooLarge
        If there are too many lines.

    Examples
    --------
    >>> read_lines(b'{"value": "a"}\n{"value": null}\n', 10)[0].to_pylist()
    ['a', None]
    """
    looked = JsonLines([_VALUE, _TWEAK])
    line: int | None = None
    try:
        looked.feed(content.decode(), 1)
    except InputError as exc:
        line = exc.line
    except UnicodeDecodeError:
        line = 0
    if line is not None:
        raise _unreadable(line)
    if looked.rows > most:
        raise RequestTooLarge(
            f"a body has at most {most:,} values", reason="values", hint="send several"
        )
    kinds = {name: set(found) for name, found in looked.columns().items()}
    if not looked.rows:
        return pa.array([], pa.string()), None
    schema: dict[str, pl.DataType] = {_VALUE: _type(kinds.get(_VALUE, set()))}
    if kinds.get(_TWEAK):
        if not kinds[_TWEAK] <= {"text", "null"}:
            raise InvalidRequest("tweaks are strings", location="body.tweak", reason="value_type")
        schema[_TWEAK] = pl.String()
    try:
        frame = pl.read_ndjson(io.BytesIO(content), schema=schema)
    except (pl.exceptions.PolarsError, ValueError, OSError):
        frame = None
    if frame is None or frame.height != looked.rows:
        raise _unreadable(0)
    values = _arrow(frame[_VALUE])
    return values, _arrow(frame[_TWEAK]) if _TWEAK in schema else None


def write_lines(name: str, found: pa.Array, reasons: pa.Array) -> bytes:
    """Write an object for each value: what it became, and why where it doesn't fit."""
    columns = [pl.Series(name, found), pl.Series("reason", reasons)]
    sink = io.BytesIO()
    pl.DataFrame(columns).write_ndjson(sink)
    return sink.getvalue()


def _type(kinds: set[str]) -> pl.DataType:
    if kinds <= {"text", "null"} and kinds:
        return pl.String()
    if kinds <= {"integer", "negative", "null"} and kinds:
        return pl.Int64()
    raise InvalidRequest(
        "values are all strings, or all integers of 64 bits; null is null",
        location="body.value",
        reason="value_type",
        hint="write other kinds of values as strings",
    )


def _arrow(series: pl.Series) -> pa.Array:
    kind = pa.string() if series.dtype == pl.String else pa.int64()
    return series.to_arrow().cast(kind)


def _unreadable(line: int) -> InvalidRequest:
    place = f"line {line}" if line else "a line"
    return InvalidRequest(
        f'{place} is no JSON object with the keys "value" and "tweak" alone',
        location="body",
        reason="ndjson_invalid",
    )
