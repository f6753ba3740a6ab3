"""Files as sealed pages: read in any order, and found out if anything about them was changed.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár: "Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015): each page is AES-256-GCM (SP 800-38D), whose
nonce says the page's number and whether it is the last one. A file's own key is derived (HKDF, RFC
5869) from the batch's key, a random salt at the file's beginning, and what the file is: so pages of
two files never share a key, and a file in another's place can't be opened.
"""

import io
import os
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tokenkit.errors import InputError, JobError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

PAGE_BYTES: Final = 64 * 2**10
"""Bytes of content in a page; only the last one has fewer."""
_TAG_BYTES: Final = 16
_SEALED_BYTES: Final = PAGE_BYTES + _TAG_BYTES
_MAGIC: Final = b"TKBF\x01\x00\x00\x00"
_SALT_BYTES: Final = 32
_HEADER_BYTES: Final = len(_MAGIC) + _SALT_BYTES
_PAGES_AT_ONCE: Final = 32
"""Pages that are fetched at a time, where they are read one after the other: 2 MiB."""


class RawWriter(Protocol):
    """Where sealed pages go: they become a file when it is completed."""

    def write(self, data: bytes, /) -> int:
        """Write bytes."""

    def complete(self) -> None:
        """Make what was written the file."""

    def abort(self) -> None:
        """Give it up."""

    def is_published(self) -> bool:
        """Whether it is the file, or may be."""


class RawFile(Protocol):
    """A file of sealed pages."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    def read(self, start: int, end: int) -> bytes:
        """Read a part of it."""

    def close(self) -> None:
        """Let go of it."""


def _cipher(key: bytes, salt: bytes, about: bytes) -> AESGCM:
    derived = HKDF(SHA256(), length=32, salt=salt, info=b"tokenkit batch file\n" + about)
    return AESGCM(derived.derive(key))


def _nonce(page: int, *, last: bool) -> bytes:
    return page.to_bytes(11, "big") + bytes([last])


class SealedWriter(io.RawIOBase, BinaryIO):
    """Seals what is written to it.

    Parameters
    ----------
    raw
        Where the sealed pages go.
    key
        The batch's key.
    about
        What the file is; whoever reads it has to say the same.

    Attributes
    ----------
    size
        How many bytes of content were written.
    failure
        What writing failed with.
    """

    def __init__(self, raw: RawWriter, key: bytes, about: bytes) -> None:
        super().__init__()
        salt = os.urandom(_SALT_BYTES)
        self._raw: RawWriter | None = raw
        self._published = raw.is_published
        self._cipher = _cipher(key, salt, about)
        self._waiting = bytearray()
        self._page = 0
        self.size = 0
        self.failure: JobError | None = None
        self._send(_MAGIC + salt)

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Seal bytes on their way.

        Raises
        ------
        JobError
            If they can't be written, or the file was given up.
        """
        content = memoryview(data).cast("B")
        self._waiting += content
        self.size += len(content)
        # Whether a page is the last one shows when something follows.
        whole = max(0, (len(self._waiting) - 1) // PAGE_BYTES)
        if whole:
            held = bytes(self._waiting[: whole * PAGE_BYTES])
            del self._waiting[: whole * PAGE_BYTES]
            self._send(
                b"".join(
                    self._sealed(held[start : start + PAGE_BYTES], last=False)
                    for start in range(0, len(held), PAGE_BYTES)
                )
            )
        return len(content)

    def complete(self) -> None:
        """Seal the last page, and make it the file; raises as :meth:`write` does."""
        self._send(self._sealed(bytes(self._waiting), last=True))
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.complete()

    def abort(self) -> None:
        """Give it up, if it isn't complete."""
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.abort()

    def is_published(self) -> bool:
        """Whether it is the file, or may be."""
        return self._published()

    def _sealed(self, content: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._page, last=last), content, None)
        self._page += 1
        return sealed

    def _send(self, content: bytes) -> None:
        if self._raw is None or self.failure is not None:
            # A query that has failed may still be writing.
            raise self.failure or JobError("the file was given up")
        try:
            self._raw.write(content)
        except JobError as error:
            self.failure = error
            raise


class SealedReader(io.RawIOBase, BinaryIO):
    """Reads a sealed file; it can be moved in.

    Parameters
    ----------
    raw
        The sealed file.
    key
        The batch's key.
    about
        What the file is.

    Raises
    ------
    InputError
        If it isn't that file, or was changed: at once if it was cut, and otherwise when the page is
        read that was.
    """

    def __init__(self, raw: RawFile, key: bytes, about: bytes) -> None:
        super().__init__()
        self._raw = raw
        self._held: bytes = b""
        self._place = self._first = self._pages = self.size = 0
        try:
            self._begin(key, about)
        except BaseException:
            self.close()
            raise

    def _begin(self, key: bytes, about: bytes) -> None:
        header = self._raw.read(0, min(_HEADER_BYTES, self._raw.size))
        sealed = self._raw.size - _HEADER_BYTES
        if header[: len(_MAGIC)] != _MAGIC or sealed < _TAG_BYTES:
            raise _changed()
        self._cipher = _cipher(key, header[len(_MAGIC) :], about)
        self._pages = -(-sealed // _SEALED_BYTES)
        self.size = sealed - self._pages * _TAG_BYTES
        # Its nonce says that it is the last one, so that the size is the right one.
        self._fetch(self._pages - 1, 1)

    def close(self) -> None:
        """Let go of the file."""
        if not self.closed:
            self._raw.close()
        super().close()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be moved in."""
        return True

    def tell(self) -> int:
        """Give the place that is read next."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to another place."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read as much as there is room for."""
        room = memoryview(buffer).cast("B")
        done = 0
        while done < len(room) and self._place < self.size:
            inside = self._place - self._first * PAGE_BYTES
            if not 0 <= inside < len(self._held):
                # What is read on and on comes in more pages; a footer is read from the end.
                follows = inside == len(self._held) and bool(self._held)
                wanted = -(-(len(room) - done) // PAGE_BYTES)
                self._fetch(self._place // PAGE_BYTES, _PAGES_AT_ONCE if follows else wanted)
                inside = self._place - self._first * PAGE_BYTES
            part = self._held[inside : inside + len(room) - done]
            room[done : done + len(part)] = part
            done += len(part)
            self._place += len(part)
        return done

    def _fetch(self, first: int, count: int) -> None:
        end = min(first + max(1, min(count, _PAGES_AT_ONCE)), self._pages)
        start = _HEADER_BYTES + first * _SEALED_BYTES
        stop = min(_HEADER_BYTES + end * _SEALED_BYTES, self._raw.size)
        sealed = self._raw.read(start, stop)
        try:
            self._held = b"".join(
                self._cipher.decrypt(
                    _nonce(page, last=page == self._pages - 1),
                    sealed[(page - first) * _SEALED_BYTES : (page - first + 1) * _SEALED_BYTES],
                    None,
                )
                for page in range(first, end)
            )
        except (InvalidTag, ValueError):
            self._held = b""
            whole = False
        else:
            self._first = first
            whole = True
        if not whole:
            raise _changed()


def _changed() -> InputError:
    return InputError(
        "a stored file isn't what was stored", hint="upload the file again; tell the operator"
    )
