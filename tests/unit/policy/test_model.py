"""Policies: each refusal in words of our own, naming the column and quoting no value."""

import pytest

from tokenkit.errors import DomainTooSmall, InvalidKey, PolicyError, SchemeError, TokenkitError
from tokenkit.policy import ColumnRule, Policy

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
        ({"columns": {7: {"action": "keep"}}}, "a column"),
        ({"columns": {"card": {"key": "payments"}}}, 'the field "scheme" is missing'),
        ({"columns": {"card": {"scheme": "digits"}}}, 'the field "key" is missing'),
        ({"columns": {"card": {**CARD, "scheme": 7}}}, "scheme is a text"),
        ({"columns": {"card": {**CARD, "kee": {"last": 4}}}}, 'there is no field "kee"'),
        ({"columns": {"card": {**CARD, "keep": CANARY}}}, "keep is a mapping"),
        ({"columns": {"card": {**CARD, "keep": {"lst": 4}}}}, 'there is no field "lst"'),
        ({"columns": {"card": {**CARD, "keep": {"last": 16}}}}, "a number from 0 to 15"),
        ({"columns": {"card": {**CARD, "keep": {"last": "4"}}}}, "last is a whole number"),
        ({"columns": {"card": {**CARD, "on_invalid": CANARY}}}, "on_invalid is error or null"),
        ({"columns": {"card": {**CARD, "check_digit": CANARY}}}, "check_digit is ignore, valid"),
        ({"columns": {"card": {**CARD, "allow_small_domain": 1}}}, "is true or false"),
        ({"columns": {"card": {**CARD, "min_length": 1.5}}}, "min_length is a whole number"),
        ({"columns": {"card": {"action": CANARY}}}, "action is keep or drop"),
        ({"columns": {"card": {"action": "keep", "key": "k"}}}, "a column with an action"),
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


@pytest.mark.parametrize(
    "field", ["literals", "normalize", "output", "pattern", "tweak", "version", "width"]
)
def test_fields_of_later_releases_are_named(field):
    """A field that the format reserves is refused as one that isn't there yet."""
    with pytest.raises(PolicyError, match=f'does not have the field "{field}" yet'):
        policy(card={**CARD, field: CANARY})


def test_rejects_are_not_there_yet():
    """The rejects of the whole policy are refused so too."""
    with pytest.raises(PolicyError, match='does not have the field "rejects" yet'):
        Policy.from_mapping({"columns": {}, "rejects": {"key": "people"}})


@pytest.mark.parametrize("choice", ["reject", "seal"])
def test_later_choices_of_on_invalid_are_named(choice):
    """reject and seal are known, and not there yet."""
    with pytest.raises(PolicyError, match=f"does not have on_invalid: {choice} yet"):
        policy(card={**CARD, "on_invalid": choice})


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ({**CARD, "scheme": CANARY}, SchemeError),
        ({**CARD, "domain": CANARY}, SchemeError),
        ({**CARD, "key": CANARY}, InvalidKey),
        ({"scheme": "digits", "key": "k", "min_length": 4}, DomainTooSmall),
        ({"scheme": "text", "key": "k", "keep": {"last": 1}}, SchemeError),
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
    ],
)
def test_columns_that_look_joinable_must_join(one, other, differs):
    """Columns under one key and domain agree on what shapes tokens, or both are named."""
    with pytest.raises(PolicyError) as caught:
        policy(card={**CARD, **one}, pan={**CARD, **other})
    assert '"card" and "pan"' in str(caught.value)
    assert differs in str(caught.value)


def test_columns_apart_need_not_agree():
    """Another domain or key sets columns apart; lengths don't shape tokens."""
    policy(a=CARD, b={**CARD, "keep": {"last": 4}, "domain": "b"})
    policy(a=CARD, b={**CARD, "keep": {"last": 4}, "key": "people"})
    policy(a=CARD, b={**CARD, "max_length": 16, "on_invalid": "null"})


def test_the_digest_is_of_what_the_policy_says():
    """Order and spelled-out defaults don't change it; a parameter does."""
    one = policy(a=CARD, b={"action": "keep"})
    same = policy(b={"action": "keep"}, a={**CARD, "on_invalid": "error", "keep": {"first": 0}})
    other = policy(a={**CARD, "on_invalid": "null"}, b={"action": "keep"})
    assert one.digest == same.digest
    assert one.digest != other.digest
