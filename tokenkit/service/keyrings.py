"""The keyring of a service that runs: followed when its file changes, and rotated on request."""

import threading
from collections.abc import Callable

from tokenkit.errors import AccessDenied, InvalidAccess, KeyringError, TokenkitError
from tokenkit.keys import Keyring, KeyVersion, edit_keyring, open_keyring
from tokenkit.service.watching import Watch


class KeyringFollower:
    """Opens the keyring anew when its file has changed; :meth:`close` ends its thread.

    Keyrings that were replaced stay open until the end: calls that began with them go on.

    Parameters
    ----------
    keyring
        The keyring as it was opened. One that is in memory only never changes.
    changed
        Is handed the one before and the new one, in whatever thread noticed. If it raises an error
        of tokenkit's, the one before stays.
    """

    def __init__(self, keyring: Keyring, changed: Callable[[Keyring, Keyring], None]) -> None:
        self._keyring = keyring
        self._changed = changed
        self._opened: list[Keyring] = []
        self._lock = threading.Lock()
        self._watch = None if keyring.path is None else Watch("keyring", self.look)

    def rotate(self, name: str) -> KeyVersion:
        """Give a key a fresh primary version in the file, and take the keyring from there.

        It is done on a copy, so that no token is made under a version that isn't saved yet.

        Raises
        ------
        InvalidAccess
            If the keyring is in memory only.
        AccessDenied
            If it was opened for tokenizing only.
        KeyringError
            If there is no such key, or the file can't be saved.
        """
        held = self._keyring
        if held.path is None:
            raise InvalidAccess("the keyring is in memory only", reason="in_memory")
        if held.access != "all":
            raise AccessDenied("the keyring was opened for tokenizing only")
        with edit_keyring(held.path, held.require_keks()) as ring:
            made = ring.rotate(name)
        self.look()
        return made

    def look(self) -> None:
        """Open the keyring anew if its file has changed.

        Raises
        ------
        KeyringError
            If it can't be opened; the one before stays.
        TokenkitError
            What ``changed`` raises.
        """
        with self._lock:
            held = self._keyring
            if held.path is None or held.is_current():
                return
            ring = open_keyring(held.path, held.providers, access=held.access)
            try:
                if ring.keyring_id != held.keyring_id:
                    raise KeyringError("the file is another keyring now")
                self._changed(held, ring)
            except TokenkitError:
                ring.close()
                raise
            self._opened.append(ring)
            self._keyring = ring

    def close(self) -> None:
        """End the thread, and close what was opened here."""
        if self._watch is not None:
            self._watch.close()
        for ring in self._opened:
            ring.close()
