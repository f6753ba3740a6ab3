"""What is wrong with a policy's fields: names of fields and choices, and no value."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

Location: TypeAlias = tuple[str | int, ...]
"""Where a field stands: the names on the way to it."""
Place: TypeAlias = Callable[[Location], str]
"""Says where a field stands, as the beginning of a message (``"policy.yaml, line 3: "``)."""

FIELDS = {
    "policy": ("columns", "unlisted", "rejects", "pins"),
    "keep": ("first", "last"),
    "rejects": ("key", "max_fraction"),
    "tokenized": (
        *("action", "scheme", "key", "domain", "keep", "check_digit", "alphabet", "separators"),
        *("min_length", "max_length", "width", "allow_small_domain", "literals", "normalize"),
        *("tweak", "output", "version", "on_invalid"),
    ),
    "untouched": ("action",),
}
"""The fields of each kind of mapping in a policy."""
_COLUMN_HINT = "card: {scheme: credit-card, key: payments}, or note: {action: keep}"
_QUOTES = "put it in quotes if it looks like a number, a date, yes or no"
_IS = {
    "action": "tokenize, keep or drop",
    "check_digit": "ignore, valid or invalid",
    "literals": "a list of texts",
    "max_fraction": "a number from 0 to 1",
    "normalize": "a list of trim, nfc, lower and strip-separators",
    "on_invalid": "error, null, reject or seal",
    "output": "same or string",
    "pins": "a mapping from the ids of key versions to their key-check values",
    "unlisted": "error, keep or drop",
    "version": "a number from 1 on, or primary",
}
"""What a field is, where it is more than of a kind."""
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "greater_than_equal": "a number from 0 to 15",
    "less_than_equal": "a number from 0 to 15",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
}
_HINTS = {
    "a text": _QUOTES,
    "a whole number": "write it without quotes or a fraction",
    "true or false": "write true or false without quotes",
}
_RIGHT = {
    "action": "leave action out to tokenize the column, or say action: keep or action: drop",
    "check_digit": "check_digit: valid",
    "first": "keep: {first: 6, last: 4}",
    "keep": "keep: {first: 6, last: 4}",
    "last": "keep: {first: 6, last: 4}",
    "literals": 'literals: ["N/A", "0"], each in quotes',
    "normalize": "normalize: [trim, lower]",
    "on_invalid": "on_invalid: reject sets rows aside; error (the default) makes the job fail",
    "output": "output: string",
    "pins": 'pins: {305419896: "5eb63bbbe01eeed093cb22bb8f5acdc3"}; '
    "tokenkit keys list KEYRING --json shows both",
    "max_fraction": "rejects: {key: people, max_fraction: 0.01}",
    "rejects": "rejects: {key: people}",
    "unlisted": "unlisted: keep",
    "version": "version: 2",
    "width": "width: 10",
}
"""What would be right for a field."""
_PLAIN = re.compile(r"[a-z][a-z_-]{0,31}")


def complaint(error: Mapping[str, Any]) -> tuple[Location, str | None, str, str | None]:
    """Put one of pydantic's errors into our own words.

    Returns
    -------
    location, column, message, hint
        Where it is, which column it concerns, what is wrong and what would be right.

    Examples
    --------
    >>> complaint({"type": "missing", "loc": ("columns", "card", "tokenized", "key")})[1:3]
    ('card', 'the field "key" is missing')
    """
    location: Location = error["loc"]
    if location[-1] == "[key]":
        # What stands there is no name; it may be a value that lost its place.
        return location[:-1], None, "a column's name is a text", "put the name in quotes"
    kind = "policy"
    if location[0] == "columns" and len(location) > 2:
        # The third step is the kind of column, which stands in no policy.
        kind, location = str(location[2]), location[:2] + location[3:]
    column = str(location[1]) if location[0] == "columns" and len(location) > 1 else None
    message, hint = _words(error, kind, location)
    return location, column, message, hint


def field_in_words(name: object) -> str:
    """Name a field that shouldn't be there, unless it could be a value gone astray.

    Examples
    --------
    >>> field_in_words("kee"), field_in_words("4111 1111")
    ('field "kee"', 'such field')
    """
    return f'field "{name}"' if isinstance(name, str) and _PLAIN.fullmatch(name) else "such field"


def _words(error: Mapping[str, Any], kind: str, location: Location) -> tuple[str, str | None]:
    if location == ("columns",) and error["type"] != "missing":
        return "columns is a mapping from column names to what happens to them", _COLUMN_HINT
    if location[0] == "columns" and len(location) == 2:
        return "a column has its fields in a mapping", _COLUMN_HINT
    field = str(location[-1])
    match error["type"]:
        case "missing":
            return f'the field "{field}" is missing', _missing_hint(field)
        case "extra_forbidden":
            inner = [str(step) for step in location[:-1] if step in {"keep", "rejects"}]
            return _unknown(location[-1], inner[-1] if inner else kind)
    return _wrong(error, kind, location)


def _wrong(error: Mapping[str, Any], kind: str, location: Location) -> tuple[str, str | None]:
    # An item of a list has its number for a name.
    number = location[-1] if isinstance(location[-1], int) else None
    field = str(location[-1] if number is None else location[-2])
    if error["type"] == "nothing":
        return f'the field "{field}" has no value', _RIGHT.get(
            field, "leave it out, or give it one"
        )
    if kind == "untouched":
        return "action is tokenize, keep or drop", _RIGHT["action"]
    what = _IS.get(field) or _KINDS.get(error["type"], "of another kind")
    odd = "" if number is None else f": number {number + 1} is not one"
    return f"{field} is {what}{odd}", _RIGHT.get(field, _HINTS.get(what))


def _missing_hint(field: str) -> str:
    if field == "columns":
        return f"columns: followed by lines such as {_COLUMN_HINT}"
    return f"a tokenized column needs scheme and key, others an action: {_COLUMN_HINT}"


def _unknown(field: object, kind: str) -> tuple[str, str]:
    if kind == "untouched" and field in FIELDS["tokenized"]:
        return (
            f'a column with an action has no field "{field}"',
            "leave action out to tokenize the column",
        )
    fields = FIELDS[kind]
    close = get_close_matches(str(field), fields, n=1)
    known = ", ".join(fields)
    return (
        f"there is no {field_in_words(field)}",
        f"did you mean {close[0]}?" if close else f"fields here are {known}",
    )
