"""The policies of the service: a folder of files, each a policy by the name of its file.

The folder is read again when it changes.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from tokenkit.policy.folder import SUFFIXES, Policies, load_policies
from tokenkit.service.watching import Watch


class PolicyFollower:
    """Reads the folder of policies anew when it has changed; :meth:`close` ends it.

    A folder that can't be read as a whole changes nothing: what was read before goes on serving.

    Parameters
    ----------
    folder
        The folder; None for none.
    changed
        Is handed the policies before and the new ones. If it raises an error of tokenkit's, those
        before stay.
    """

    def __init__(self, folder: Path | None, changed: Callable[[Policies, Policies], None]) -> None:
        self._folder = folder
        self._changed = changed
        self._lock = threading.Lock()
        # Looked at first: what is written between the two is read twice, and not missed.
        self._seen = _files(folder)
        self.policies = load_policies(folder)
        self._watch = None if folder is None else Watch("folder of policies", self.look)

    def look(self) -> None:
        """Read the folder anew if a file of it has changed.

        Raises
        ------
        PolicyError, SchemeError, InvalidKey
            If it can't be read; the policies before stay.
        TokenkitError
            What ``changed`` raises.
        """
        with self._lock:
            seen = _files(self._folder)
            if seen == self._seen:
                return
            before, found = self.policies, load_policies(self._folder)
            if any(found.get(name) != before.get(name) for name in found.keys() | before.keys()):
                self._changed(before, found)
            self.policies, self._seen = found, seen

    def close(self) -> None:
        """End the thread."""
        if self._watch is not None:
            self._watch.close()


def _files(folder: Path | None) -> list[tuple[str, int, int, int]]:
    """Give what changes when a policy's file does."""
    if folder is None:
        return []
    found = []
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix in SUFFIXES:
                state = path.stat()
                found.append((path.name, state.st_ino, state.st_size, state.st_mtime_ns))
    except OSError:
        # Whatever is the matter, reading it says so.
        return []
    return found
