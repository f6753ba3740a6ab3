"""What is no longer needed is deleted, once an hour, by each worker."""

import contextlib
import random
import threading
from collections.abc import Callable, Sequence

from tokenkit.errors import TokenkitError

EVERY_SECONDS = 3600.0


class Housekeeping:
    """Calls functions once an hour, from a thread of its own; :meth:`close` ends it.

    Parameters
    ----------
    chores
        The functions. What they raise of tokenkit's errors is tried again an hour later.
    every
        Seconds between two rounds. The first one comes at a moment of chance, so that not all
        workers begin together.

    Examples
    --------
    >>> done = threading.Event()
    >>> with contextlib.closing(Housekeeping([done.set], every=0.01)):
    ...     done.wait(10)
    True
    """

    def __init__(
        self, chores: Sequence[Callable[[], object]], *, every: float = EVERY_SECONDS
    ) -> None:
        self._chores = chores
        self._every = every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tokenkit-chores", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        wait = random.uniform(0, self._every)  # noqa: S311 - no secret
        while not self._ending.wait(wait):
            wait = self._every
            for chore in self._chores:
                with contextlib.suppress(TokenkitError):
                    chore()
