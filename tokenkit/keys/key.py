"""Keys and their versions: names, numbers, ids and states; never bytes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from tokenkit import _native
from tokenkit.errors import (
    AccessDenied,
    InvalidKey,
    KeyConflict,
    KeyNotLoaded,
    KeyringClosed,
    KeyringError,
    KeyVersionDisabled,
    KeyVersionUnknown,
    translated,
)
from tokenkit.keys.unexportable import Unexportable

if TYPE_CHECKING:
    from tokenkit._native import KeyHandle

MAX_ROTATE_AFTER = 36_500
"""The longest cryptoperiod, in days."""

MAX_NUMBER = 2**32 - 1
"""The highest version number, as plans have it."""

Access: TypeAlias = Literal["all", "tokenize"]
"""What a keyring is opened for."""


def checked_access(access: str) -> None:
    """Refuse an access that there isn't: a misspelt one mustn't grant everything."""
    if access not in get_args(Access):
        raise KeyringError(
            f"there is no access {access!r}", hint='use "all" (the default) or "tokenize"'
        )


class KeyKind(StrEnum):
    """What sort of key a version is, and so what it can do."""

    TOKENKIT = "tokenkit"
    RAW_AES_SIV = "raw:aes-siv"
    RAW_HMAC = "raw:hmac"

    def does(self, algorithm: str) -> bool:
        """Whether a key of this kind does what an algorithm of a scheme needs.

        Examples
        --------
        >>> KeyKind.TOKENKIT.does("FF1"), KeyKind.RAW_AES_SIV.does("FF1")
        (True, False)
        """
        return self is KeyKind.TOKENKIT or (self is KeyKind.RAW_AES_SIV and algorithm == "AES-SIV")


class KeyState(StrEnum):
    """What a key version may be used for."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class KeyVersion(Unexportable):
    """One version of a key. Its bytes live in the native module only.

    Attributes
    ----------
    name
        The name of the key that it is a version of.
    number
        1 for the key's first version, then 2, ...
    id
        Nonzero 32-bit number, unique in the keyring; plans and tokens name the version by it.
    check_value
        16 bytes derived from the key, which tell a right key from a wrong one.
    kind
        ``tokenkit``, or for imported keys of one algorithm ``raw:aes-siv`` or ``raw:hmac``.
    state
        ``enabled``, ``disabled`` or ``destroyed``.
    created
        When it was made, in UTC.
    primary_since
        When it became the primary version, in UTC; None if it never was.
    disabled
        When it was disabled, in UTC; None unless it is now.
    destroyed
        When its bytes were destroyed, in UTC.
    """

    name: str
    number: int
    id: int
    check_value: bytes
    kind: KeyKind = KeyKind.TOKENKIT
    state: KeyState = KeyState.ENABLED
    created: datetime
    primary_since: datetime | None = None
    disabled: datetime | None = None
    destroyed: datetime | None = None
    handle: "KeyHandle | None" = field(default=None, repr=False)
    """Keeps the key loaded. For this package and the native module only."""

    def require_revealing(self) -> None:
        """Raise :class:`~tokenkit.errors.AccessDenied` if it was opened for tokenizing only.

        Examples
        --------
        >>> from tokenkit.keys import Keyring
        >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
        ...     ring["payments"].primary.require_revealing()
        """
        if self.handle is not None and not self.handle.reveals:
            raise AccessDenied(
                f'key "{self.name}" version {self.number} (id {self.id}) was opened for '
                "tokenizing only",
                hint='open the keyring with access="all" where tokens may be turned back',
            )

    def require_algorithm(self, algorithm: str) -> None:
        """Raise :class:`~tokenkit.errors.InvalidKey` if it was imported for another algorithm.

        Examples
        --------
        >>> from tokenkit.keys import Keyring
        >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
        ...     ring["payments"].primary.require_algorithm("FF1")
        """
        if not self.kind.does(algorithm):
            raise InvalidKey(
                f'key "{self.name}" version {self.number} (id {self.id}) was imported as '
                f"{self.kind}, and does no {algorithm}",
                hint="rotate the key, or use one that tokenkit made: tokenkit keys add FILE NAME",
            )

    def authenticate(self, message: bytes) -> bytes:
        """Compute the MAC of metadata: HMAC-SHA-256 under this version's "metadata MAC" subkey.

        Raises
        ------
        KeyNotLoaded
            If the version's bytes are gone, because it was destroyed or its keyring closed.

        Examples
        --------
        >>> from tokenkit.keys import Keyring
        >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
        ...     len(ring["payments"].primary.authenticate(b"metadata"))
        32
        """
        with translated():
            return _native.metadata_mac(self.loaded(), message)

    def loaded(self) -> "_native.KeyHandle":
        """Give the handle of this version's bytes.

        Raises
        ------
        KeyNotLoaded
            If they are gone, because the version was destroyed or its keyring closed.
        """
        if self.handle is None:
            raise KeyNotLoaded(
                f'key "{self.name}" version {self.number} (id {self.id}) is not loaded',
                hint="open the keyring again; a destroyed version can't be used any more",
            )
        return self.handle

    def __repr__(self) -> str:
        return f"<KeyVersion {self.name!r} {self.number}: id {self.id}, {self.state}>"


# A frozen dataclass with slots gets one that gives all fields away, on Python 3.11.2 in any case.
KeyVersion.__getstate__ = Unexportable.__getstate__  # type: ignore[method-assign]


@dataclass(slots=True, eq=False)
class KeyRecord(Unexportable):
    """What a keyring keeps of a key: its versions by ascending number, and the primary's number."""

    name: str
    versions: list[KeyVersion]
    primary: int
    rotate_after: int | None = None

    def numbered(self, number: int) -> KeyVersion | None:
        """Find a version by its number."""
        return next((found for found in self.versions if found.number == number), None)


