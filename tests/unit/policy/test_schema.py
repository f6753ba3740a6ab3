"""The JSON Schema accepts what the model accepts, and helps an editor."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from tests.unit.policy.strategies import policies
from tokenkit.errors import TokenkitError
from tokenkit.policy import Policy
from tokenkit.policy.fields import PolicyFields, TokenizedColumn
from tokenkit.policy.schema import policy_schema

SCHEMA = policy_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
CARD = {"scheme": "credit-card", "key": "payments"}
DIGITS = {"scheme": "digits", "key": "people"}


def accepts(fields: object) -> bool:
    """Ask the schema."""
    return VALIDATOR.is_valid(fields)


def test_every_field_is_described():
    """Each field has a description, and each that isn't a choice an example."""
    properties = SCHEMA["properties"] | SCHEMA["$defs"]["TokenizedColumn"]["properties"]
    assert properties.keys() == {*PolicyFields.model_fields, *TokenizedColumn.model_fields}
    for name, field in properties.items():
        assert field["description"].endswith("."), name
        shown = {"examples", "enum", "$ref", "additionalProperties"} & field.keys()
        assert shown or field["type"] == "boolean", name
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_is_a_schema():
    """By its dialect's own schema."""
    Draft202012Validator.check_schema(SCHEMA)


def test_its_own_examples_are_policies():
    """What an editor shows as an example is right."""
    for example in SCHEMA["examples"]:
        assert accepts(example)
        Policy.from_mapping(example)
    for example in SCHEMA["$defs"]["TokenizedColumn"]["examples"]:
        Policy.from_mapping({"columns": {"a": example}})


@given(policies())
@settings(max_examples=150, deadline=None)
def test_valid_policies_are_accepted(fields):
    """An editor marks nothing in a policy that tokenkit takes."""
    Policy.from_mapping(fields)
    assert accepts(fields)


WRONG: list[Any] = [
    7,
    [],
    {},
    {"action": "x"},
    {"action": "keep", "key": "k"},
    {**CARD, "x": 1},
    {**CARD, "keep": {"lst": 1}},
    {**CARD, "keep": {"last": 16}},
    {**CARD, "keep": 4},
    {**CARD, "scheme": "z"},
    {**CARD, "alphabet": "ab"},
    {**CARD, "version": 0},
    {**CARD, "version": "x"},
    {**CARD, "literals": "x"},
    {**CARD, "literals": [1]},
    {**CARD, "literals": [""]},
    {**CARD, "normalize": ["x"]},
    {**CARD, "tweak": None},
    {**CARD, "key": "K!"},
    {**CARD, "domain": ""},
    {**CARD, "on_invalid": "x"},
    {**CARD, "allow_small_domain": 1},
    {**DIGITS, "output": "string"},
    {**DIGITS, "width": 10, "min_length": 10},
    {**DIGITS, "width": 0},
    {"scheme": "custom", "key": "k"},
    {"scheme": "text", "key": "k", "tweak": "t"},
    {"scheme": "text", "key": "k", "on_invalid": "seal"},
]


@pytest.mark.parametrize("column", WRONG, ids=range(len(WRONG)))
def test_wrong_columns_are_marked(column):
    """What tokenkit refuses for its form, the schema refuses too."""
    assert not accepts({"columns": {"a": column}})
    with pytest.raises(TokenkitError):
        Policy.from_mapping({"columns": {"a": column}})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"columns": []},
        {"columns": {}, "unlisted": "x"},
        {"columns": {}, "rejects": {"key": "K!"}},
        {"columns": {}, "rejects": None},
        {"columns": {}, "pins": {"07": "0" * 32}},
        {"columns": {}, "pins": {"7": "0"}},
        {"columns": {}, "x": 1},
    ],
)
def test_wrong_policies_are_marked(fields):
    """So is what is wrong beside the columns."""
    assert not accepts(fields)
    with pytest.raises(TokenkitError):
        Policy.from_mapping(fields)
