"""Folders written aside: complete under a temporary name, then swapped in as a whole."""

import contextlib
import ctypes
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tokenkit.jobs.aside import flush_folder, is_at, process_mask, refusing, walk
from tokenkit.jobs.locking import remove, sweep, take, temporary_name

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class AsideFolder:
    """A folder that gets its name only when it's complete.

    A context manager: what hasn't been published by its end is removed.

    Parameters
    ----------
    target
        Where the folder is to be.

    Raises
    ------
    JobError
        If the system refuses to make it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with AsideFolder(Path(place, "out")) as folder:
    ...         _ = (folder.path / "a.txt").write_text("complete")
    ...         size = folder.flush()
    ...         folder.publish()
    ...     size, Path(place, "out", "a.txt").read_text()
    (8, 'complete')
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._begun = False
        sweep(target)
        with refusing(target):
            self.path, self._descriptor = take(target, _make)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            remove(self.path)
        finally:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)

    def flush(self) -> int:
        """Flush every file and folder to the disk; gives the size of all files in bytes."""
        size = 0
        with refusing(self.target):
            for place, _, names in walk(self.path, topdown=False):
                for name in names:
                    descriptor = os.open(Path(place, name), os.O_RDONLY)
                    try:
                        os.fsync(descriptor)
                        size += os.fstat(descriptor).st_size
                    finally:
                        os.close(descriptor)
                flush_folder(Path(place))
        return size

    def is_published(self) -> bool:
        """Whether the folder, or a part of it, has its name."""
        return self._begun or is_at(self._descriptor, self.target)

    def publish(self) -> None:
        """Give the folder its name; one that is there goes.

        Raises
        ------
        JobError
            If the system refuses.
        """
        with refusing(self.target):
            _open_up(self.path)
            swap(self.path, self.target)
            flush_folder(self.target.parent)

    def publish_folders(self) -> None:
        """Give each innermost folder its place below the target; others there stay.

        Each is swapped in as a whole.

        Raises
        ------
        JobError
            If the system refuses.
        """
        with refusing(self.target):
            if not self.target.exists():
                self.publish()
                return
            _open_up(self.path)
            for place, folders, _ in walk(self.path):
                if folders:
                    continue
                target = self.target / Path(place).relative_to(self.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                sweep(target)
                self._begun = True
                swap(Path(place), target)
                flush_folder(target.parent)


def swap(new: Path, target: Path) -> None:
    """Put a folder in the place of another, which is removed; at no moment is there a part of one.

    Where the system can't exchange two names at once, there is a moment without the folder.
    """
    if not target.exists():
        new.rename(target)
        return
    if not _exchange(new, target):
        old = temporary_name(target)
        target.rename(old)
        try:
            new.rename(target)
        except BaseException:
            with contextlib.suppress(OSError):
                old.rename(target)
            raise
        new = old
    remove(new)


def _exchange(one: Path, other: Path) -> bool:
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if exchange is None:
        return False
    names = (os.fsencode(one), os.fsencode(other))
    return bool(exchange(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _make(path: Path) -> int:
    path.mkdir(mode=0o700)
    return os.open(path, os.O_RDONLY)


def _open_up(folder: Path) -> None:
    """Give files and folders the permissions that the process gives to new ones."""
    mask = process_mask()
    for place, _, names in walk(folder):
        Path(place).chmod(0o777 & ~mask)
        for name in names:
            Path(place, name).chmod(0o666 & ~mask)
