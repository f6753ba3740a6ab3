"""Files that are downloaded: beside their place until they are whole; a cut is gone on from."""

import os
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from tokenkit.client.effects import Answer
from tokenkit.errors import OutputExists

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class Download:
    """A file on its way to its place; a :class:`~tokenkit.client.effects.Sink`.

    Parameters
    ----------
    target
        Where it is to be.
    overwrite
        Whether what is there may be replaced.

    Raises
    ------
    OutputExists
        If something is there.
    OSError
        If nothing can be written there.
    """

    def __init__(self, target: Path, *, overwrite: bool = False) -> None:
        self._target = target
        self._overwrite = overwrite
        self._require_free()
        self._temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._file: BinaryIO = os.fdopen(os.open(self._temporary, flags, 0o666), "wb")
        self._tag: str | None = None
        self._length: int | None = None
        self._received = 0
        self._ended = False

    @property
    def received(self) -> int:
        """How many bytes are here."""
        return self._received

    @property
    def is_whole(self) -> bool:
        """Whether all of them are."""
        return self._length is not None and self._received == self._length

    def headers(self) -> Mapping[str, str]:
        """Give the headers that ask for what isn't here yet, of the same file."""
        # What a proxy compresses would be another file, with other ranges.
        wanted = {"accept-encoding": "identity"}
        if self._received and self._tag is not None:
            wanted |= {"range": f"bytes={self._received}-", "if-range": self._tag}
        return wanted

    def begin(self, answer: Answer) -> bool:
        """Take the whole, or what follows what is here; nothing else."""
        if answer.headers.get("content-encoding", "identity") != "identity":
            return False
        length = answer.headers.get("content-length", "")
        if answer.status == HTTPStatus.OK and length.isdecimal():
            self._restart()
            self._length = int(length)
            self._tag = _strong(answer.headers.get("etag"))
            return True
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
            if (
                found is not None
                and answer.headers.get("etag") == self._tag
                and (int(found[1]), int(found[2]) + 1, int(found[3]))
                == (self._received, self._length, self._length)
            ):
                return True
            self._restart()
        return False

    def write(self, piece: bytes) -> None:
        """Write a piece."""
        self._file.write(piece)
        self._received += len(piece)

    def keep(self) -> None:
        """Give the file its name, once it is on the disk.

        Raises
        ------
        OutputExists
            If something has come there meanwhile.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._require_free()
        self._temporary.replace(self._target)
        self._ended = True
        folder = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Leave nothing behind, unless the file has its name."""
        if not self._ended:
            self._ended = True
            self._file.close()
            self._temporary.unlink(missing_ok=True)

    def _require_free(self) -> None:
        if not self._overwrite and os.path.lexists(self._target):
            raise OutputExists(
                "the file to download to is already there",
                file=str(self._target),
                hint="another name, or overwrite=True",
            )

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._received, self._length, self._tag = 0, None, None


def _strong(tag: str | None) -> str | None:
    """Give an entity tag, if it says that the bytes are the same."""
    return tag if tag is not None and tag.startswith('"') else None
