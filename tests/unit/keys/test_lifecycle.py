"""Key versions enabled, disabled and destroyed; cryptoperiods; copies that go with a version."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import tokenkit as tk
from tokenkit import _native
from tokenkit.errors import InvalidKey, KeyVersionDisabled, KeyVersionUnknown, UnknownKey
from tokenkit.keys import Keyring, KeyState, create_keyring, edit_keyring, open_keyring


@pytest.fixture
def ring(path, kek):
    """Give a keyring of one key with two versions, saved."""
    with create_keyring(path, ["a"], kek) as opened:
        opened.rotate("a")
        opened.save()
        yield opened


def tokens(ring: Keyring, version: int) -> pl.DataFrame:
    """Tokenize one value with a version."""
    made = tk.expr.tokenize("v", "digits", key=ring["a"], version=version)
    return pl.DataFrame({"v": ["123456789"]}).select(made)


def test_disabled_and_enabled_again(ring, path, kek):
    """A disabled version is refused with its date, stays so in the file, and comes back whole."""
    before = ring["a"].version(1).check_value
    version = ring.disable("a", 1)
    assert version.state is KeyState.DISABLED
    assert version.disabled is not None
    assert abs(datetime.now(UTC) - version.disabled) < timedelta(minutes=1)
    assert ring.disable("a", 1) is version
    ring.save()
    with open_keyring(path, kek) as opened:
        with pytest.raises(KeyVersionDisabled, match=f"since {version.disabled:%Y-%m-%d}") as told:
            opened["a"].version(1)
        assert "tokenkit keys enable FILE a@1" in str(told.value)
        assert opened["a"].versions[0].disabled == version.disabled
    with edit_keyring(path, kek) as opened:
        opened.enable("a", 1)
        opened.enable("a", 2)
    with open_keyring(path, kek) as opened:
        assert opened["a"].version(1).check_value == before
        assert opened["a"].version(1).disabled is None


def test_a_destroyed_version_is_gone_and_says_when(ring, path, kek):
    """After a destruction the file holds no bytes of the version, and errors say when it was."""
    check_value = ring["a"].version(1).check_value
    id_ = ring["a"].version(1).id
    handle = ring["a"].version(1).handle
    assert handle is not None
    version = ring.destroy("a", 1)
    assert (version.state, version.handle) == (KeyState.DESTROYED, None)
    assert ring.destroy("a", 1) is version
    ring.save()
    with pytest.raises(tk.errors.KeyringClosed):
        _native.metadata_mac(handle, b"")
    with open_keyring(path, kek) as opened:
        uses: list[Callable[[], object]] = [
            lambda: opened["a"].version(1),
            lambda: opened["a"].version_with_id(id_, check_value),
            lambda: tokens(opened, 1),
        ]
        for use in uses:
            with pytest.raises(KeyVersionDisabled, match="destroyed on") as told:
                use()
            assert f"{version.destroyed:%Y-%m-%d}" in str(told.value)
        assert tokens(opened, 2).height == 1
        with pytest.raises(KeyVersionDisabled, match="nothing is left"):
            opened.enable("a", 1)
        assert opened.disable("a", 1).state is KeyState.DESTROYED


def test_a_disabled_primary_makes_no_tokens_until_it_is_rotated(ring):
    """Nothing else takes a primary version's place by itself."""
    ring.disable("a", 2)
    with pytest.raises(KeyVersionDisabled, match="rotate"):
        _ = ring["a"].primary
    ring.rotate("a")
    assert ring["a"].primary.number == 3


def test_what_is_not_there(ring):
    """Keys and versions that don't exist are said so by every change."""
    for change in (ring.enable, ring.disable, ring.destroy):
        with pytest.raises(UnknownKey):
            change("b", 1)
        with pytest.raises(KeyVersionUnknown, match="no version 3"):
            change("a", 3)


def test_destroying_removes_copies_beside_the_file(ring, path):
    """Backups and remains of this keyring go; other files and other keyrings stay."""
    folder, content = path.parent, path.read_bytes()
    gone = [
        folder / "keyring.json.bak",
        folder / "keyring.json~",
        folder / ".keyring.json.0123456789abcdef.tmp",
    ]
    for place in gone:
        place.write_bytes(content)
    gone[2].write_bytes(content[:100])
    other = Keyring.from_secrets({})
    other.close()
    kept = [folder / "keyring.json.txt", folder / "unrelated.bak"]
    kept[0].write_bytes(b"notes about the keyring")
    kept[1].write_bytes(content)
    ring.destroy("a", 1)
    assert all(place.exists() for place in gone)
    ring.save()
    assert sorted(folder.iterdir()) == sorted([path, *kept])


def test_a_copy_of_another_keyring_stays(ring, path, kek):
    """A file that only has a similar name is another keyring, and stays."""
    other = path.with_name("keyring.json.other")
    create_keyring(other, ["a"], kek).close()
    ring.destroy("a", 1)
    ring.save()
    assert other.exists()


def test_every_save_removes_remains_of_crashed_ones(ring, path):
    """A temporary file that a crash left is removed by the next save."""
    (path.parent / ".keyring.json.0123456789abcdef.tmp").write_bytes(b"half")
    ring.rotate("a")
    ring.save()
    assert list(path.parent.iterdir()) == [path]


def test_cryptoperiod(path, kek):
    """A key's cryptoperiod is kept, counts from the primary version's date, and can be changed."""
    with create_keyring(path, ["a"], kek, rotate_after=90) as ring:
        ring.add("b", rotate_after=1)
        ring.add("c")
        ring.save()
    with open_keyring(path, kek) as ring:
        a = ring["a"]
        assert a.rotate_after == 90
        assert a.rotation_due == a.primary.created + timedelta(days=90)
        assert ring["b"].rotate_after == 1
        assert ring["c"].rotation_due is None
        ring.set_rotate_after("a", None)
        assert ring["a"].rotation_due is None
        wrong: list[Any] = [0, -1, 36_501, 1.5, True, "1"]
        for days in wrong:
            with pytest.raises(InvalidKey):
                ring.set_rotate_after("a", days)
