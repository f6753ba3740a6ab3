"""Passwords in the service: hashed in a pool of their own, by threads that nobody else needs."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from tokenkit.access.hashing import PasswordPool
from tokenkit.access.passwords import PasswordRules
from tokenkit.errors import AccessBusy

_GENERATED_BYTES = 18
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Signing:
    """Runs what checks or hashes passwords; :meth:`close` ends its threads.

    Whoever signs in waits for a processor, and mustn't keep those waiting who don't. So there are
    threads for it alone, and what waits for them is bounded.

    Parameters
    ----------
    workers
        How many passwords are hashed at a time.
    waiting
        How many more sign-ins may wait; one more is refused.

    Examples
    --------
    >>> from contextlib import closing
    >>> with closing(Signing(workers=1, waiting=4)) as signing:
    ...     asyncio.run(signing.run(len, "abc"))
    3
    """

    def __init__(self, workers: int, waiting: int) -> None:
        # While one is hashed, another can look into the database.
        threads = 2 * workers
        self.pool = PasswordPool(workers, threads)
        self.rules = PasswordRules()
        self._most = threads + waiting
        self._waiting = 0
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tokenkit-signing")

    @property
    def waiting(self) -> int:
        """How many are under way or wait."""
        return self._waiting

    async def run(self, function: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T:
        """Run a function in one of the threads.

        Raises
        ------
        AccessBusy
            If too many wait.
        """
        if self._waiting >= self._most:
            raise AccessBusy(
                "too many passwords are being checked at once",
                reason="busy",
                hint="try again in a few seconds",
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(function, *given, **named))
        finally:
            self._waiting -= 1

    def chosen(self, password: str | None, user: str) -> tuple[str, str]:
        """Check a password that somebody chose for a user, or make one, and hash it.

        Returns
        -------
        password, hash
            The password, as it is hashed.

        Raises
        ------
        PasswordRefused
            If it is too easy to guess.
        AccessBusy
            If too many wait.
        """
        if password is None:
            found = secrets.token_urlsafe(_GENERATED_BYTES)
        else:
            found = self.rules.checked(password, user=user)
        return found, self.pool.hash(found).result()

    def close(self) -> None:
        """End the threads once their work is done."""
        self._threads.shutdown()
        self.pool.close()
