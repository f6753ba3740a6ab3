"""Policies: each refusal in words of our own, naming the column and quoting no value."""

import pytest
from pydantic import BaseModel

from tokenkit.errors import DomainTooSmall, InvalidKey, PolicyError, SchemeError, TokenkitError
from tokenkit.keys import Pins
from tokenkit.policy import ColumnRule, Policy, RejectsRule
from tokenkit.policy.complaints import FIELDS
from tokenkit.policy.fields import (
    KeepFields,
    PolicyFields,
    RejectsFields,
    TokenizedColumn,
    UntouchedColumn,
)

CANARY = "CANARY-4111111111111111"
CARD = {"scheme": "credit-card", "key": "payments"}


def policy(**columns: object) -> Policy:
    """Make a policy of columns."""
    return Policy.from_mapping({"columns": columns})


def test_a_whole_policy_is_read():
    """Every field of this release arrives in the rules."""
    found = Policy.from_mapping(
        {
            "columns": {
                "card": {
                    **CARD,
                    "domain": "cards",
                    "keep": {"first": 1, "last": 4},
                    "check_digit": "valid",
                    "on_invalid": "null",
                },
                "code": {
                    "scheme": "custom",
                    "key": "people",
                    "alphabet": "abc",
                    "min_length": 5,
                    "max_length": 9,
                    "allow_small_domain": True,
                },
                "note": {"action": "drop"},
                "name": {"action": "keep"},
            },
            "unlisted": "drop",
        }
    )
    card, code = found.columns["card"], found.columns["code"]
    assert isinstance(card, ColumnRule)
    assert isinstance(code, ColumnRule)
    assert (card.domain, card.on_invalid, card.parameters.check_digit) == ("cards", "null", "valid")
    assert card.parameters.keep is not None
    assert (card.parameters.keep.first, card.parameters.keep.last) == (1, 4)
    assert (code.parameters.min_length, code.parameters.max_length) == (5, 9)
    assert code.parameters.alphabet == "abc"
    assert (found.columns["note"], found.columns["name"], found.unlisted) == (
        "drop",
        "keep",
        "drop",
    )
    assert list(found.rules) == ["card", "code"]


def test_a_bare_null_is_the_choice_null():
    """YAML's unquoted `on_invalid: null` arrives as None and means null."""
    assert policy(card={**CARD, "on_invalid": None}).rules["card"].on_invalid == "null"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, 'the field "columns" is missing'),
        ({"columns": {}, "unlisted": CANARY}, "unlisted is error, keep or drop"),
        ({"columns": [CANARY]}, "columns is a mapping"),
        ({"columns": {"card": CANARY}}, "a column has its fields in a mapping"),
        ({"columns": {7: {"action": "keep"}}}, "a column's name is a text"),
        ({"columns": {"card": {"key": "payments"}}}, 'the field "scheme" is missing'),
        ({"columns": {"card": {"scheme": "digits"}}}, 'the field "key" is missing'),
        ({"columns": {"card": {**CARD, "scheme": 7}}}, "scheme is a text"),
        ({"columns": {"card": {**CARD, "kee": {"last": 4}}}}, 'there is no field "kee"'),
        ({"columns": {"card": {**CARD, "keep": CANARY}}}, "keep is a mapping"),
        ({"columns": {"card": {**CARD, "keep": {"lst": 4}}}}, 'there is no field "lst"'),
        ({"columns": {"card": {**CARD, "keep": {"last": 16}}}}, "a number from 0 to 15"),
        ({"columns": {"card": {**CARD, "keep": {"last": "4"}}}}, "last is a whole number"),
        (
            {"columns": {"card": {**CARD, "on_invalid": CANARY}}},
            "on_invalid is error, null, reject or seal",
        ),
        ({"columns": {"card": {**CARD, "check_digit": CANARY}}}, "check_digit is ignore, valid"),
        ({"columns": {"card": {**CARD, "allow_small_domain": 1}}}, "is true or false"),
        ({"columns": {"card": {**CARD, "min_length": 1.5}}}, "min_length is a whole number"),
        ({"columns": {"card": {"action": CANARY}}}, "action is tokenize, keep or drop"),
        ({"columns": {"card": {"action": "keep", "key": "k"}}}, "a column with an action"),
        ({"columns": {"card": {**CARD, "literals": CANARY}}}, "literals is a list of texts"),
        ({"columns": {"card": {**CARD, "literals": [CANARY, 0]}}}, "texts: number 2 is not one"),
        ({"columns": {"card": {**CARD, "normalize": [CANARY]}}}, "trim, nfc, lower and strip"),
        ({"columns": {"card": {**CARD, "output": CANARY}}}, "output is same or string"),
        ({"columns": {"card": {**CARD, "version": CANARY}}}, "version is a number from 1 on"),
        ({"columns": {"card": {**CARD, "version": 0}}}, "version is a number from 1 on"),
        ({"columns": {"card": {**CARD, "version": True}}}, "version is a number from 1 on"),
        ({"columns": {"card": {**CARD, "width": CANARY}}}, "width is a whole number"),
        ({"columns": {"card": {**CARD, "tweak": None}}}, 'the field "tweak" has no value'),
        ({"columns": {"card": {**CARD, CANARY: 1}}}, "there is no such field"),
        ({"columns": {}, "rejects": CANARY}, "rejects is a mapping"),
        ({"columns": {}, "rejects": {"key": 7}}, "key is a text"),
        ({"columns": {}, "rejects": {"kez": CANARY}}, 'there is no field "kez"'),
        ({"columns": {}, "pins": CANARY}, "pins is a mapping from the ids of key versions"),
        ({"columns": {}, "pins": {7: 12}}, "is a text"),
        ({"columns": {}, "pins": {7: CANARY}}, "a key-check value of 32 hexadecimal digits"),
        ({"columns": {}, "pins": {CANARY: "0" * 32}}, "a key-check value of 32 hexadecimal"),
        ({"columns": {}, "pins": {"07": "0" * 32}}, "a key-check value of 32 hexadecimal"),
        ({"columns": {}, "pins": {2**32: "0" * 32}}, "a key-check value of 32 hexadecimal"),
    ],
)
def test_wrong_fields_are_refused(fields, says):
    """The message says what is wrong, and nothing of pydantic or of the values shows."""
    with pytest.raises(PolicyError) as caught:
        Policy.from_mapping(fields)
    assert says in str(caught.value)
    assert CANARY not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_each_field_has_words_of_its_own():
    """What messages know of fields is what the model has; each wrong kind gets a hint."""
    assert {
        "policy": tuple(PolicyFields.model_fields),
        "keep": tuple(KeepFields.model_fields),
        "rejects": tuple(RejectsFields.model_fields),
        "tokenized": tuple(TokenizedColumn.model_fields),
        "untouched": tuple(UntouchedColumn.model_fields),
    } == {kind: tuple(sorted(names, key=order(kind))) for kind, names in FIELDS.items()}
    for name in TokenizedColumn.model_fields:
        with pytest.raises(PolicyError) as caught:
            policy(card={**CARD, name: object()})
        assert name in caught.value.message
        assert caught.value.hint


