"""The keyring that is used where none is named."""

import os
import threading
from contextvars import ContextVar, Token
from types import TracebackType

from tokenkit.errors import KeyringNotConfigured
from tokenkit.keys.key import Access, checked_access
from tokenkit.keys.keyring import Keyring
from tokenkit.keys.opening import open_keyring
from tokenkit.keys.providers import KEK_VARIABLE, KeyProvider

KEYRING_VARIABLE = "TOKENKIT_KEYRING"
"""The environment variable that names the keyring file where nothing else does."""

ACCESS_VARIABLE = "TOKENKIT_ACCESS"
"""The environment variable that says what that keyring is opened for: ``all`` or ``tokenize``."""

_override: ContextVar[Keyring | None] = ContextVar("tokenkit_keyring", default=None)


class _Process:
    """What holds for the whole process; every change is made under the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.default: Keyring | None = None
        self.opened: dict[tuple[str, str, str], Keyring] = {}


_process = _Process()


class KeyringUse:
    """What :func:`use_keyring` gives back: a context manager, if the caller wants one."""

    def __init__(self, ring: Keyring, previous: Keyring | None, *, owned: bool) -> None:
        self._ring = ring
        self._previous = previous
        self._owned = owned
        self._token: Token[Keyring | None] | None = None

    def __enter__(self) -> Keyring:
        # From a default of the process it becomes an override of this context alone.
        with _process.lock:
            if _process.default is self._ring:
                _process.default = self._previous
        self._token = _override.set(self._ring)
        return self._ring

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _override.reset(self._token)
            self._token = None
        if self._owned:
            self._ring.close()


def use_keyring(
    ring: Keyring | str | os.PathLike[str],
    kek: str | KeyProvider | None = None,
    *,
    access: Access = "all",
) -> KeyringUse:
    """Use a keyring wherever none is named.

    A plain call sets the default of the process. In a ``with`` statement it overrides the default
    for the block only, in the current thread and task (a :class:`~contextvars.ContextVar`); a
    keyring that was given by its path is closed at the end of the block.

    Parameters
    ----------
    ring
        An open keyring, or the path of one.
    kek
        The key-encryption key, for a path; see :func:`~tokenkit.keys.open_keyring`.
    access
        ``"tokenize"`` opens a path for tokenizing only.

    Returns
    -------
    KeyringUse
        A context manager that gives the keyring.

    Raises
    ------
    KeyringClosed
        If the keyring has been closed.
    KeyringError
        If the path can't be opened.

    Examples
    --------
    >>> ring = Keyring.from_secrets({"payments": bytes(range(32))})
    >>> with use_keyring(ring):
    ...     current_keyring() is ring
    True
    """
    owned = not isinstance(ring, Keyring)
    opened = ring if isinstance(ring, Keyring) else open_keyring(ring, kek, access=access)
    opened.require_open()
    with _process.lock:
        previous, _process.default = _process.default, opened
    return KeyringUse(opened, previous, owned=owned)


def current_keyring() -> Keyring:
    """Find the keyring to use where none is named.

    In this order: :func:`use_keyring` around the caller, :func:`use_keyring` for the process, and
    the file that ``TOKENKIT_KEYRING`` names with the KEK that ``TOKENKIT_KEK`` names, which is
    opened once and stays open.

    Raises
    ------
    KeyringNotConfigured
        If there is none of these.
    KeyringClosed
        If the one found has been closed.
    KeyringError
        If the file can't be opened.
    """
    found = _override.get()
    if found is None:
        found = _process.default
    if found is None:
        found = _from_environment()
    found.require_open()
    return found


def forget_keyrings() -> None:
    """Close what the environment named and drop the process's default: for tests' isolation."""
    with _process.lock:
        _process.default = None
        opened, _process.opened = _process.opened, {}
    for ring in opened.values():
        ring.close()


def _from_environment() -> Keyring:
    path = os.environ.get(KEYRING_VARIABLE, "")
    if not path:
        raise KeyringNotConfigured(
            "no keyring is named, and there is no default",
            hint='call tokenkit.use_keyring("keyring.json"), pass keyring=, or set '
            f"{KEYRING_VARIABLE} and {KEK_VARIABLE}; "
            "tokenkit keys create keyring.json --key NAME makes one",
        )
    source = (
        os.path.realpath(path),
        os.environ.get(KEK_VARIABLE, ""),
        os.environ.get(ACCESS_VARIABLE, ""),
    )
    with _process.lock:
        ring = _process.opened.get(source)
        if ring is None or ring.closed:
            ring = _process.opened[source] = open_keyring(path, access=configured_access())
    return ring


def configured_access() -> Access:
    """Read what ``TOKENKIT_ACCESS`` lets the process do; ``all`` if it isn't set."""
    access = os.environ.get(ACCESS_VARIABLE) or "all"
    checked_access(access)
    return "tokenize" if access == "tokenize" else "all"
