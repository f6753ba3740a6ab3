"""The files of batches: what is uploaded, what comes of it, and where a job finds both."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, Self, TypeAlias
from uuid import UUID

from tokenkit.batches.storage.destination import SealedDestination
from tokenkit.batches.storage.origin import SealedFile, SealedOrigin
from tokenkit.batches.storage.pages import SealedReader, SealedWriter
from tokenkit.batches.storage.places import Folder, ObjectPrefix, Place
from tokenkit.errors import InputNotFound
from tokenkit.jobs.objects.place import ObjectPlace, place_of

Role: TypeAlias = Literal["upload", "result"]
_PIECE = 2**20


class BatchStorage:
    r"""The files of batches, each sealed under its batch's key.

    Parameters
    ----------
    place
        Where they lie.

    Examples
    --------
    >>> import tempfile
    >>> from tokenkit.batches.storage.batch_keys import new_batch_key
    >>> batch, key = UUID(int=7), new_batch_key()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     storage = BatchStorage.open(folder)
    ...     upload = storage.upload(batch, key)
    ...     _ = upload.write(b"card\n4539578763621486\n")
    ...     upload.complete()
    ...     with storage.reader(batch, 0, "upload", key) as reader:
    ...         reader.read(4)
    b'card'
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    @classmethod
    def open(cls, place: str) -> Self:
        """Name where files lie: a folder, or a prefix such as ``s3://bucket/batches/``.

        Raises
        ------
        JobError
            If it is the URL of something else.
        """
        found = place_of(place)
        return cls(Folder(found) if isinstance(found, Path) else ObjectPrefix(found))

    def upload(self, batch: UUID, key: bytes) -> SealedWriter:
        """Begin an upload; one that isn't completed leaves nothing that is found."""
        return self._writer(batch, 0, "upload", key)

    def source(self, batch: UUID, key: bytes, suffix: str) -> SealedOrigin:
        """Give what a job reads."""
        file = SealedFile(
            name=f"upload{suffix}",
            opened=lambda: self.reader(batch, 0, "upload", key),
            metadata=lambda: self._place.get(_name(batch, "upload.json")),
        )
        return SealedOrigin(batch, file)

    def put_metadata(self, batch: UUID, content: bytes) -> None:
        """Keep the metadata of an upload that is to be detokenized."""
        self._place.put(_name(batch, "upload.json"), content)

    def target(self, batch: UUID, attempt: int, key: bytes, suffix: str) -> SealedDestination:
        """Give where a job writes; each attempt writes a file of its own."""
        return SealedDestination(
            batch,
            suffix,
            writer=lambda: self._writer(batch, attempt, "result", key),
            keep=lambda content: self._place.put(_name(batch, f"result-{attempt}.json"), content),
        )

    def rejects(self, batch: UUID, attempt: int) -> Path | ObjectPlace:
        """Give where a job writes rejected rows, which are sealed cell by cell by themselves."""
        return self._place.rejects(_name(batch, f"result-{attempt}.rejects.parquet"))

    def rejected(self, batch: UUID, attempt: int) -> bytes | None:
        """Read the file of rejected rows, if there is one."""
        return self._place.get(_name(batch, f"result-{attempt}.rejects.parquet"))

    def metadata(self, batch: UUID, attempt: int) -> bytes | None:
        """Read the metadata beside a result; None if its format holds it, or there is none."""
        return self._place.get(_name(batch, f"result-{attempt}.json"))

    def reader(self, batch: UUID, attempt: int, role: Role, key: bytes) -> SealedReader:
        """Open a file.

        Raises
        ------
        InputNotFound
            If it isn't there.
        InputError
            If it isn't what was stored.
        """
        name = "upload" if role == "upload" else f"result-{attempt}"
        return SealedReader(self._place.find(_name(batch, name)), key, _about(batch, name))

    def pieces(self, reader: SealedReader, start: int, end: int) -> Iterator[bytes]:
        """Give a part of a file, a piece at a time.

        Raises
        ------
        InputError
            If it isn't what was stored.
        """
        reader.seek(start)
        left = end - start
        while left > 0:
            piece = reader.read(min(left, _PIECE))
            if not piece:
                raise InputNotFound("the stored file is shorter than it was")
            left -= len(piece)
            yield piece

    def remove_upload(self, batch: UUID) -> None:
        """Remove what was uploaded."""
        for name in ("upload", "upload.json"):
            self._place.remove(_name(batch, name))

    def remove(self, batch: UUID) -> None:
        """Remove all files of a batch."""
        self._place.remove(batch.hex)

    def leftovers(self, known: Callable[[], Iterable[UUID]]) -> list[UUID]:
        """Give the batches of which there are files, and that nobody knows any more.

        Parameters
        ----------
        known
            Gives the batches whose files are needed. Asked after the files were listed: an upload
            that begins meanwhile, for a batch that is known before its files are there, is none.
        """
        there = list(self._place.names())
        names = {batch.hex for batch in known()}
        found = []
        for name in there:
            try:
                batch = UUID(hex=name)
            except ValueError:
                # Somebody else's file: it isn't ours to remove.
                continue
            if name == batch.hex and name not in names:
                found.append(batch)
        return found

    def _writer(self, batch: UUID, attempt: int, role: Role, key: bytes) -> SealedWriter:
        name = "upload" if role == "upload" else f"result-{attempt}"
        return SealedWriter(self._place.writer(_name(batch, name)), key, _about(batch, name))


def _name(batch: UUID, name: str) -> str:
    return f"{batch.hex}/{name}"


def _about(batch: UUID, name: str) -> bytes:
    return _name(batch, name).encode()