class Lease:
    """Says whether the keyring that lent out its keys is still open, and what for."""

    __slots__ = ("access", "ended")

    def __init__(self, access: Access = "all") -> None:
        self.access = access
        self.ended = False

    def check(self) -> None:
        """Raise :class:`~tokenkit.errors.KeyringClosed` after the keyring has been closed."""
        if self.ended:
            raise KeyringClosed(
                "the keyring is closed, and its keys are no longer loaded",
                hint="use its keys inside the with block, or open it again with "
                "tokenkit.open_keyring(PATH)",
            )


class Key(Unexportable):
    """A named key of an open keyring; follows the keyring's rotations.

    Taken from a keyring: ``ring["payments"]``.

    Examples
    --------
    >>> from tokenkit.keys import Keyring
    >>> with Keyring.from_secrets({"payments": bytes(range(32))}) as ring:
    ...     key = ring["payments"]
    ...     key.name, key.primary.number, key.primary.state.value
    ('payments', 1, 'enabled')
    """

    __slots__ = ("_lease", "_record")

    def __init__(self, record: KeyRecord, lease: Lease) -> None:
        self._record = record
        self._lease = lease

    @property
    def name(self) -> str:
        """The key's name in its keyring."""
        return self._record.name

    @property
    def versions(self) -> tuple[KeyVersion, ...]:
        """All versions, whatever their state, by ascending number."""
        self._lease.check()
        return tuple(self._record.versions)

    @property
    def primary_number(self) -> int:
        """The number of the primary version, whatever its state."""
        return self._record.primary

    @property
    def rotate_after(self) -> int | None:
        """The cryptoperiod: how many days a version should stay primary; None if not set."""
        return self._record.rotate_after

    @property
    def rotation_due(self) -> datetime | None:
        """When the primary version's cryptoperiod ends; None if the key has none."""
        version = self._record.numbered(self._record.primary)
        since = None if version is None else version.primary_since
        if self.rotate_after is None or since is None:
            return None
        return since + timedelta(days=self.rotate_after)

    @property
    def primary(self) -> KeyVersion:
        """The version that new tokens are made with; raises as :meth:`version` does."""
        return self.version(self._record.primary)

    @property
    def enabled(self) -> tuple[KeyVersion, ...]:
        """The enabled versions by ascending number; if there is none, raises as :meth:`version`."""
        found = (version for version in self.versions if version.state is KeyState.ENABLED)
        # Without any, asking for the primary one says what became of it.
        return tuple(found) or (self.primary,)

    def version(self, number: int) -> KeyVersion:
        """Find an enabled version by its number.

        Raises
        ------
        KeyVersionUnknown
            If the key has no version of that number.
        KeyVersionDisabled
            If the version is disabled or destroyed.
        KeyringClosed
            After the keyring has been closed.
        """
        self._lease.check()
        found = self._record.numbered(number)
        if found is None:
            numbers = ", ".join(str(version.number) for version in self._record.versions)
            raise KeyVersionUnknown(
                f'key "{self.name}" has no version {number}',
                hint=f"its versions are: {numbers}; a newer keyring file may have more",
            )
        return self._usable(found)

    def version_with_id(self, id: int, check_value: bytes | None = None) -> KeyVersion:  # noqa: A002 - the contract's word
        """Find the enabled version that metadata names by its id and key-check value.

        Raises
        ------
        KeyVersionUnknown
            If the key has no version of that id.
        KeyConflict
            If it has one, with another key-check value: an id is no proof of a key.
        KeyVersionDisabled
            If the version is disabled or destroyed.
        KeyringClosed
            After the keyring has been closed.
        """
        self._lease.check()
        found = next((version for version in self._record.versions if version.id == id), None)
        if found is None:
            raise KeyVersionUnknown(
                f'key "{self.name}" has no version with the id {id}',
                hint="open the keyring that the tokens were made with, or a newer file of it",
            )
        if check_value is not None and check_value != found.check_value:
            raise KeyConflict(
                f'key "{self.name}" has a version with the id {id}, but it is another key',
                hint="open the keyring that the tokens were made with",
            )
        return self._usable(found)

    def _usable(self, version: KeyVersion) -> KeyVersion:
        if version.state is KeyState.ENABLED:
            return version
        named = f'key "{self.name}" version {version.number} (id {version.id})'
        if version.state is KeyState.DESTROYED:
            raise KeyVersionDisabled(
                f"{named} was destroyed{_on(version.destroyed)}: "
                "tokens made with it can't be turned back",
                hint="rotate the key to make new tokens"
                if version.number == self._record.primary
                else "no copy of this keyring brings the version back, unless one was kept "
                "from before that day",
            )
        raise KeyVersionDisabled(
            f"{named} is disabled{_on(version.disabled, ' since')}",
            hint=f"enable it: tokenkit keys enable FILE {self.name}@{version.number}"
            + ", or rotate the key" * (version.number == self._record.primary),
        )

    def __repr__(self) -> str:
        return f"<Key {describe(self._record)}{' of a closed keyring' * self._lease.ended}>"


def _on(moment: datetime | None, word: str = " on") -> str:
    return "" if moment is None else f"{word} {moment:%Y-%m-%d}"


def describe(record: KeyRecord) -> str:
    """Put a key into words for a repr: name, version numbers, ids and states."""
    versions = ", ".join(
        f"{version.number}: id {version.id} {version.state}"
        + " primary" * (version.number == record.primary)
        for version in record.versions
    )
    return f"{record.name!r} [{versions}]"
