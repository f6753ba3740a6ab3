"""Temporary names beside a target: taken, held while in use, and swept when left behind.

A job that is killed can't remove its temporary files. They are locked while their job lives, so the
next job for the same target can tell what was left behind and remove it.
"""

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tokenkit.errors import JobError

_ENDING = r"\.[0-9a-f]{16}\.tmp"
_ATTEMPTS, _PAUSE = 20, 0.01


def temporary_name(target: Path) -> Path:
    """Give a fresh temporary name in a target's folder, which readers of folders pass over."""
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")


def take(target: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Make something under a temporary name, and lock it.

    Parameters
    ----------
    target
        Whose folder and name it gets.
    make
        Makes it, and gives a descriptor.

    Returns
    -------
    path, descriptor
        The lock lasts until the descriptor, and every copy of it, is closed.
    """
    while True:
        path = temporary_name(target)
        try:
            descriptor = make(path)
            _lock(descriptor)
            # Between the two, another job may have taken it for something left behind.
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
            os.close(descriptor)
        except BaseException:
            # Nobody else knows the name, so it's removed here, locked or not.
            remove(path)
            raise


def sweep(target: Path) -> None:
    """Remove what killed jobs have left beside a target."""
    _sweep(target.parent, re.compile(re.escape(f".{target.name}") + _ENDING))


def sweep_folder(folder: Path) -> None:
    """Remove what killed jobs have left in a folder, whatever they were to name it."""
    _sweep(folder, re.compile(r"\..*" + _ENDING))


def _sweep(folder: Path, names: re.Pattern[str]) -> None:
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if names.fullmatch(entry.name):
                _remove_unlocked(Path(entry.path))


def _remove_unlocked(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if not _lock(descriptor, wait=False):
                return
            remove(path)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or folder, as far as the system lets it go."""
    with contextlib.suppress(OSError):
        if not path.is_dir():
            path.unlink(missing_ok=True)
            return
        for _ in range(_ATTEMPTS):
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():
                return
            # A query that has failed may still write its last files.
            time.sleep(_PAUSE)


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    try:
        import fcntl  # noqa: PLC0415 - not on every platform
    except ImportError:
        # Without locks nothing is known to be left behind.
        return wait
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return wait
    return True


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Let no other process replace a file meanwhile.

    Raises
    ------
    JobError
        If another one does so now, or just did.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        locked = _lock(descriptor, wait=False) and os.fstat(descriptor).st_nlink > 0
        if not locked and _has_locks():
            raise JobError(
                "another job works on the file", file=str(path), hint="wait until it has ended"
            )
        yield
    finally:
        os.close(descriptor)


def _has_locks() -> bool:
    return importlib.util.find_spec("fcntl") is not None