def order(kind: str):
    """Give the place of a field in its model."""
    models: dict[str, type[BaseModel]] = {
        "policy": PolicyFields,
        "keep": KeepFields,
        "rejects": RejectsFields,
        "tokenized": TokenizedColumn,
        "untouched": UntouchedColumn,
    }
    return list(models[kind].model_fields).index


def test_the_whole_of_a_tokenized_column_is_read():
    """Literals, normalizing, tweak, output, width, version and rejects arrive in the rules."""
    found = Policy.from_mapping(
        {
            "columns": {
                "id": {
                    "action": "tokenize",
                    "scheme": "digits",
                    "key": "people",
                    "width": 10,
                    "literals": ["none", "0000000000", "none"],
                    "normalize": ["strip-separators", "trim"],
                    "tweak": "tenant",
                    "output": "string",
                    "version": 3,
                    "on_invalid": "seal",
                },
                "ten*": {"action": "keep"},
            },
            "rejects": {"key": "people"},
            "pins": {7: "AB" * 16},
        }
    )
    rule = found.rules["id"]
    assert rule.method.to_native()["min_length"] == rule.method.to_native()["max_length"] == 10
    assert rule.literals == ("0000000000", "none")
    assert rule.shaping_literals == ("0000000000",)
    assert rule.normalize == ("trim", "strip-separators")
    assert (rule.tweak, rule.output, rule.version, rule.on_invalid) == (
        "tenant",
        "string",
        3,
        "seal",
    )
    assert found.rejects == RejectsRule("people")
    assert found.pins == Pins({7: b"\xab" * 16})
    assert Policy.from_mapping(found.to_mapping()).digest == found.digest


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ({**CARD, "scheme": CANARY}, SchemeError),
        ({**CARD, "domain": CANARY}, SchemeError),
        ({**CARD, "key": CANARY}, InvalidKey),
        ({"scheme": "digits", "key": "k", "min_length": 4}, DomainTooSmall),
        ({"scheme": "text", "key": "k", "keep": {"last": 1}}, SchemeError),
        ({"scheme": "text", "key": "k", "on_invalid": "seal"}, SchemeError),
        ({"scheme": "text", "key": "k", "tweak": "note"}, SchemeError),
        ({"scheme": "text", "key": "k", "width": 7}, SchemeError),
        ({**CARD, "output": "string"}, SchemeError),
        ({"scheme": "digits", "key": "k", "width": 7, "max_length": 7}, SchemeError),
        ({"scheme": "digits", "key": "k", "width": 5}, DomainTooSmall),
        ({**CARD, "literals": [""]}, SchemeError),
        ({**CARD, "literals": ["\ud800" + CANARY]}, SchemeError),
        ({**CARD, "literals": [CANARY] * 1001}, SchemeError),
        ({**CARD, "literals": ["4111-1111-1111-1112"]}, SchemeError),
    ],
)
def test_schemes_refuse_with_the_column_named(column, kind):
    """What a scheme can't work with keeps its class, and names the column."""
    with pytest.raises(kind) as caught:
        policy(card=column)
    error = caught.value
    assert isinstance(error, TokenkitError)
    assert error.column == "card"
    assert CANARY not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ({}, {"keep": {"last": 4}}, "keep"),
        ({}, {"check_digit": "ignore"}, "check_digit"),
        ({"domain": "x"}, {"scheme": "digits", "domain": "x"}, "the scheme"),
        ({}, {"tweak": "note"}, "a tweak"),
        ({}, {"literals": ["4111111111111111"]}, "the literals that the scheme would tokenize"),
    ],
)
def test_columns_that_look_joinable_must_join(one, other, differs):
    """Columns under one key and domain agree on what shapes tokens, or both are named."""
    with pytest.raises(PolicyError) as caught:
        policy(card={**CARD, **one}, pan={**CARD, **other}, note={"action": "keep"})
    assert '"card" and "pan"' in str(caught.value)
    assert differs in str(caught.value)


