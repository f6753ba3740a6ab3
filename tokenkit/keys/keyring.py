"""Keyrings: named keys with versions, in memory and on their way to a file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from tokenkit.errors import (
    AccessDenied,
    KeyExists,
    KeyringChanged,
    KeyringError,
    UnknownKey,
)
from tokenkit.keys import adoption, copies, generations, lifecycle, storage
from tokenkit.keys.file import seal
from tokenkit.keys.key import Access, Key, KeyRecord, KeyVersion, Lease, describe
from tokenkit.keys.loading import generate, import_secret, release
from tokenkit.keys.names import checked_name
from tokenkit.keys.pins import Pins
from tokenkit.keys.providers import KeyProvider
from tokenkit.keys.unexportable import Unexportable
from tokenkit.keys.wrapping import Wrapping


class Keyring(Unexportable):
    """Named keys, loaded for as long as the keyring is open.

    Made by :func:`~tokenkit.keys.open_keyring`, :func:`~tokenkit.keys.create_keyring`,
    :func:`~tokenkit.keys.edit_keyring` or :meth:`from_secrets`, not by its constructor. A context
    manager: leaving it closes the keyring, and the native module overwrites keys that no other open
    keyring holds. A plan built with its keys must have run before. Neither the keyring nor anything
    taken from it can show, copy or pickle key bytes.

    Examples
    --------
    >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
    ...     list(ring), "payments" in ring, ring["payments"].primary.number
    (['payments'], True, 1)
    """

    __slots__ = (
        "__weakref__",
        "_destroyed",
        "_digest",
        "_generation",
        "_id",
        "_lease",
        "_lock",
        "_path",
        "_records",
        "_wrapping",
    )

    def __init__(
        self,
        records: dict[str, KeyRecord],
        *,
        path: Path | None = None,
        keyring_id: str = "",
        wrapping: Wrapping | None = None,
        generation: int = 0,
        digest: bytes = b"",
        lock: storage.LockedFile | None = None,
        access: Access = "all",
    ) -> None:
        self._records = records
        self._path = path
        self._id = keyring_id
        self._wrapping = wrapping or Wrapping.anew(())
        self._generation = generation
        self._digest = digest
        self._lock = lock
        self._destroyed = False
        self._lease = Lease(access)

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
    def keyring_id(self) -> str:
        """The keyring's id, 32 hexadecimal digits; empty for one that is in memory only."""
        return self._id

    @property
    def kek_count(self) -> int:
        """How many key-encryption keys open the file."""
        return self._wrapping.kek_count

    @property
    def providers(self) -> tuple[KeyProvider, ...]:
        """The key-encryption keys at hand."""
        return self._wrapping.providers

    @property
    def access(self) -> Access:
        """What the keyring was opened for: ``"all"`` or ``"tokenize"``."""
        return self._lease.access

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

    def add(self, name: str, *, rotate_after: int | None = None) -> Key:
        """Add a key with one fresh version. Kept only once the keyring is saved.

        Parameters
        ----------
        name
            The key's name.
        rotate_after
            The cryptoperiod in days, after which ``tokenkit keys list`` warns.

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
        days = lifecycle.checked_days(rotate_after)
        self._records[name] = KeyRecord(name, [generate(name, 1, self._ids())], 1, days)
        return self[name]

    def rotate(self, name: str) -> KeyVersion:
        """Give a key a fresh version and make it primary; older ones still detokenize.

        Kept only once the keyring is saved.

        Raises
        ------
        UnknownKey
            If there is no key of that name.
        KeyringError
            If its versions' numbers are used up.
        """
        record = self._record(name)
        version = generate(name, lifecycle.next_number(record), self._ids())
        record.versions.append(version)
        record.primary = version.number
        return version

    def enable(self, name: str, number: int) -> KeyVersion:
        """Let a disabled version be used again. Kept only once the keyring is saved.

        Raises
        ------
        UnknownKey, KeyVersionUnknown
            If there is no such key or version.
        KeyVersionDisabled
            If the version was destroyed.
        """
        return lifecycle.enable(self._record(name), number)

    def disable(self, name: str, number: int) -> KeyVersion:
        """Take a version out of use, until it's enabled again; its bytes stay in the file.

        A key whose primary version is disabled makes no new tokens until it's rotated. Kept only
        once the keyring is saved.

        Raises
        ------
        UnknownKey, KeyVersionUnknown
            If there is no such key or version.
        """
        return lifecycle.disable(self._record(name), number)

    def destroy(self, name: str, number: int) -> KeyVersion:
        """Lose a version's bytes for good: tokens made with it can never be turned back.

        Its number, id, key-check value and dates stay, so that errors can say what happened. The
        save that follows removes older copies of the keyring from its folder; copies elsewhere, in
        version control and backups, hold the bytes until their KEK is destroyed.

        Raises
        ------
        UnknownKey, KeyVersionUnknown
            If there is no such key or version.

        Examples
        --------
        >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
        ...     ring.destroy("payments", 1).state.value
        'destroyed'
        """
        version = lifecycle.destroy(self._record(name), number)
        self._destroyed = True
        return version

    def adopt(
        self, records: Sequence[KeyRecord], *, merge: bool = False, take_primary: bool = False
    ) -> None:
        """Take in keys that came from elsewhere, all or none; their handles are the keyring's now.

        What is there already stays as it is. For :mod:`tokenkit.keys.tink` and
        :mod:`tokenkit.keys.exchange`. Kept only once the keyring is saved.

        Parameters
        ----------
        records
            The keys, which may be released already when this returns or raises.
        merge
            Whether a key of the same name is the same even if none of its versions shows it.
        take_primary
            Whether a key that is there gets the other's primary version, if that is newer.

        Raises
        ------
        KeyConflict
            If a key of the same name isn't known to be the same, another version has one's number
            or id, or a version was destroyed here.
        """
        if self.closed:
            release(records)
        self._lease.check()
        adoption.adopt(self._records, records, merge=merge, take_primary=take_primary)

    def set_rotate_after(self, name: str, days: int | None) -> None:
        """Set a key's cryptoperiod, in days; None for none. Kept only once the keyring is saved.

        Raises
        ------
        UnknownKey
            If there is no key of that name.
        InvalidKey
            If the days are out of range.
        """
        self._record(name).rotate_after = lifecycle.checked_days(days)

    def pins(self) -> Pins:
        """Give what other places can hold this keyring against: ids, check values, generation."""
        self._lease.check()
        return Pins.of(self._records.values(), self._generation)

    def check_pins(self, pins: Pins) -> None:
        """Hold the keyring against pins.

        Raises
        ------
        PinMismatch
            If it lacks a pinned version, has another key under its id, or is too old.

        Examples
        --------
        >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
        ...     ring.check_pins(ring.pins())
        """
        self._lease.check()
        pins.check(self._records.values(), self._generation)

    def is_current(self) -> bool:
        """Whether the file is still the one that was opened, or last saved, here."""
        return self._path is None or storage.digest(storage.read(self._path)) == self._digest

    def rewrap(self, keks: Sequence[KeyProvider]) -> None:
        """Wrap for these KEKs, and for no others, from the next save on."""
        self._lease.check()
        self._wrapping = Wrapping.anew(keks)

    def save(self) -> None:
        """Write the keyring to its file: all or nothing, under a fresh file key.

        Raises
        ------
        KeyringChanged
            If the file isn't the one that was opened: another writer saved it meanwhile.
            Nothing is written then. :func:`edit_keyring` keeps others out from the start.
        KeyringError
            If the keyring is in memory only, if a KEK of the file isn't at hand (a save would shut
            it out), or if the system refuses to write the file.
        """
        self._lease.check()
        if self.access != "all":
            raise AccessDenied(
                "the keyring was opened for tokenizing only, and isn't saved from there",
                hint="change it with tokenkit.edit_keyring(PATH)",
            )
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

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        keys = ", ".join(describe(record) for record in self._records.values())
        place = "in memory" if self._path is None else str(self._path)
        closed = ", closed" if self.closed else ""
        return f"<Keyring {place}{closed}: {keys or 'no keys'}>"

    def _save(self, locked: storage.LockedFile) -> None:
        if storage.digest(locked.read()) != self._digest:
            raise KeyringChanged(
                f"{self._path} was saved by somebody else since it was opened here; "
                "nothing was written",
                hint="open it again and repeat the change, inside tokenkit.edit_keyring(PATH)",
            )
        providers = self.require_keks()
        content = seal(self._records, self._generation + 1, providers, self._id)
        locked.replace(content)
        self._generation += 1
        self._digest = storage.digest(content)
        self._wrapping = Wrapping.anew(providers)
        generations.note(self._id, self._generation)
        if self._destroyed:
            copies.purge(locked.path, self._id)
            self._destroyed = False
        else:
            copies.remove_remains(locked.path)

    def require_keks(self) -> list[KeyProvider]:
        """Give the KEKs that a save wraps for; raise :class:`KeyringError` if one isn't at hand."""
        return self._wrapping.for_saving()

    def _record(self, name: str) -> KeyRecord:
        return self._records[self[name].name]

    def _ids(self) -> set[int]:
        return {version.id for record in self._records.values() for version in record.versions}
