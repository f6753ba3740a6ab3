"""An older keyring file can't silently take a newer one's place; pins hold a keyring to keys."""

import json
from typing import Any

import pytest

from tokenkit.errors import KeyringError, KeyringOutdated, PinMismatch
from tokenkit.keys import (
    Pins,
    accept_older,
    create_keyring,
    edit_keyring,
    open_keyring,
    rewrap,
)


@pytest.fixture(autouse=True)
def marks(tmp_path_factory, monkeypatch):
    """Give each test a memory of its own."""
    state = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    return state / "tokenkit" / "generations"


@pytest.fixture
def old(path, kek):
    """Make a keyring, rotate it, and give the content before the rotation."""
    create_keyring(path, ["a"], kek).close()
    content = path.read_bytes()
    with edit_keyring(path, kek) as ring:
        ring.rotate("a")
    return content


def test_an_older_file_is_refused(path, kek, old):
    """To open, to edit and to rewrap; and nothing stays loaded."""
    path.write_bytes(old)
    for use in (
        lambda: open_keyring(path, kek),
        lambda: edit_keyring(path, kek).__enter__(),
        lambda: rewrap(path, kek, kek),
    ):
        with pytest.raises(KeyringOutdated, match=r"generation 1 .* generation 2 was here") as told:
            use()
        assert "--accept-older" in str(told.value)
    assert path.read_bytes() == old


def test_going_back_on_purpose(path, kek, old):
    """After a restore that was meant the older file is taken, and counts on from there."""
    path.write_bytes(old)
    assert accept_older(path, kek) == 1
    with edit_keyring(path, kek) as ring:
        ring.rotate("a")
    with open_keyring(path, kek) as ring:
        assert ring.generation == 2


def test_reading_a_newer_file_is_remembered(path, kek, old, marks):
    """What another machine saved counts as soon as it has been opened here."""
    new = path.read_bytes()
    for mark in marks.iterdir():
        mark.unlink()
    path.write_bytes(old)
    open_keyring(path, kek).close()
    path.write_bytes(new)
    open_keyring(path, kek).close()
    path.write_bytes(old)
    with pytest.raises(KeyringOutdated):
        open_keyring(path, kek)


def test_keyrings_do_not_disturb_each_other(path, kek, old):
    """A keyring at the same path is another one if it was made anew."""
    path.unlink()
    with create_keyring(path, ["a"], kek) as ring:
        assert ring.generation == 1
    open_keyring(path, kek).close()


def test_a_memory_that_is_not_there(path, kek, old, monkeypatch, tmp_path):
    """Where nothing can be remembered keyrings still open; a damaged mark is an error."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    monkeypatch.setenv("XDG_STATE_HOME", str(file))
    path.write_bytes(old)
    open_keyring(path, kek).close()
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.delenv("HOME")
    open_keyring(path, kek).close()


def test_a_damaged_mark(path, kek, old, marks):
    """A mark that isn't one is an error that names its file."""
    (mark,) = marks.iterdir()
    for content in (b"", b"x", b"0\n", b"-1\n", b"1", b"9" * 30 + b"\n"):
        mark.write_bytes(content)
        with pytest.raises(KeyringError, match=mark.name):
            open_keyring(path, kek)
    mark.unlink()
    open_keyring(path, kek).close()


def test_pins_hold_over_rotations_and_destructions(path, kek, tmp_path, monkeypatch):
    """Pins taken once hold for every later file of the keyring, and for no other."""
    pins = tmp_path / "pins.json"
    with create_keyring(path, ["a"], kek) as ring:
        ring.rotate("a")
        ring.save()
        ring.pins().write(pins)
        given = ring.pins()
    with edit_keyring(path, kek, pins=pins) as ring:
        ring.rotate("a")
        ring.destroy("a", 1)
    monkeypatch.setenv("TOKENKIT_PINS", str(pins))
    for held in (pins, given, dict(given.check_values), None):
        open_keyring(path, kek, pins=held).close()
    written = json.loads(pins.read_bytes())
    open_keyring(path, kek, pins={int(id_): v for id_, v in written["pins"].items()}).close()
    path.unlink()
    create_keyring(path, ["a"], kek).close()
    with pytest.raises(PinMismatch, match="lacks"):
        open_keyring(path, kek)


def test_pins_that_do_not_hold(path, kek):
    """Another key under a pinned id, and a generation below the pinned one."""
    with create_keyring(path, ["a"], kek) as ring:
        id_ = ring["a"].primary.id
        good = ring.pins()
    with pytest.raises(PinMismatch, match="another key"):
        open_keyring(path, kek, pins={id_: bytes(16)})
    with pytest.raises(PinMismatch, match="generation 1, and 2"):
        open_keyring(path, kek, pins=Pins(good.check_values, generation=2))
    open_keyring(path, kek, pins=good).close()


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"format": "x", "format_version": 1, "generation": 1, "pins": {}}'],
)
def test_files_that_hold_no_pins(path, kek, tmp_path, content):
    """What isn't a file of pins pins nothing by accident: it's an error."""
    create_keyring(path, ["a"], kek).close()
    pins = tmp_path / "pins.json"
    pins.write_bytes(content)
    given: list[Any] = [pins, tmp_path / "missing", {"x": "00"}, {0: bytes(16)}, {1: b""}]
    for wrong in given:
        with pytest.raises(KeyringError):
            open_keyring(path, kek, pins=wrong)
