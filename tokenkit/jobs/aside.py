"""Files written aside: under a temporary name in the target's folder, renamed when complete.

The temporary file has mode 0600, is flushed to the disk before it gets its name, and the folder
after it; whatever goes wrong before that, interrupts included, removes it. What a killed job left
is removed by the next one for the same target. Complete, it gets the
permissions of the file that it replaces, or those that the process gives to new files.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn, Self

from tokenkit.errors import JobError, OutputExists, TokenkitError
from tokenkit.jobs.locking import sweep, take

_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


class AsideFile:
    """A file that gets its name only when it's complete.

    A context manager: what hasn't been published by its end is removed.

    Parameters
    ----------
    target
        Where the file is to be.

    Raises
    ------
    JobError
        If the system refuses to make it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with AsideFile(Path(folder, "a.txt")) as file:
    ...         with file.writer() as writer:
    ...             _ = writer.write(b"complete")
    ...         _ = file.flush()
    ...         file.publish(replace=False)
    ...     Path(folder, "a.txt").read_text()
    'complete'
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        sweep(target)
        with refusing(target):
            self.path, self._descriptor = take(target, lambda path: os.open(path, flags, 0o600))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        finally:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def writer(self) -> BinaryIO:
        """Give a file to write to, which its user closes.

        It's another descriptor of the same file: a query that goes on after the job was given up
        can't make the temporary name again.

        Raises
        ------
        JobError
            If the system refuses.
        """
        with refusing(self.target):
            return os.fdopen(os.dup(self._descriptor), "wb")

    def flush(self) -> int:
        """Flush the file to the disk; gives its size in bytes."""
        with refusing(self.target):
            os.fsync(self._descriptor)
            return os.fstat(self._descriptor).st_size

    def is_published(self) -> bool:
        """Whether the file has its name."""
        return is_at(self._descriptor, self.target)

    def publish(self, *, replace: bool, private: bool = False) -> None:
        """Give the file its name, and flush the folder.

        If that fails, it has no name, unless it has replaced another file already.

        Parameters
        ----------
        replace
            Whether a file that is there is replaced.
        private
            Whether only the owner may read it.

        Raises
        ------
        OutputExists
            If a file of that name is there and isn't to be replaced.
        JobError
            If the system refuses.
        """
        try:
            with refusing(self.target):
                os.fchmod(self._descriptor, 0o600 if private else mode_of(self.target))
                if replace:
                    self.path.replace(self.target)
                else:
                    _claim(self.path, self.target)
                flush_folder(self.target.parent)
        except FileExistsError:
            exists = True
        except BaseException:
            # A file that was replaced can't come back; then the new one is better than none.
            if not replace and self.is_published():
                with contextlib.suppress(OSError):
                    self.target.unlink()
            raise
        else:
            exists = False
        if exists:
            raise already_there(self.target)


def masked(path: Path | str) -> str:
    """Write a path, or the URL of an object, without the values of its partitions.

    Examples
    --------
    >>> masked(Path("country=NO/ssn=078-05-1120/part-0.parquet"))
    'country=*/ssn=*/part-0.parquet'
    >>> masked("s3://lake/country=NO/part-0.parquet")
    's3://lake/country=*/part-0.parquet'
    """
    scheme, separator, rest = str(path).partition("://")
    if separator:
        return f"{scheme}://{masked(Path(rest))}"
    path = Path(path)
    parts = [f"{part.partition('=')[0]}=*" if "=" in part else part for part in path.parts[:-1]]
    return str(Path(*parts, path.name))


class refusing:  # noqa: N801 - used like a function, as contextlib's own are
    """Turn the system's refusals into a :class:`~tokenkit.errors.JobError` that names the file.

    No such error shows the values of partitions.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc, JobError) and exc.file is not None:
            exc.file = masked(exc.file)
        if not isinstance(exc, OSError) or isinstance(exc, TokenkitError | FileExistsError):
            return
        error = refused(self._path, exc.errno)
        try:
            raise error from None
        finally:
            error.__context__ = None


def refused(path: Path | str, number: int | None) -> JobError:
    """Say what the system refuses, by its error number."""
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            problem, hint = "no space is left on the disk", "free some space, or write elsewhere"
        case errno.ENOENT | errno.ENOTDIR:
            problem, hint = "there is no such folder", "make the folder first"
        case _:
            problem = f"the system refuses: {os.strerror(number) if number else 'unknown error'}"
            hint = "check the permissions of the file and of its folder"
    return JobError(problem, file=masked(path), hint=hint)


def already_there(path: Path | str) -> OutputExists:
    """Say that a file is in the way of an output."""
    return OutputExists(
        "the output is already there", file=masked(path), hint="choose another name, or add --force"
    )


def walk(folder: Path, *, topdown: bool = True) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk through a folder; what can't be listed is an error, not something to pass over."""

    def refuse(error: OSError) -> NoReturn:
        raise error

    return os.walk(folder, topdown=topdown, onerror=refuse)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether what a descriptor is open on has that name; so it's taken if nobody knows."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def flush_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that renames in it last."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mode_of(target: Path) -> int:
    """Give the permissions that a file has when it's complete: the old one's, or the usual ones."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0o666 & ~process_mask()


def process_mask() -> int:
    """Give the permissions that the process takes from new files."""
    # It can't be read without being set; meanwhile, other threads' files are private.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _claim(temporary: Path, target: Path) -> None:
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError from None
        temporary.replace(target)
