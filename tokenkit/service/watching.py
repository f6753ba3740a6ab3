"""Looking again and again whether something outside has changed."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from tokenkit.errors import TokenkitError

LOOK_SECONDS: Final = 2.0
"""How often it is looked."""
_AGAIN_SECONDS: Final = 10.0
_LOG = logging.getLogger("tokenkit.service")


class Watch:
    """Calls a function every two seconds, in a thread of its own; :meth:`close` ends it.

    Parameters
    ----------
    name
        What is watched, for the log and for the thread's name.
    look
        Looks. If it raises an error of tokenkit's, the log has its code, and it is looked again
        ten seconds later: what is held meanwhile goes on serving.
    every
        Seconds between two looks.

    Examples
    --------
    >>> seen = threading.Event()
    >>> from contextlib import closing
    >>> with closing(Watch("folder", seen.set, every=0.01)):
    ...     seen.wait(10)
    True
    """

    def __init__(
        self, name: str, look: Callable[[], object], *, every: float = LOOK_SECONDS
    ) -> None:
        self._name = name
        self._look = look
        self._every = every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tokenkit-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        not_before = 0.0
        while not self._ending.wait(self._every):
            if time.monotonic() < not_before:
                continue
            try:
                self._look()
            except TokenkitError as error:
                not_before = time.monotonic() + _AGAIN_SECONDS
                _LOG.warning("the %s has changed and can't be used: %s", self._name, error.code)
