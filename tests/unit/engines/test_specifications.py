"""What a call says to the native module, as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tokenkit.engines.column import ColumnCall, Operation, choose_version
from tokenkit.errors import KeyVersionUnknown
from tokenkit.keys import Keyring
from tokenkit.policy import ColumnRule

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = {"operation", "key", "domain", "method", "on_invalid", "output", "tweak_column"}


@pytest.fixture
def ring() -> Iterator[Keyring]:
    """Open a keyring whose key has two versions."""
    with Keyring.from_secrets({"people": bytes(range(32))}) as opened:
        opened.rotate("people")
        yield opened


def specification(ring: Keyring, operation: Operation = "tokenize", **given: Any) -> dict[str, Any]:
    """Write the specification of a column of digits."""
    rule = ColumnRule.build("digits", key="people", **given)
    call = ColumnCall(rule=rule, version=ring["people"].primary, operation=operation)
    found: dict[str, Any] = json.loads(call.specification)
    return found


def test_defaults_are_left_out(ring: Keyring) -> None:
    """A plain call says what it said in the first release, so that older plans stay the same."""
    assert specification(ring).keys() == PLAIN
    spelled = specification(
        ring, literals=[], normalize=[], output="same", version="primary", on_invalid="error"
    )
    assert spelled == specification(ring)


def test_every_mode_is_said(ring: Keyring) -> None:
    """Literals, steps, width and the type of tokens are in it, in one order."""
    given: dict[str, Any] = {
        "literals": ["b", "a"],
        "normalize": ["strip-separators", "trim"],
        "width": 12,
        "output": "string",
        "on_invalid": "seal",
    }
    found = specification(ring, **given)
    assert {name: found[name] for name in found.keys() - PLAIN} == {
        "literals": ["a", "b"],
        "normalize": ["trim", "strip-separators"],
        "width": 12,
        "token_type": "string",
    }
    assert found["on_invalid"] == "seal"
    assert found["method"]["min_length"] == found["method"]["max_length"] == 12


def test_the_way_back_has_no_steps(ring: Keyring) -> None:
    """Values were normalized on the way there; their type is said on the way back only."""
    given: dict[str, Any] = {
        "normalize": ["trim"],
        "literals": ["a"],
        "width": 12,
        "output": "string",
        "value_type": "int64",
    }
    back = specification(ring, "detokenize", **given)
    assert back.keys() - PLAIN == {"literals", "width", "token_type", "value_type"}
    assert back["value_type"] == "int64"
    assert "value_type" not in specification(ring, **given)


def test_rejecting_is_no_native_mode(ring: Keyring) -> None:
    """Jobs set rows aside by the reasons of outcomes."""
    assert specification(ring, on_invalid="reject")["on_invalid"] == "null"


def test_a_rule_with_a_tweak_needs_its_column(ring: Keyring) -> None:
    """Nobody can forget to say so."""
    assert specification(ring)["tweak_column"] is False
    assert specification(ring, tweak="tenant")["tweak_column"] is True


def test_a_policy_may_choose_the_version(ring: Keyring) -> None:
    """A number in the rule holds in both directions; what the caller says goes before it."""
    plain = ColumnRule.build("digits", key="people")
    first = ColumnRule.build("digits", key="people", version=1)
    assert choose_version(plain, "tokenize", keyring=ring).number == 2
    assert choose_version(first, "tokenize", keyring=ring).number == 1
    assert choose_version(first, "detokenize", keyring=ring).number == 1
    assert choose_version(first, "detokenize", keyring=ring, version=2).number == 2
    assert choose_version(first, "tokenize", keyring=ring, version="primary").number == 2
    for version in (None, True, "2"):
        with pytest.raises(KeyVersionUnknown):
            choose_version(plain, "detokenize", keyring=ring, version=version)  # type: ignore[arg-type]