def test_columns_apart_need_not_agree():
    """Another domain or key sets columns apart; lengths don't shape tokens."""
    policy(a=CARD, b={**CARD, "keep": {"last": 4}, "domain": "b"})
    policy(a=CARD, b={**CARD, "keep": {"last": 4}, "key": "people"})
    policy(a=CARD, b={**CARD, "max_length": 16, "on_invalid": "null"})
    policy(a=CARD, b={**CARD, "literals": ["N/A"], "normalize": ["trim"]})


def test_the_digest_is_of_what_the_policy_says():
    """Order and spelled-out defaults don't change it; a parameter does."""
    one = policy(a=CARD, b={"action": "keep"})
    same = policy(b={"action": "keep"}, a={**CARD, "on_invalid": "error", "keep": {"first": 0}})
    other = policy(a={**CARD, "on_invalid": "null"}, b={"action": "keep"})
    assert one.digest == same.digest
    assert one.digest != other.digest
    spelled = {
        "domain": "credit-card",
        "check_digit": "invalid",
        "min_length": 12,
        "version": "primary",
    }
    assert policy(a={**CARD, **spelled}, b={"action": "keep"}).digest == one.digest
    assert (
        Policy.from_mapping({"columns": {"a": CARD, "b": {"action": "keep"}}, "rejects": {}}).digest
        == one.digest
    )


def test_the_order_of_literals_and_steps_does_not_change_the_digest():
    """Literals are a set, and normalizing has one order; another literal is another policy."""
    one = policy(a={**CARD, "literals": ["a", "b"], "normalize": ["trim", "lower"]})
    same = policy(a={**CARD, "literals": ["b", "a", "b"], "normalize": ["lower", "trim"]})
    other = policy(a={**CARD, "literals": ["a"], "normalize": ["trim", "lower"]})
    assert one.digest == same.digest != other.digest


def test_the_digest_of_a_plain_policy_stays():
    """What metadata of today holds is found again by later releases."""
    assert policy(card={**CARD, "keep": {"last": 4}}).digest == (
        "078709ad79a202042509aedac957162d7a09a3c28c662904a38b761c1c93b33d"
    )


@pytest.mark.parametrize("fate", [{"action": "drop"}, {"scheme": "text", "key": "k"}, None])
def test_a_tweak_column_stays_in_clear(fate):
    """A tweak that is dropped, tokenized or not in the policy is refused."""
    columns = {} if fate is None else {"tenant": fate}
    with pytest.raises(PolicyError, match='the column "tenant", which the policy does not keep'):
        policy(card={**CARD, "tweak": "tenant"}, **columns)
    Policy.from_mapping({"columns": {"card": {**CARD, "tweak": "tenant"}}, "unlisted": "keep"})


def test_two_spellings_of_one_name_are_refused():
    """A name with brackets around its characters is the name itself."""
    with pytest.raises(PolicyError, match="are the same column"):
        Policy.from_mapping({"columns": {"card": CARD, "[c]ard": {"action": "keep"}}})


def test_literals_leave_room_for_tokens():
    """The last value left would be its own token, so enough others have to stay."""
    rule = {"scheme": "digits", "key": "people", "min_length": 3, "max_length": 3}
    literals = [f"{number:03}" for number in range(901)]
    small = {**rule, "allow_small_domain": True}
    Policy.from_mapping({"columns": {"id": {**small, "literals": literals[:900]}}})
    with pytest.raises(DomainTooSmall, match="leave 99"):
        Policy.from_mapping({"columns": {"id": {**small, "literals": literals}}})
