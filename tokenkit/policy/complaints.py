"""What is wrong with a policy's fields: names of fields and choices, and no value."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

Location: TypeAlias = tuple[str | int, ...]
"""Where a field stands: the names on the way to it."""

_NOT_YET = frozenset(
    {"literals", "normalize", "output", "pattern", "rejects", "tweak", "version", "width"}
)
"""Fields that the format reserves and this release doesn't have."""
_CHOICES_NOT_YET = frozenset({"reject", "seal"})

_FIELDS = {
    "policy": ["columns", "unlisted"],
    "keep": ["first", "last"],
    "tokenized": [
        *("scheme", "key", "domain", "keep", "check_digit", "alphabet", "separators"),
        *("min_length", "max_length", "allow_small_domain", "on_invalid"),
    ],
    "untouched": ["action"],
}
_COLUMN_HINT = "card: {scheme: credit-card, key: payments}, or note: {action: keep}"
_KINDS = {
    "string_type": ("a text", "put it in quotes if it looks like a number, a date, yes or no"),
    "int_type": ("a whole number", "write it without quotes or a fraction"),
    "bool_type": ("true or false", "write true or false without quotes"),
    "greater_than_equal": ("a number from 0 to 15", None),
    "less_than_equal": ("a number from 0 to 15", None),
}


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
    kind = "policy"
    if location[0] == "columns" and len(location) > 2:
        # The third step is the kind of column, which stands in no policy.
        kind, location = str(location[2]), location[:2] + location[3:]
    column = str(location[1]) if location[0] == "columns" and len(location) > 1 else None
    message, hint = _words(error, kind, location)
    return location, column, message, hint


def _words(error: Mapping[str, Any], kind: str, location: Location) -> tuple[str, str | None]:
    if location[-1] == "[key]":
        return "a column's name is a text", "put the name in quotes"
    if location == ("columns",) and error["type"] != "missing":
        return "columns is a mapping from column names to what happens to them", _COLUMN_HINT
    if len(location) == 2:
        return "a column has its fields in a mapping", _COLUMN_HINT
    field = str(location[-1])
    match error["type"]:
        case "missing":
            return f'the field "{field}" is missing', _missing_hint(field)
        case "extra_forbidden":
            return _unknown(field, "keep" if "keep" in location[:-1] else kind)
        case "literal_error":
            if error.get("input") in _CHOICES_NOT_YET:
                return (
                    f"this release does not have {field}: {error['input']} yet",
                    "use error or null",
                )
            return f"{field} is {error['ctx']['expected'].replace(chr(39), '')}", None
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"{field} is a mapping", "keep: {first: 6, last: 4}"
    what, hint = _KINDS.get(error["type"], ("of another kind", None))
    return f"{field} is {what}", hint


def _missing_hint(field: str) -> str:
    if field == "columns":
        return f"columns: followed by lines such as {_COLUMN_HINT}"
    return f"a tokenized column needs scheme and key, others an action: {_COLUMN_HINT}"


def _unknown(field: str, kind: str) -> tuple[str, str]:
    if kind == "untouched" and field in _FIELDS["tokenized"]:
        return (
            f'a column with an action has no field "{field}"',
            "leave action out to tokenize the column",
        )
    if field in _NOT_YET:
        return f'this release does not have the field "{field}" yet', "leave it out"
    fields = _FIELDS[kind]
    close = get_close_matches(field, fields, n=1)
    known = ", ".join(fields)
    return (
        f'there is no field "{field}"',
        f"did you mean {close[0]}?" if close else f"fields here are {known}",
    )
