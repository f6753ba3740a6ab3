"""What the OpenAPI document says of tokenizing and detokenizing."""

from typing import Any

from pydantic import BaseModel, Field

from tokenkit.service.authentication import SCHEME
from tokenkit.service.bodies import arrow, json, ndjson
from tokenkit.service.columns import Operation


class _Answer(BaseModel):
    key: str = Field(description="The key's name.")
    version: int = Field(description="The key version.")
    errors: list[json.ValueFault] | None = Field(
        default=None, description="The values that don't fit; null stands in their places."
    )


class TokenAnswer(_Answer):
    """Tokens, in the order of the values."""

    token: json.Value = None
    tokens: list[json.Value] | None = None


class ValueAnswer(_Answer):
    """Values, in the order of the tokens."""

    value: json.Value = None
    values: list[json.Value] | None = None
    masked: bool | None = Field(
        default=None, description="Whether all but the last four characters are hidden."
    )


_BY_POLICY = {"policy": "orders", "column": "card"}
_BY_SCHEME = {"scheme": "credit-card", "key": "payments", "parameters": {"keep": {"last": 4}}}
_SHOWN: dict[Operation, tuple[str, str, str, str]] = {
    "tokenize": ("4539578763621486", "6011000990139424", "token", "tokens"),
    "detokenize": ("5001828042333164", "6224051182336590", "value", "values"),
}
_QUERY = {
    "policy": "A policy; needs a column. In JSON all of these stand in the body.",
    "column": "A column that the policy tokenizes.",
    "scheme": "In place of a policy; needs a key.",
    "key": "The name of a key.",
    "domain": "By default the scheme's name.",
    "version": "The key version, a number or `primary`.",
    "purpose": "What for, where a grant asks.",
    "parameters": "The scheme's parameters, as JSON.",
}


def documented(operation: Operation) -> dict[str, Any]:
    """Document an operation's bodies and its query."""
    one, other, single, several = _SHOWN[operation]
    examples = {
        "one": {
            "summary": "One value of a policy's column",
            "value": {**_BY_POLICY, "value": one},
        },
        "list": {"summary": "A list", "value": {**_BY_POLICY, "values": [one, None, other]}},
        "scheme": {"summary": "By scheme and key", "value": {**_BY_SCHEME, "value": one}},
    }
    answers = {
        "one": {
            "summary": "One value",
            "value": {single: other, "key": "payments", "version": 1},
        },
        "list": {
            "summary": "A list, of which the third value doesn't fit",
            "value": {
                several: [other, None, None],
                "key": "payments",
                "version": 1,
                "errors": [{"index": 2, "reason": "check_digit"}],
            },
        },
    }
    schema = json.TokenBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    binary = {"schema": {"type": "string", "format": "binary"}}
    lines = {"schema": {"type": "string"}, "example": f'{{"value": "{one}"}}\n{{"value": null}}\n'}
    written = f'{{"{single}":"{other}","reason":null}}\n{{"{single}":null,"reason":null}}\n'
    return {
        "requestBody": {
            "required": True,
            "content": {
                json.MEDIA_TYPE: {"schema": schema, "examples": examples},
                arrow.MEDIA_TYPE: binary,
                ndjson.MEDIA_TYPE: lines,
            },
        },
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _QUERY.items()
        ],
        "responses": {
            "200": {
                "content": {
                    json.MEDIA_TYPE: {"examples": answers},
                    arrow.MEDIA_TYPE: binary,
                    ndjson.MEDIA_TYPE: {"schema": {"type": "string"}, "example": written},
                },
                "headers": {
                    name: {"description": text, "schema": {"type": "string"}}
                    for name, text in (
                        ("tokenkit-key", "The key's name, in Arrow and NDJSON."),
                        ("tokenkit-key-version", "The key version, in Arrow and NDJSON."),
                    )
                },
            }
        },
        "security": [{SCHEME: []}],
    }
