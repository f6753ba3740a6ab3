"""Power loss between any two system calls of a save leaves the old file or the new one."""

import os
from pathlib import Path

import pytest

from tokenkit.keys import create_keyring, open_keyring, storage

_CALLS = ("open", "write", "fsync", "rename", "replace", "link", "unlink", "close")


class PowerLossError(BaseException):
    """Nothing of the process runs after this, so nothing catches it."""


class Disk:
    """Ends the process's power before its n-th system call, and remembers what was flushed."""

    def __init__(self, monkeypatch, last: int) -> None:
        self.calls: list[str] = []
        self.flushed: dict[int, bytes] = {}
        self.surprises: list[str] = []
        self.last = last
        for name in _CALLS:
            monkeypatch.setattr(os, name, self.counted(name))

    def counted(self, name: str):
        real = getattr(os, name)

        def call(*args, **kwargs):
            if len(self.calls) >= self.last:
                # Without power there are no locks either.
                if name == "close":
                    return real(*args)
                raise PowerLossError
            self.calls.append(name)
            if name in {"rename", "replace", "link"}:
                place = Path(os.fspath(args[0]))
                # What isn't flushed before it gets the name may be empty after the power is back.
                if self.flushed.get(place.stat().st_ino) != place.read_bytes():
                    self.surprises.append(name)
            done = real(*args, **kwargs)
            if name == "fsync":
                found = os.fstat(args[0])
                place = Path(f"/proc/self/fd/{args[0]}")
                if place.is_file():
                    self.flushed[found.st_ino] = place.read_bytes()
            return done

        return call


def test_power_loss_before_any_call_of_a_save(tmp_path, kek, monkeypatch):
    """At every call the file on the disk is whole: the old one, and from the rename on the new."""
    create_keyring(tmp_path / "old.json", ["a"], kek).close()
    old = (tmp_path / "old.json").read_bytes()
    found = []
    for last in range(100):
        path = tmp_path / str(last) / "keyring.json"
        path.parent.mkdir()
        path.write_bytes(old)
        monkeypatch.setenv("XDG_STATE_HOME", str(path.parent / "state"))
        ring = open_keyring(path, kek)
        ring.rotate("a")
        with monkeypatch.context() as patch:
            disk = Disk(patch, last)
            try:
                ring.save()
            except PowerLossError:
                ended = False
            else:
                ended = True
        ring.close()
        assert disk.surprises == []
        with open_keyring(path, kek) as opened:
            found.append(len(opened["a"].versions))
        assert (path.read_bytes() == old) == (found[-1] == 1)
        if ended:
            break
    else:
        pytest.fail("a save makes fewer calls than that")
    assert found == sorted(found)
    assert {*found} == {1, 2}
    replaced = next(i for i, name in enumerate(disk.calls) if name in {"rename", "replace"})
    assert "fsync" in disk.calls[replaced + 1 : replaced + 4]


def test_power_loss_before_any_call_of_a_creation(tmp_path, monkeypatch):
    """A new keyring is there whole, or not at all."""
    for last in range(50):
        path = tmp_path / f"{last}.json"
        with monkeypatch.context() as patch:
            disk = Disk(patch, last)
            try:
                storage.create(path, b"new")
            except PowerLossError:
                ended = False
            else:
                ended = True
        assert disk.surprises == []
        assert not path.exists() or path.read_bytes() == b"new"
        if ended:
            return
    pytest.fail("a creation makes fewer calls than that")
