"""Objects that were found in a store, read as files."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from tokenkit.errors import ConnectorFailed, InputError, InputNotFound
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.sidecars import ATTRIBUTE, read_sidecar_of
from tokenkit.jobs.objects.stores import options_of, reaching, store_of

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_LEAST, _MOST = 128 * 2**10, 8 * 2**20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object, as it was when it was found.

    Attributes
    ----------
    place
        Where it is.
    size
        Its size in bytes.
    changed
        When it was written.
    version
        What is another whenever the object is: its ETag, or its version.
    """

    place: ObjectPlace
    size: int
    changed: datetime
    version: str
    _store: "ObjectStore" = field(repr=False, compare=False)
    _tag: str | None = field(repr=False)

    @classmethod
    def found(cls, place: ObjectPlace, store: "ObjectStore", meta: "ObjectMeta") -> Self:
        """Describe an object by what the store says of it."""
        tag = meta["e_tag"]
        version = f"{tag or ''} {meta['version'] or ''}"
        return cls(place, meta["size"], meta["last_modified"], version, store, tag)

    def __str__(self) -> str:
        return self.place.url

    @property
    def name(self) -> str:
        """Its name, whose end says the format."""
        return self.place.name

    @property
    def url(self) -> str:
        """What Polars scans."""
        return self.place.url

    def storage_options(self) -> Mapping[str, str | int]:
        """Give what Polars has to know of the store."""
        return options_of(self.place)

    def open(self) -> BinaryIO:
        """Open it to be read."""
        return ObjectReader(self)

    def sidecar(self) -> bytes | None:
        """Read its sidecar, if it has one."""
        import obstore  # noqa: PLC0415 - an extra

        with reaching(self.place):
            found = obstore.get(self._store, self.place.key, options={"head": True})
            attributes = {str(name): str(value) for name, value in found.attributes.items()}
        return read_sidecar_of(self.place, attributes.get(ATTRIBUTE))

    def now(self) -> Self | None:
        """Find the object again; None if it's gone."""
        return cast("Self | None", find(self.place, self._store))

    def read(self, start: int, end: int) -> bytes:
        """Read a part, as long as the object is what it was.

        Raises
        ------
        InputError
            If it was changed, or the store doesn't give it.
        """
        import obstore  # noqa: PLC0415 - an extra

        options: dict[str, Any] = {"range": (start, end)}
        if self._tag is not None:
            options["if_match"] = self._tag
        problem = "the object is gone"
        try:
            with reaching(self.place):
                given = obstore.get(self._store, self.place.key, options=cast("Any", options))
                return bytes(given.bytes())
        except InputNotFound:
            pass
        except ConnectorFailed as error:
            problem = error.message
        raise InputError(problem, file=self.place.shown, hint="run the job again")


class ObjectReader(io.RawIOBase, BinaryIO):
    """Reads an object from its beginning to its end, a piece a request; it can be moved in."""

    def __init__(self, file: StoredFile) -> None:
        super().__init__()
        self._file = file
        self._place = 0
        self._start = 0
        self._piece = b""
        self._size = _LEAST

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
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        """Read as much as there is room for."""
        room = memoryview(buffer).cast("B")
        done = 0
        while done < len(room) and self._place < self._file.size:
            inside = self._place - self._start
            if not 0 <= inside < len(self._piece):
                self._fetch(len(room) - done)
                inside = 0
            part = self._piece[inside : inside + len(room) - done]
            room[done : done + len(part)] = part
            done += len(part)
            self._place += len(part)
        return done

    def _fetch(self, wanted: int) -> None:
        # What is read on and on comes in larger pieces; a footer is read from the end backwards.
        follows = self._place == self._start + len(self._piece)
        self._size = min(4 * self._size, _MOST) if follows and self._piece else _LEAST
        size = max(wanted, self._size)
        self._start = self._place
        end = min(self._place + size, self._file.size)
        self._piece = self._file.read(self._place, end)
        if len(self._piece) != end - self._place:
            raise InputError(
                "the object store gave less than it was asked for",
                file=self._file.place.shown,
                hint="run the job again",
            )


def find(place: ObjectPlace, store: "ObjectStore | None" = None) -> StoredFile | None:
    """Find an object; None if there is none.

    Raises
    ------
    ConnectorFailed
        If the store can't be reached, or refuses.
    """
    import obstore  # noqa: PLC0415 - an extra

    client = store_of(place) if store is None else store
    try:
        with reaching(place):
            return StoredFile.found(place, client, obstore.head(client, place.key))
    except InputNotFound:
        return None


def below(place: ObjectPlace) -> Iterator[StoredFile]:
    """List the objects below the prefix of a place.

    Raises
    ------
    ConnectorFailed
        If the store can't be reached, or refuses.
    """
    import obstore  # noqa: PLC0415 - an extra

    store = store_of(place)
    with reaching(place):
        for several in obstore.list(store, prefix=place.prefix or None):
            for meta in several:
                yield StoredFile.found(place.at(meta["path"]), store, meta)
