"""The JSON Schema of policy files, from which editors take completions and warnings."""

from typing import Any, Final

from tokenkit.policy.fields import PolicyFields
from tokenkit.schemes import Algorithm, Scheme, all_schemes

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_KEY_PATTERN: Final = "^[a-z0-9][a-z0-9._-]{0,63}$"
_DOMAIN_PATTERN: Final = "^[a-z0-9._-]{1,64}$"
_TITLES: Final = {
    "TokenizedColumn": "a tokenized column",
    "UntouchedColumn": "a column in clear or left out",
    "KeepFields": "kept characters",
    "RejectsFields": "rejected rows",
}
_EXAMPLE: Final[dict[str, Any]] = {
    "columns": {
        "card": {"scheme": "credit-card", "key": "payments", "keep": {"last": 4}},
        "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "reject"},
        "*_tel": {"scheme": "text", "key": "people", "domain": "phone"},
        "note": {"action": "drop"},
    },
    "unlisted": "keep",
    "rejects": {"key": "people"},
}


def policy_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a policy file.

    A file that it accepts may still be refused: it knows nothing of domain sizes, of columns that
    look joinable and aren't, and of the input.

    Examples
    --------
    >>> schema = policy_schema()
    >>> schema["required"], schema["properties"]["unlisted"]["enum"]
    (['columns'], ['error', 'keep', 'drop'])
    """
    schema = PolicyFields.model_json_schema()
    definitions = schema.pop("$defs")
    tokenized = definitions["TokenizedColumn"]
    _refine(tokenized["properties"])
    tokenized["allOf"] = [_of_scheme(scheme) for scheme in all_schemes()] + [
        {
            "if": {"properties": {"output": {"const": "string"}}, "required": ["output"]},
            "then": {"required": ["width"]},
        }
    ]
    tokenized["dependentSchemas"] = {
        "width": {"properties": {"min_length": False, "max_length": False}}
    }
    tokenized["examples"] = [_EXAMPLE["columns"]["card"]]
    for name, title in _TITLES.items():
        definitions[name]["title"] = title
    definitions["UntouchedColumn"]["examples"] = [{"action": "keep"}]
    definitions["RejectsFields"]["properties"]["key"]["pattern"] = _KEY_PATTERN
    columns = schema["properties"]["columns"]
    # pydantic's own union would make an editor report what is wrong with both kinds of column.
    columns["additionalProperties"] = {
        "if": {
            "type": "object",
            "required": ["action"],
            "properties": {"action": {"not": {"const": "tokenize"}}},
        },
        "then": {"$ref": "#/$defs/UntouchedColumn"},
        "else": {"$ref": "#/$defs/TokenizedColumn"},
    }
    schema["properties"]["rejects"] = {
        "$ref": "#/$defs/RejectsFields",
        "description": schema["properties"]["rejects"]["description"],
    }
    schema["properties"]["pins"] |= {
        "propertyNames": {"pattern": "^[1-9][0-9]{0,9}$"},
        "additionalProperties": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"},
    }
    found = {
        "$schema": DIALECT,
        "title": "tokenkit policy",
        **{name: value for name, value in schema.items() if name != "title"},
        "examples": [_EXAMPLE],
        "$defs": definitions,
    }
    _tidy(found)
    return found


def _refine(properties: dict[str, Any]) -> None:
    """Say what the model leaves to the checks after it."""
    # The other two lead to the other kind of column; they stand here for the editor to offer.
    properties["action"].pop("const")
    properties["action"]["enum"] = ["tokenize", "keep", "drop"]
    properties["scheme"] |= {"enum": [scheme.name for scheme in all_schemes()]}
    properties["key"]["pattern"] = _KEY_PATTERN
    properties["domain"]["pattern"] = _DOMAIN_PATTERN
    # A bare null is read as the choice of that name.
    properties["on_invalid"]["enum"].append(None)
    properties["on_invalid"].pop("type", None)
    properties["literals"] |= {"maxItems": 1_000}
    properties["literals"]["items"] |= {"minLength": 1, "maxLength": 65_536}
    for name in ("min_length", "max_length", "width"):
        properties[name]["minimum"] = 1
    properties["alphabet"] |= {"minLength": 2, "maxLength": 65_536}
    properties["version"]["anyOf"][0]["minimum"] = 1


def _of_scheme(scheme: Scheme) -> dict[str, Any]:
    """Say which fields one scheme needs, and which it doesn't take."""
    every = {parameter for found in all_schemes() for parameter in found.accepts}
    fields: dict[str, Any] = dict.fromkeys(sorted(every - scheme.accepts), False)
    if scheme.algorithm is Algorithm.AES_SIV:
        fields |= {"tweak": False, "on_invalid": {"not": {"const": "seal"}}}
    then: dict[str, Any] = {"properties": fields}
    if scheme.name == "custom":
        then["required"] = ["alphabet"]
    return {
        "if": {"properties": {"scheme": {"const": scheme.name}}, "required": ["scheme"]},
        "then": then,
    }


def _tidy(node: object) -> None:
    """Take out what the model's generator adds: titles, and choices of nothing."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    choices = node.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        kept = [choice for choice in choices if choice != {"type": "null"}]
        del node["anyOf"]
        node |= kept[0] if len(kept) == 1 else {"anyOf": kept}
    if node.get("default", "") in (None, "", [], {}):
        node.pop("default", None)
    for name, value in node.items():
        # Below "properties" stand the fields' names, among which "title" would be one.
        if name == "properties":
            for field in value.values():
                if isinstance(field, dict):
                    field.pop("title", None)
        if name not in {"examples", "enum"}:
            _tidy(value)
