"""Saves are all or nothing, and one writer works at a time."""

import contextlib
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenkit.errors import KeyringError, KeyringExists, KeyringNotFound
from tokenkit.keys import create_keyring, edit_keyring, open_keyring, storage

_ROTATE = """
import sys
from tokenkit.keys import edit_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
for _ in range(int(sys.argv[2])):
    with edit_keyring(sys.argv[1], PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)) as ring:
        ring.rotate("a")
"""


def failing(name: str, number: int) -> tuple[Callable[..., Any], list[str]]:
    """Give a system call that fails at its n-th use, and a list that says whether it did."""
    real = getattr(os, name)
    calls: list[str] = []

    def call(*args, **kwargs):
        calls.append(name)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **kwargs)

    return call, calls


@pytest.mark.parametrize("name", ["open", "write", "fsync", "rename", "replace", "link", "close"])
def test_a_failing_system_call_leaves_old_or_new(path, kek, monkeypatch, name):
    """Whichever call of a save fails, the file is the old or the new one, with nothing beside."""
    create_keyring(path, ["a"], kek).close()
    old = path.read_bytes()
    for number in range(1, 10):
        with monkeypatch.context() as patch, storage.exclusive(path) as locked:
            call, calls = failing(name, number)
            patch.setattr(os, name, call)
            with contextlib.suppress(KeyringError):
                locked.replace(b"new")
            patch.undo()
        assert path.read_bytes() in (old, b"new")
        assert list(path.parent.iterdir()) == [path]
        path.write_bytes(old)
        if len(calls) < number:
            return
    pytest.fail("a save makes fewer calls than that")


@pytest.mark.parametrize("name", ["open", "write", "fsync", "link"])
def test_a_failing_creation_leaves_nothing_or_all(path, monkeypatch, name):
    """Whichever call of a creation fails, the file is there whole or not at all."""
    for number in (1, 2):
        with monkeypatch.context() as patch:
            call, _ = failing(name, number)
            patch.setattr(os, name, call)
            with contextlib.suppress(KeyringError):
                storage.create(path, b"new")
        assert [place.read_bytes() for place in path.parent.iterdir()] in ([], [b"new"])
        path.unlink(missing_ok=True)


def test_file_systems_without_links(path, monkeypatch):
    """Where hard links don't exist, creating still never overwrites."""

    def refuse(*args):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    storage.create(path, b"one")
    with pytest.raises(KeyringExists):
        storage.create(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


def test_processes_rotating_at_once_lose_nothing(path, kek):
    """Ten processes rotate one key twice each: twenty new versions, all of them there."""
    create_keyring(path, ["a"], kek).close()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _ROTATE, str(path), "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=Path(storage.__file__).parents[2],
        )
        for _ in range(10)
    ]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 10, said
    with open_keyring(path, kek) as ring:
        assert [version.number for version in ring["a"].versions] == list(range(1, 22))
        assert ring.generation == 21
    assert list(path.parent.iterdir()) == [path]


def test_threads_rotating_at_once_lose_nothing(path, kek):
    """The lock holds between threads of one process as well."""
    create_keyring(path, ["a"], kek).close()

    def rotate():
        for _ in range(4):
            with edit_keyring(path, kek) as ring:
                ring.rotate("a")

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_keyring(path, kek) as ring:
        assert len(ring["a"].versions) == 17


def test_readers_go_on_while_a_writer_works(path, kek):
    """A keyring can be opened while another holds the lock."""
    create_keyring(path, ["a"], kek).close()
    with storage.exclusive(path), open_keyring(path, kek) as ring:
        assert ring.names == ("a",)


def test_waiting_ends(path, kek, monkeypatch):
    """Who waits for a lock gives up with an error that says so."""
    create_keyring(path, ["a"], kek).close()
    monkeypatch.setattr(storage, "_PATIENCE", 0.1)
    with storage.exclusive(path), pytest.raises(KeyringError, match="another process"):
        edit_keyring(path, kek).__enter__()


def test_a_file_that_goes_away_while_waiting(path, kek, monkeypatch):
    """A keyring deleted while somebody waits for it is a keyring that isn't there."""
    create_keyring(path, ["a"], kek).close()
    lock = storage._lock

    def vanish(descriptor):
        lock(descriptor)
        path.unlink(missing_ok=True)

    monkeypatch.setattr(storage, "_lock", vanish)
    with pytest.raises(KeyringNotFound):
        edit_keyring(path, kek).__enter__()
