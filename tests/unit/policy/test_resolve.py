"""A policy against the columns of an input."""

from functools import partial

import pytest

from tokenkit.errors import PinMismatch, PolicyError
from tokenkit.keys import Keyring
from tokenkit.policy import ColumnRule, Policy
from tokenkit.policy import resolve as resolve_for
from tokenkit.policy.names import escaped

resolve = partial(resolve_for, keyring=None)

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


def test_patterns_name_columns():
    """`*`, `?` and `[...]` fit names; an exact name wins over them."""
    found = named(
        {
            "tel_*": CARD,
            "tel_work": {"action": "drop"},
            "id?": {"action": "drop"},
            "x[0-9]": {"action": "drop"},
        }
    )
    fates = resolve(found, ["tel_home", "tel_work", "id1", "x7", "Tel_home", "id"])
    assert isinstance(fates["tel_home"], ColumnRule)
    assert [fates[name] for name in ("tel_work", "id1", "x7")] == ["drop"] * 3
    assert fates["Tel_home"] == fates["id"] == "keep"


def test_two_patterns_for_a_column_are_ambiguous():
    """Even where both say the same; an exact name settles it."""
    columns = {"a*": {"action": "keep"}, "*b": {"action": "keep"}}
    with pytest.raises(PolicyError, match='"ab" fits two patterns') as caught:
        resolve(named(columns), ["ab", "a", "b"])
    assert caught.value.column == "ab"
    resolve(named({**columns, "ab": {"action": "drop"}}), ["ab", "a", "b"])


def test_a_pattern_that_fits_nothing_is_refused():
    """Like a missing column; on the way back, not if it was dropped."""
    with pytest.raises(PolicyError, match='no column of the input fits the pattern "card\\*"'):
        resolve(named({"card*": CARD}), ["crad"])
    dropped = named({"note*": {"action": "drop"}})
    with pytest.raises(PolicyError):
        resolve(dropped, ["id"])
    assert resolve(dropped, ["id"], "detokenize") == {"id": "keep"}


def test_names_that_look_like_patterns():
    """Brackets around a character make it stand for itself, and the hint says so."""
    assert resolve(named({"a*": {"action": "drop"}}), ["a*"]) == {"a*": "drop"}
    odd = ["price[usd]", "a*", "what?", "x[", "[]", "[!]", "]"]
    for name in odd:
        fates = resolve(named({escaped(name): {"action": "drop"}}), [*odd, "a1"])
        assert [found for found, fate in fates.items() if fate == "drop"] == [name]
    with pytest.raises(PolicyError) as caught:
        resolve(named({"price[usd]": {"action": "drop"}}), ["price[usd]"])
    assert 'written "price[[]usd]"' in str(caught.value.hint)


def test_tweak_columns_are_there_and_kept():
    """A tweak that the input lacks, or that a pattern drops, is refused in both directions."""
    found = Policy.from_mapping(
        {
            "columns": {"card": {**CARD, "tweak": "tenant"}, "note*": {"action": "drop"}},
            "unlisted": "keep",
        }
    )
    assert resolve(found, ["card", "tenant", "notes"])["tenant"] == "keep"
    for operation in ("tokenize", "detokenize"):
        with pytest.raises(PolicyError, match='no column "tenant", which is the tweak of "card"'):
            resolve(found, ["card", "notes"], operation)


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


def test_a_keyring_is_held_against_the_pins():
    """The pinned keys pass, whatever came after them; another key under a pinned id doesn't."""
    with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
        version = ring["payments"].primary
        pinned = Policy.from_mapping(
            {"columns": {"card": CARD}, "pins": {version.id: version.check_value.hex()}}
        )
        assert list(resolve_for(pinned, ["card"], keyring=ring)) == ["card"]
        ring.rotate("payments")
        resolve_for(pinned, ["card"], "detokenize", keyring=ring)
        for pins in ({version.id: bytes(16).hex()}, {version.id ^ 1: version.check_value.hex()}):
            other = Policy.from_mapping({"columns": {"card": CARD}, "pins": pins})
            with pytest.raises(PinMismatch):
                resolve_for(other, ["card"], keyring=ring)
