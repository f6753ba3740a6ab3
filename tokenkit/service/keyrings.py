"""The keyring of a service that runs: followed when its file changes, and rotated on request."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tokenkit.errors import AccessDenied, InvalidAccess, KeyringError, TokenkitError
from tokenkit.keys import Keyring, KeyVersion, edit_keyring, open_keyring

LOOK_SECONDS = 2.0
"""How often the file is looked at."""
_AGAIN_SECONDS = 10.0
_LOG = logging.getLogger("tokenkit.service")


class KeyringFollower:
    """Opens the keyring anew when its file has changed; a context manager that ends its thread.

    Keyrings that were replaced stay open until the end: calls that began with them go on.

    Parameters
    ----------
    keyring
        The keyring as it was opened. One that is in memory only never changes.
    changed
        Is handed each new one, in whatever thread noticed.
    """

    def __init__(self, keyring: Keyring, changed: Callable[[Keyring], None]) -> None:
        self._keyring = keyring
        self._changed = changed
        self._opened: list[Keyring] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._not_before = 0.0
        self._thread: threading.Thread | None = None
        if keyring.path is not None:
            self._thread = threading.Thread(target=self._run, name="tokenkit-keyring", daemon=True)
            self._thread.start()

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
        """
        with self._lock:
            held = self._keyring
            if held.path is None or held.is_current():
                return
            ring = open_keyring(held.path, held.providers, access=held.access)
            if ring.keyring_id != held.keyring_id:
                ring.close()
                raise KeyringError("the file is another keyring now")
            self._opened.append(ring)
            self._keyring = ring
        self._changed(ring)

    def close(self) -> None:
        """End the thread, and close what was opened here."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        for ring in self._opened:
            ring.close()

    def _run(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            if time.monotonic() < self._not_before:
                continue
            try:
                self.look()
            except TokenkitError as error:
                # What is held goes on serving; a key provider may be out of reach for a while.
                self._not_before = time.monotonic() + _AGAIN_SECONDS
                _LOG.warning("the keyring has changed and can't be opened: %s", error.code)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
