"""Keyring files on disk: read whole, replaced whole, one writer at a time.

A save writes a temporary file in the same folder (mode 0600), flushes it to the disk, renames it
over the old one and flushes the folder, so that a power loss leaves the old file or the new one.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from tokenkit.errors import KeyringError, KeyringExists, KeyringFormatError, KeyringNotFound

MAX_BYTES = 4 * 2**20
"""A keyring file's largest size; enough for some ten thousand key versions."""

_PATIENCE = 60.0
_PAUSE = 0.02


def read(path: Path) -> bytes:
    """Read a keyring file.

    Raises
    ------
    KeyringNotFound
        If there is none.
    KeyringFormatError
        If it's larger than a keyring can be.
    KeyringError
        If the system refuses to read it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise _refused(path, exc) from None
    if len(content) > MAX_BYTES:
        raise KeyringFormatError(f"{path} is larger than a keyring file can be (4 MiB)")
    return content


def digest(content: bytes) -> bytes:
    """Tell one file's content from another's."""
    return hashlib.sha256(content).digest()


def create(path: Path, content: bytes) -> None:
    """Write a new keyring file; one that is already there stays as it is.

    Raises
    ------
    KeyringExists
        If there is a file at that path.
    KeyringError
        If the system refuses to write it.
    """
    try:
        _create(path, content)
    except FileExistsError:
        raise already_there(path) from None
    except OSError as exc:
        raise _refused(path, exc) from None


def create_private(path: Path, content: bytes | bytearray) -> None:
    """Write a new file with something secret in it, for its owner alone, all or nothing.

    Raises
    ------
    KeyringExists
        If there is a file at that path.
    KeyringError
        If the system refuses to write it.
    """
    error: KeyringError
    try:
        _create(path, content)
    except FileExistsError:
        error = KeyringExists(
            f"{path} is already there, and isn't overwritten", hint="choose another name"
        )
    except OSError as exc:
        error = KeyringError(
            f"{path} can't be written: {exc.strerror or type(exc).__name__}",
            hint="check the folder and its permissions",
        )
    else:
        return
    # Raised here, so that no frame that holds the content is attached.
    raise error


def _create(path: Path, content: bytes | bytearray) -> None:
    if not path.name or "\0" in str(path):
        raise OSError(errno.EINVAL, "it isn't the name of a file")
    descriptor, temporary = _written_aside(path, content)
    os.close(descriptor)
    try:
        _claim(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path)


def already_there(path: Path) -> KeyringExists:
    """Say that a file is in the way of a new keyring."""
    return KeyringExists(
        f"{path} is already there, and creating a keyring would destroy it",
        hint="choose another name, or rotate a key of that keyring: "
        f"tokenkit keys rotate {path} NAME",
    )


class LockedFile:
    """A keyring file that no other writer can replace; see :func:`exclusive`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptors = [descriptor]

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def read(self) -> bytes:
        """Read the file."""
        return read(self._path)

    def replace(self, content: bytes) -> None:
        """Put new content in the file's place, all or nothing; the lock then holds that too."""
        try:
            descriptor, temporary = _written_aside(self._path, content)
            self._descriptors.append(descriptor)
            try:
                # Locked before it has its name: nobody can get in between two saves.
                _lock(descriptor)
                temporary.replace(self._path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _flush_folder(self._path)
        except OSError as exc:
            raise _refused(self._path, exc) from None

    def release(self) -> None:
        """Let other writers in."""
        while self._descriptors:
            os.close(self._descriptors.pop())


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[LockedFile]:
    """Lock a keyring file against other writers, in this process and others; readers go on.

    The file itself is locked (``flock``), so no lock file stays behind. Who waited for a file that
    has been replaced meanwhile tries again with the new one.

    Raises
    ------
    KeyringNotFound
        If there is no such file.
    KeyringError
        If it can't be locked, or another writer keeps it for a minute.
    """
    deadline = time.monotonic() + _PATIENCE
    while (locked := _try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise KeyringError(
                f"another process has been changing {path} for a minute",
                hint="wait for it or end it, then try again",
            )
        time.sleep(_PAUSE)
    try:
        yield locked
    finally:
        locked.release()


def _try_lock(path: Path) -> LockedFile | None:
    try:
        # Network file systems want a file open for writing before they lock it exclusively.
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as exc:
        raise _refused(path, exc) from None
    try:
        _lock(descriptor)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return LockedFile(path, descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as exc:
        os.close(descriptor)
        raise _refused(path, exc) from None
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> None:
    # Imported here because it exists on POSIX systems only, and reading keyrings doesn't need it.
    import fcntl  # noqa: PLC0415

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _written_aside(path: Path, content: bytes | bytearray) -> tuple[int, Path]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except BaseException:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
        raise
    return descriptor, temporary


def _claim(temporary: Path, path: Path) -> None:
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as exc:
        if exc.errno not in {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}:
            raise
        # A file system without hard links: take the name with an empty file, then rename over it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        temporary.replace(path)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(path: Path, exc: OSError) -> KeyringError:
    if isinstance(exc, FileNotFoundError):
        return KeyringNotFound(
            f"there is no keyring at {path}",
            hint=f"check the path, or create one: tokenkit keys create {path} --key NAME",
        )
    return KeyringError(
        f"the system refuses access to {path}: {exc.strerror or type(exc).__name__}",
        hint="check the permissions of the file and of its folder, and the space on the disk",
    )
