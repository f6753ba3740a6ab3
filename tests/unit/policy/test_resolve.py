"""A policy against the columns of an input."""

import pytest

from tokenkit.errors import PolicyError
from tokenkit.policy import ColumnRule, Policy, resolve

CARD = {"scheme": "credit-card", "key": "payments"}


def policy(unlisted: str = "error", **columns: object) -> Policy:
    """Make a policy."""
    return Policy.from_mapping({"columns": columns, "unlisted": unlisted})


def named(columns: dict[str, dict[str, str]]) -> Policy:
    """Make a policy of columns whose names are no identifiers."""
    return Policy.from_mapping({"columns": columns, "unlisted": "keep"})


def test_every_column_has_a_fate_in_the_order_of_the_input():
    """Named ones as the policy says, others as unlisted says."""
    fates = resolve(policy("keep", card=CARD, note={"action": "drop"}), ["note", "id", "card"])
    assert list(fates) == ["note", "id", "card"]
    assert (fates["note"], fates["id"]) == ("drop", "keep")
    assert isinstance(fates["card"], ColumnRule)
    assert resolve(policy("drop"), ["id"]) == {"id": "drop"}


def test_a_missing_column_is_refused_with_a_close_match():
    """A misspelt column is found out, whatever it was to be."""
    for fate in (CARD, {"action": "drop"}, {"action": "keep"}):
        with pytest.raises(PolicyError, match='no column "crad"') as caught:
            resolve(policy("keep", crad=fate), ["id", "card"])
        assert caught.value.column == "crad"
        assert caught.value.hint == 'did you mean "card"?'


def test_a_headerless_file_shows_no_value():
    """Where the first row is taken for the header, its values aren't listed."""
    with pytest.raises(PolicyError) as caught:
        resolve(policy(card=CARD), ["4111111111111111", "Jane"])
    assert "4111" not in str(caught.value)
    assert "Jane" not in str(caught.value)


def test_patterns_are_not_there_yet():
    """A name with a star in it is no pattern, and that is said."""
    with pytest.raises(PolicyError, match="patterns of column names"):
        resolve(named({"card*": CARD}), ["card_1"])
    assert resolve(named({"a*": {"action": "keep"}}), ["a*"]) == {"a*": "keep"}


def test_unlisted_columns_are_an_error_by_default():
    """The first is named, and how many there are besides."""
    with pytest.raises(PolicyError, match='the column "id" and 1 more') as caught:
        resolve(policy(card=CARD), ["card", "id", "note"])
    assert caught.value.column == "id"


def test_dropped_columns_need_not_come_back():
    """On the way back, what was dropped on the way there isn't missed."""
    dropped = policy(id={"action": "keep"}, note={"action": "drop"})
    assert resolve(dropped, ["id"], "detokenize") == {"id": "keep"}
    with pytest.raises(PolicyError):
        resolve(dropped, ["id"])
