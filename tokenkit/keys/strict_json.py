"""JSON that has one spelling: what a keyring file and its payload are written in.

A file that doesn't read back to the same bytes is refused, so that no byte of it can be changed
without notice, not even white space.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LAST_YEAR = 9000


class MalformedError(ValueError):
    """The text isn't what it should be; says where, and quotes nothing."""


def parse(text: bytes) -> object:
    """Read JSON, refusing doubled fields, fractions, NaN and what isn't UTF-8."""
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except MalformedError:
        raise
    except (ValueError, RecursionError):
        raise MalformedError("it is no JSON") from None


def compact(value: Mapping[str, object]) -> bytes:
    """Write JSON in its one compact form: sorted names, no white space, ASCII."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def indented(value: Mapping[str, object]) -> bytes:
    """Write JSON for a file that people look at: given order, two spaces, ASCII, a last newline."""
    return (json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def fields(value: object, where: str, **kinds: type) -> dict[str, Any]:
    """Check that a value is an object with exactly the given fields, of exactly these types."""
    if type(value) is not dict:
        raise MalformedError(f"{where} is no object")
    if missing := sorted(kinds.keys() - value.keys()):
        raise MalformedError(f'{where} lacks the field "{missing[0]}"')
    if value.keys() - kinds.keys():
        raise MalformedError(f"{where} has a field that isn't known")
    for name, kind in kinds.items():
        # A bool would pass for an int with isinstance.
        if type(value[name]) is not kind:
            raise MalformedError(f'the field "{name}" of {where} has the wrong type')
    return value


def binary(value: object, where: str) -> bytes:
    """Read strict base64, with padding and without stray bits."""
    if not isinstance(value, str):
        raise MalformedError(f"{where} has the wrong type")
    try:
        content = base64.b64decode(value.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise MalformedError(f"{where} is no base64") from None
    if text(content) != value:
        raise MalformedError(f"{where} is no strict base64")
    return content


def text(content: bytes) -> str:
    """Write base64."""
    return base64.b64encode(content).decode("ascii")


def moment(value: str, where: str) -> datetime:
    """Read a time in UTC, in whole seconds."""
    try:
        found = datetime.strptime(value, _TIME).replace(tzinfo=UTC)
    except ValueError:
        found = None
    # Sums with cryptoperiods stay within the calendar; and a time has one spelling, too.
    if found is None or found.year > _LAST_YEAR or written_moment(found) != value:
        raise MalformedError(f"{where} is no time of the form 2025-01-31T12:00:00Z")
    return found


def written_moment(value: datetime) -> str:
    """Write a time in UTC, in whole seconds."""
    # Unlike strftime, this writes four digits for every year.
    return value.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("a field stands there twice")
    return found


def _refuse_number(_: str) -> NoReturn:
    raise MalformedError("a number in it is no whole number")
