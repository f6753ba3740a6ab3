"""What an import does to the keys that are there, and to those that it takes in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import tokenkit as tk
from tests.unit.keys.partners import destroyed, foreign, tokens
from tokenkit import _native
from tokenkit.errors import ExchangeRefused, KeyConflict, KeyringError
from tokenkit.keys.key import KeyRecord, KeyState

if TYPE_CHECKING:
    from pathlib import Path

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


def test_what_no_export_has_is_refused(partners: Partners) -> None:
    """The sender's signature doesn't get in what would harm the keyring, or outlast its terms."""
    now = datetime.now(UTC).replace(microsecond=0)
    later = now + timedelta(hours=1)
    out_of_use = {"state": KeyState.DISABLED, "disabled": now}
    before = partners.theirs.read_bytes()
    for versions, terms, why in (
        ([], {}, "no key"),
        ([{"number": 2**31}], {}, "no numbers"),
        ([{"number": 2**32}], {}, "parts don't fit"),
        ([{"number": 10**4000}], {}, "parts don't fit"),
        ([{"created": datetime(9999, 1, 1, tzinfo=UTC)}], {}, "parts don't fit"),
        ([{"created": later}], {}, "made after"),
        ([{"primary_since": later}], {}, "made after"),
        ([out_of_use], {}, "is disabled"),
        ([{}], {"expires": now + timedelta(days=91)}, "1 to 90 days"),
        ([{}], {"expires": now + timedelta(1), "created": now - timedelta(90)}, "1 to 90 days"),
        ([{}], {"created": later}, "yet to come"),
        ([{}], {"created": datetime(1, 1, 1, tzinfo=UTC)}, "1 to 90 days"),
    ):
        made = [foreign("bad", 99, bytes(32), **changes) for changes in versions]
        partners.forge([KeyRecord("bad", made, made[0].number)] if made else [], **terms)
        with pytest.raises(KeyringError, match=why):
            partners.take()
        for version in made:
            assert version.handle is not None
            version.handle.release()
    partners.forge([KeyRecord("bad", [destroyed("bad", 1, 99)], 1)])
    with pytest.raises(ExchangeRefused, match="is destroyed"):
        partners.take()
    assert partners.theirs.read_bytes() == before
    assert partners.names() == {"own": [1]}


def test_years_before_1000(partners: Partners) -> None:
    """An early year is written with four digits, so that the keyring opens again."""
    version = foreign("early", 98, bytes(32), created=datetime(999, 1, 1, tzinfo=UTC))
    partners.forge([KeyRecord("early", [version], 1)])
    partners.take()
    assert partners.names() == {"own": [1], "early": [1]}


def test_a_keyring_that_could_not_be_opened_is_not_saved(partners: Partners, kek: Any) -> None:
    """What is too large, or wouldn't be read again, leaves the file as it was."""
    before = partners.theirs.read_bytes()
    many = [destroyed("many", number, 1000 + number) for number in range(1, 15_000)]
    with (
        pytest.raises(KeyringError, match="4 MiB"),
        tk.edit_keyring(partners.theirs, kek) as ring,
    ):
        ring.adopt([KeyRecord("many", many, 1)])
    odd = foreign("odd", 97, bytes(32), number=2**40)
    with (
        pytest.raises(KeyringError, match="number is out of range"),
        tk.edit_keyring(partners.theirs, kek) as ring,
    ):
        ring.adopt([KeyRecord("odd", [odd], odd.number)])
    assert partners.theirs.read_bytes() == before


def test_marks_that_cannot_be_read(partners: Partners, monkeypatch: Any, tmp_path: Path) -> None:
    """An import goes on where nothing can be remembered."""
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / ("long" * 1000), tmp_path / "file"):
        monkeypatch.setenv("XDG_STATE_HOME", str(place))
        partners.export()
        partners.take()

    def refuse(_self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "closed"))
    monkeypatch.setattr(type(tmp_path), "lstat", refuse)
    partners.export()
    partners.take()


def test_marks_that_are_over(partners: Partners, monkeypatch: Any, tmp_path: Path) -> None:
    """A mark stays until its exchange has expired, and what is no mark stays."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    partners.export()
    partners.take()
    folder = tmp_path / "state" / "tokenkit" / "exchanges"
    [first] = folder.iterdir()
    (folder / "over").write_text("2025-01-31T12:00:00Z\n")
    (folder / "other").write_text("something else")
    partners.export()
    partners.take()
    assert first.exists()
    assert not (folder / "over").exists()
    assert (folder / "other").exists()


def test_numbers_are_used_up(partners: Partners, kek: Any) -> None:
    """Rotating past the highest number is refused."""
    last = foreign("last", 96, bytes(32), number=2**32 - 1)
    with tk.edit_keyring(partners.theirs, kek) as ring:
        ring.adopt([KeyRecord("last", [last], last.number)])
        with pytest.raises(KeyringError, match="no version number left"):
            ring.rotate("last")
