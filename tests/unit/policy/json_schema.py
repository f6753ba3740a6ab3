"""As much of JSON Schema, draft 2020-12, as the schema of policies uses; refuses other keywords."""

from __future__ import annotations

import re
from typing import Any

KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples"}


def is_valid(value: object, schema: Any, root: Any) -> bool:
    """Say whether a schema accepts a value."""
    if isinstance(schema, bool):
        return schema
    return all(
        holds(keyword, value, schema, root)
        for keyword in schema
        if keyword not in ANNOTATIONS | {"then", "else"}
    )


def holds(keyword: str, value: Any, schema: Any, root: Any) -> bool:
    """Say whether one keyword of a schema accepts a value."""
    given = schema[keyword]
    match keyword:
        case "$ref":
            return is_valid(value, root["$defs"][given.removeprefix("#/$defs/")], root)
        case "type":
            return isinstance(value, KINDS[given]) and (
                given == "boolean" or not isinstance(value, bool)
            )
        case "enum":
            return any(type(one) is type(value) and one == value for one in given)
        case "const":
            return type(given) is type(value) and given == value
        case "not":
            return not is_valid(value, given, root)
        case "allOf":
            return all(is_valid(value, one, root) for one in given)
        case "anyOf":
            return any(is_valid(value, one, root) for one in given)
        case "if":
            branch = schema.get("then" if is_valid(value, given, root) else "else", True)
            return is_valid(value, branch, root)
    return of_kind(keyword, given, value, schema, root)


def of_kind(keyword: str, given: Any, value: Any, schema: Any, root: Any) -> bool:
    """Say whether a keyword about one kind of value accepts it; other kinds always pass."""
    objects = isinstance(value, dict)
    texts = isinstance(value, str)
    number = isinstance(value, int) and not isinstance(value, bool)
    match keyword:
        case "properties":
            return not objects or all(
                is_valid(value[name], one, root) for name, one in given.items() if name in value
            )
        case "additionalProperties":
            rest = set(value) - set(schema.get("properties", ())) if objects else ()
            return all(is_valid(value[name], given, root) for name in rest)
        case "required":
            return not objects or set(given) <= set(value)
        case "dependentSchemas":
            return not objects or all(
                is_valid(value, one, root) for name, one in given.items() if name in value
            )
        case "items":
            return not isinstance(value, list) or all(is_valid(one, given, root) for one in value)
        case "maxItems":
            return not isinstance(value, list) or len(value) <= given
        case "minLength":
            return not texts or len(value) >= given
        case "maxLength":
            return not texts or len(value) <= given
        case "pattern":
            return not texts or re.search(given, value) is not None
        case "minimum":
            return not number or value >= given
        case "maximum":
            return not number or value <= given
    raise NotImplementedError(keyword)
