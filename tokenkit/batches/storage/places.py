"""Where sealed files lie: a folder of this machine, or below a prefix of an object store."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tokenkit.batches.storage.pages import RawFile, RawWriter
from tokenkit.errors import InputNotFound
from tokenkit.jobs.aside import flush_folder, refusing
from tokenkit.jobs.objects.files import StoredFile, below, find
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.requests import delete, get, put
from tokenkit.jobs.objects.upload import Upload

_MOST_PLAIN = 64 * 2**20


class Place(Protocol):
    """Where files of batches lie, each below the name of its batch."""

    def rejects(self, name: str) -> Path | ObjectPlace:
        """Give where a job may write a file by itself."""

    def writer(self, name: str) -> RawWriter:
        """Begin a file; nobody sees it until it is complete."""

    def find(self, name: str) -> RawFile:
        """Find a file; raises :class:`~tokenkit.errors.InputNotFound` if it isn't there."""

    def put(self, name: str, content: bytes) -> None:
        """Write a small file as it is."""

    def get(self, name: str) -> bytes | None:
        """Read one; None if it isn't there."""

    def names(self) -> Iterator[str]:
        """Give the names of all batches of which there is something."""

    def remove(self, name: str) -> None:
        """Remove a file, or all of a batch; fine if there is nothing."""


class Folder:
    """A folder of this machine, which only its owner may read.

    Parameters
    ----------
    path
        The folder; it is made when it's needed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def rejects(self, name: str) -> Path:
        """Give the path."""
        return self._made(name)

    def writer(self, name: str) -> RawWriter:
        """Begin a file under another name."""
        return _FileWriter(self._made(name))

    def find(self, name: str) -> RawFile:
        """Find a file."""
        path = self._path / name
        if not path.is_file():
            raise InputNotFound("the stored file is gone", hint="upload the file again")
        return _StoredFile(path)

    def put(self, name: str, content: bytes) -> None:
        """Write a small file."""
        writer = _FileWriter(self._made(name))
        try:
            writer.write(content)
            writer.complete()
        finally:
            writer.abort()

    def get(self, name: str) -> bytes | None:
        """Read a small file."""
        path = self._path / name
        with refusing("the store of batches"):
            return path.read_bytes() if path.is_file() else None

    def names(self) -> Iterator[str]:
        """Give the names of the folders."""
        if self._path.is_dir():
            yield from (path.name for path in self._path.iterdir() if path.is_dir())

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        path = self._path / name
        with refusing("the store of batches"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _made(self, name: str) -> Path:
        path = self._path / name
        with refusing("the store of batches"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


class _FileWriter:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with refusing("the store of batches"):
            descriptor = os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._published = False

    def write(self, data: bytes, /) -> int:
        """Write all of it."""
        left = memoryview(data)
        with refusing("the store of batches"):
            while left:
                left = left[self._file.write(left) :]
        return len(data)

    def complete(self) -> None:
        """Give it its name, once it is on the disk."""
        with refusing("the store of batches"):
            os.fsync(self._file.fileno())
            self._file.close()
            self._aside.rename(self._path)
            self._published = True
            flush_folder(self._path.parent)

    def abort(self) -> None:
        """Remove it, if it has no name yet."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._aside.unlink(missing_ok=True)

    def is_published(self) -> bool:
        """Whether it has its name."""
        return self._published


class _StoredFile:
    def __init__(self, path: Path) -> None:
        with refusing("the store of batches"):
            self._file = path.open("rb", buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, start: int, end: int) -> bytes:
        """Read a part, as much of it as there is."""
        pieces = []
        with refusing("the store of batches"):
            while start < end:
                piece = os.pread(self._file.fileno(), end - start, start)
                if not piece:
                    break
                pieces.append(piece)
                start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _StoredObject:
    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self.size = file.size

    def read(self, start: int, end: int) -> bytes:
        """Read a part."""
        return self._file.read(start, end)

    def close(self) -> None:
        """Do nothing: each part is a request of its own."""


class ObjectPrefix:
    """What lies below a prefix of an object store.

    Parameters
    ----------
    place
        The prefix, such as ``s3://bucket/batches/``.
    """

    def __init__(self, place: ObjectPlace) -> None:
        self._place = place
        self._prefix = f"{place.prefix}/" if place.prefix else ""

    def rejects(self, name: str) -> ObjectPlace:
        """Give the object's place."""
        return self._at(name)

    def writer(self, name: str) -> RawWriter:
        """Begin a multipart upload."""
        return Upload(self._at(name))

    def find(self, name: str) -> RawFile:
        """Find an object."""
        found = find(self._at(name))
        if found is None:
            raise InputNotFound("the stored file is gone", hint="upload the file again")
        return _StoredObject(found)

    def put(self, name: str, content: bytes) -> None:
        """Write a small object."""
        put(self._at(name), content)

    def get(self, name: str) -> bytes | None:
        """Read a small object."""
        return get(self._at(name), _MOST_PLAIN)

    def names(self) -> Iterator[str]:
        """Give the first parts of the keys below the prefix."""
        found = {
            file.place.key[len(self._prefix) :].partition("/")[0] for file in below(self._place)
        }
        yield from sorted(found)

    def remove(self, name: str) -> None:
        """Remove an object, and all below it."""
        for file in list(below(self._at(f"{name}/"))):
            delete(file.place)
        delete(self._at(name))

    def _at(self, name: str) -> ObjectPlace:
        return self._place.at(f"{self._prefix}{name}")
