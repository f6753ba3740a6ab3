"""What an import does to the keys that are there, and to those that it takes in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import tokenkit as tk
from tests.unit.keys.partners import tokens
from tokenkit import _native
from tokenkit.errors import ExchangeRefused, KeyConflict
from tokenkit.keys.key import KeyRecord, KeyVersion

if TYPE_CHECKING:
    from tests.unit.keys.partners import Partners


def test_conflicts(partners: Partners, kek: Any) -> None:
    """Another key under the same name and number stays as it is, and nothing else is taken in."""
    with tk.edit_keyring(partners.theirs, kek) as ring:
        ring.add("members")
    before = partners.theirs.read_bytes()
    partners.export(["claims", "members"])
    with pytest.raises(KeyConflict, match="members"):
        partners.take()
    assert partners.theirs.read_bytes() == before
    partners.export(["members"])
    partners.take(name="partner-members")
    assert partners.names() == {"own": [1], "members": [1], "partner-members": [1]}


def test_a_stranger_of_the_same_name(partners: Partners, kek: Any) -> None:
    """A key of the same name isn't merged with one that it shares no version with, unless asked."""
    with tk.edit_keyring(partners.theirs, kek) as ring:
        ring.add("claims")
    before = partners.theirs.read_bytes()
    partners.export({"claims": [2]})
    with pytest.raises(KeyConflict, match="nothing shows that it is the same key") as caught:
        partners.take()
    assert "--name" in str(caught.value.hint)
    assert partners.theirs.read_bytes() == before
    mine = tokens(partners.theirs, kek, "claims", 1)
    partners.take(merge=True)
    assert partners.names() == {"own": [1], "claims": [1, 2]}
    with tk.open_keyring(partners.theirs, kek) as ring:
        assert ring["claims"].primary_number == 1
    assert tokens(partners.theirs, kek, "claims", 1) == mine
    assert tokens(partners.theirs, kek, "claims", 2) == tokens(partners.ours, kek, "claims", 2)


def test_destroyed_bytes_stay_destroyed(partners: Partners, kek: Any, monkeypatch: Any) -> None:
    """A key that was destroyed here doesn't come back under another id, number or name."""
    secret = bytes(range(7, 39))
    with tk.edit_keyring(partners.ours, kek) as ring:
        ring.adopt([KeyRecord("again", [foreign("again", 11, secret)], 1)])
    partners.export(["again"])
    partners.take()
    with tk.edit_keyring(partners.theirs, kek) as ring:
        ring.destroy("again", 1)
        with pytest.raises(KeyConflict, match="was destroyed here"):
            ring.adopt([KeyRecord("other", [foreign("other", 12, secret, number=2)], 2)])
        assert "other" not in ring


def foreign(name: str, id_: int, secret: bytes, *, number: int = 1) -> KeyVersion:
    """Load key bytes as a version with an id of our choice."""
    handle = _native.import_key(id_, bytearray(secret))
    return KeyVersion(
        name=name,
        number=number,
        id=id_,
        check_value=handle.check_value,
        created=datetime.now(UTC).replace(microsecond=0),
        handle=handle,
    )


def test_nothing_stays_loaded(partners: Partners) -> None:
    """After an import and after failed ones, no key of it is loaded any more."""
    partners.export({"claims": [1]})
    with tk.open_keyring(partners.ours, partners.kek) as ring:
        version = ring["claims"].version(1)
        id_, check_value = version.id, version.check_value

    def assert_unloaded() -> None:
        # Another key can be loaded under the id only if the key is gone.
        other = _native.import_key(id_, bytearray(range(32)))
        assert other.check_value != check_value
        other.release()

    with tk.edit_keyring(partners.theirs, partners.kek) as ring:
        ring.add("taken")
    with pytest.raises(KeyConflict):
        partners.take(name="taken")
    assert_unloaded()
    partners.take()
    assert_unloaded()
    with pytest.raises(ExchangeRefused):
        partners.take()
    assert_unloaded()
