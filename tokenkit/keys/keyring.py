"""Keyrings: named keys with versions, opened from a file and saved to it."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tokenkit.errors import (
    KeyExists,
    KeyringChanged,
    KeyringError,
    UnknownKey,
)
from tokenkit.keys import storage
from tokenkit.keys.file import seal, unseal
from tokenkit.keys.key import Key, KeyRecord, KeyVersion, Lease, checked_name, describe
from tokenkit.keys.loading import generate, import_secret, release
from tokenkit.keys.providers import KeyProvider, resolve
from tokenkit.keys.unexportable import Unexportable


class Keyring(Unexportable):
    """Named keys, loaded for as long as the keyring is open.

    Made by :func:`open_keyring`, :func:`create_keyring`, :func:`edit_keyring` or
    :meth:`from_secrets`, not by its constructor. A context manager: leaving it closes the keyring,
    and the native module overwrites keys that no other open keyring holds. A plan built with its
    keys must have run before. Neither the keyring nor anything taken from it can show, copy or
    pickle key bytes.

    Examples
    --------
    >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
    ...     list(ring), "payments" in ring, ring["payments"].primary.number
    (['payments'], True, 1)
    """

    __slots__ = (
        "__weakref__",
        "_digest",
        "_generation",
        "_kek_count",
        "_lease",
        "_lock",
        "_path",
        "_providers",
        "_records",
    )

    def __init__(
        self,
        records: dict[str, KeyRecord],
        *,
        path: Path | None = None,
        providers: Sequence[KeyProvider] = (),
        generation: int = 0,
        digest: bytes = b"",
        lock: storage.LockedFile | None = None,
        kek_count: int = 1,
    ) -> None:
        self._records = records
        self._path = path
        self._providers = tuple(providers)
        self._generation = generation
        self._digest = digest
        self._lock = lock
        self._kek_count = kek_count
        self._lease = Lease()

    @classmethod
    def from_secrets(cls, secrets_by_name: Mapping[str, bytes | bytearray]) -> Self:
        """Make a keyring of key bytes that the caller has, in memory only.

        The version's id is the first four bytes of its key-check value, so that the same bytes have
        the same id, and make the same tokens, in every process. Behind
        ``tokenkit.hazmat.keyring_from_bytes``: for tests, interoperability and migration.

        Raises
        ------
        InvalidKey
            If a key isn't 32 bytes, or a name isn't well formed.
        """
        records = {}
        for name, secret in secrets_by_name.items():
            records[name] = KeyRecord(name, [import_secret(name, secret)], 1)
        return cls(records)

    @property
    def path(self) -> Path | None:
        """The keyring's file; None for one that is in memory only."""
        return self._path

    @property
    def generation(self) -> int:
        """How often the file had been saved when it was opened or last saved here."""
        return self._generation

    @property
    def closed(self) -> bool:
        """Whether the keyring has been closed."""
        return self._lease.ended

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys, in the order they were added."""
        return tuple(self._records)

    def __getitem__(self, name: str) -> Key:
        self._lease.check()
        record = self._records.get(name)
        if record is None:
            known = ", ".join(self._records) or "none"
            raise UnknownKey(
                f'the keyring has no key "{name}"',
                hint=f"its keys are: {known}; tokenkit keys list FILE shows them",
            )
        return Key(record, self._lease)

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self._records)

    def add(self, name: str) -> Key:
        """Add a key with one fresh version. Kept only once the keyring is saved.

        Raises
        ------
        InvalidKey
            If the name isn't well formed.
        KeyExists
            If there is a key of that name.
        """
        self._lease.check()
        if checked_name(name) in self._records:
            raise KeyExists(
                f'the keyring already has a key "{name}"',
                hint="choose another name, or rotate that key to give it a new version",
            )
        self._records[name] = KeyRecord(name, [generate(name, 1, self._ids())], 1)
        return self[name]

    def rotate(self, name: str) -> KeyVersion:
        """Give a key a fresh version and make it primary; older ones still detokenize.

        Kept only once the keyring is saved.

        Raises
        ------
        UnknownKey
            If there is no key of that name.
        """
        record = self._records[self[name].name]
        version = generate(name, record.versions[-1].number + 1, self._ids())
        record.versions.append(version)
        record.primary = version.number
        return version

    def save(self) -> None:
        """Write the keyring to its file: all or nothing, under a fresh file key.

        Raises
        ------
        KeyringChanged
            If the file isn't the one that was opened: another writer saved it meanwhile.
            Nothing is written then. :func:`edit_keyring` keeps others out from the start.
        KeyringError
            If the keyring is in memory only, or the system refuses to write the file.
        """
        self._lease.check()
        if self._path is None:
            raise KeyringError(
                "the keyring is in memory only and has no file to be saved to",
                hint="make keyrings that last with tokenkit.create_keyring(PATH, keys=[...])",
            )
        if self._lock is not None:
            self._save(self._lock)
        else:
            with storage.exclusive(self._path) as locked:
                self._save(locked)

    def require_open(self) -> None:
        """Raise :class:`~tokenkit.errors.KeyringClosed` after the keyring has been closed."""
        self._lease.check()

    def close(self) -> None:
        """Release the keys. Closing twice is fine."""
        if self._lease.ended:
            return
        self._lease.ended = True
        release(self._records.values())

    def __enter__(self) -> Self:
        self._lease.check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        keys = ", ".join(describe(record) for record in self._records.values())
        place = "in memory" if self._path is None else str(self._path)
        closed = ", closed" if self.closed else ""
        return f"<Keyring {place}{closed}: {keys or 'no keys'}>"

    def _save(self, locked: storage.LockedFile) -> None:
        if _digest(locked.read()) != self._digest:
            raise KeyringChanged(
                f"{self._path} was saved by somebody else since it was opened here; "
                "nothing was written",
                hint="open it again and repeat the change, inside tokenkit.edit_keyring(PATH)",
            )
        if self._kek_count != len(self._providers):
            raise KeyringError(
                f"{self._path} is wrapped for {self._kek_count} KEKs, and only "
                f"{len(self._providers)} given: saving would shut the others out",
                hint="save it with the version of tokenkit that wrapped it",
            )
        content = seal(self._records, self._generation + 1, self._providers)
        locked.replace(content)
        self._generation += 1
        self._digest = _digest(content)

    def _ids(self) -> set[int]:
        return {version.id for record in self._records.values() for version in record.versions}


def open_keyring(path: str | os.PathLike[str], kek: str | KeyProvider | None = None) -> Keyring:
    """Open a keyring file and load its keys.

    Parameters
    ----------
    path
        The keyring file.
    kek
        Where its key-encryption key comes from: ``passphrase:env:NAME``, ``passphrase:file:PATH``,
        ``passphrase:prompt``, another provider's URI, or a provider. Default: ``TOKENKIT_KEK``.

    Raises
    ------
    KeyringNotFound, KeyringFormatError, WrongKek, KeyringTampered
        If the file can't be opened; the class says why.
    KekNotConfigured, KeyProviderError
        If the KEK can't be had.
    KeyConflict
        If another key is loaded in this process under the id of one of the keyring's.

    Examples
    --------
    >>> import os, tempfile
    >>> from tokenkit.keys.providers.passphrase import PassphraseProvider
    >>> os.environ["DEMO_PASSPHRASE"] = "correct horse battery staple"
    >>> kek = PassphraseProvider("env:DEMO_PASSPHRASE", cost=2**10)  # cheap, for this example only
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     create_keyring(f"{folder}/keyring.json", ["payments"], kek).close()
    ...     with open_keyring(f"{folder}/keyring.json", kek) as ring:
    ...         ring["payments"].primary.number
    1
    """
    return _opened(_located(path), resolve(kek), None)


def create_keyring(
    path: str | os.PathLike[str],
    keys: Iterable[str] = (),
    kek: str | KeyProvider | None = None,
) -> Keyring:
    """Make a keyring file with one fresh version of each named key; gives the open keyring back.

    Parameters
    ----------
    path
        The new file; one that is there is never overwritten. Its mode is 0600.
    keys
        The names of the keys.
    kek
        As for :func:`open_keyring`.

    Raises
    ------
    KeyringExists
        If there is a file at that path.
    InvalidKey, KeyExists
        If a name isn't well formed, or stands there twice.
    KekNotConfigured, KeyProviderError, KeyringError
        If the KEK can't be had, or the file not written.
    """
    place = _located(path)
    # Told before a passphrase is asked for; what counts is the same check when the file is made.
    if place.exists():
        raise storage.already_there(place)
    provider = resolve(kek)
    records: dict[str, KeyRecord] = {}
    ids: set[int] = set()
    try:
        for name in [keys] if isinstance(keys, str) else keys:
            if checked_name(name) in records:
                raise KeyExists(f'the key name "{name}" stands there twice')
            version = generate(name, 1, ids)
            ids.add(version.id)
            records[name] = KeyRecord(name, [version], 1)
        content = seal(records, 1, (provider,))
        storage.create(place, content)
    except BaseException:
        release(records.values())
        raise
    return Keyring(
        records, path=place, providers=(provider,), generation=1, digest=_digest(content)
    )


@contextlib.contextmanager
def edit_keyring(
    path: str | os.PathLike[str], kek: str | KeyProvider | None = None
) -> Iterator[Keyring]:
    """Open a keyring for a change, keep other writers out, and save it at the end.

    Nothing is saved if the block raises. Another writer waits, up to a minute, and then works on
    what was saved here, so no version is lost.

    Parameters
    ----------
    path, kek
        As for :func:`open_keyring`.

    Raises
    ------
    KeyringError
        As :func:`open_keyring` and :meth:`Keyring.save` do.
    """
    place = _located(path)
    provider = resolve(kek)
    with storage.exclusive(place) as locked, _opened(place, provider, locked) as ring:
        yield ring
        ring.save()


def _opened(path: Path, provider: KeyProvider, locked: storage.LockedFile | None) -> Keyring:
    content = storage.read(path)
    opened = unseal(content, (provider,))
    return Keyring(
        opened.records,
        path=path,
        providers=(provider,),
        generation=opened.generation,
        digest=_digest(content),
        lock=locked,
        kek_count=opened.kek_count,
    )


def _located(path: str | os.PathLike[str]) -> Path:
    # A symbolic link keeps pointing where it does: the file behind it is the one that is replaced.
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        raise KeyringError("a keyring's path can't hold a NUL character") from None


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
