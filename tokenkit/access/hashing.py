"""Hashing passwords with argon2id, in a pool that bounds the memory and the processors it takes.

OWASP's parameters: 19 MiB, two passes, one lane; some 50 ms of one core. ``verify`` of a user that
isn't there hashes just as long: against a hash that nobody knows the password of.
"""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from tokenkit.access.passwords import LONGEST, normalised
from tokenkit.errors import AccessBusy, AccessError

try:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError
except ImportError:
    raise AccessError(
        "passwords need the package argon2-cffi", hint="pip install 'tokenkit-vaultless[service]'"
    ) from None

MEMORY_KIB = 19_456
PASSES = 2

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a password was right, and its hash anew where parameters have changed since.

    Examples
    --------
    >>> Verified(False)
    Verified(right=False)
    """

    right: bool
    renewed: str | None = field(default=None, repr=False)


class PasswordPool:
    """Checks and hashes passwords in threads of its own; a context manager that ends them.

    Parameters
    ----------
    workers
        How many passwords are hashed at a time; each takes 19 MiB and a core.
    waiting
        How many more may wait. One more is refused, so that a flood of logins can't hold up those
        that were there before for longer than they would wait.

    Examples
    --------
    >>> with PasswordPool(workers=1) as pool:
    ...     stored = pool.hash("kettle paper otter moss").result()
    ...     right = pool.verify(stored, "kettle paper otter moss").result().right
    ...     unknown = pool.verify(None, "kettle paper otter moss").result().right
    >>> right, unknown
    (True, False)
    """

    def __init__(self, workers: int = 2, waiting: int = 32) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="tokenkit-password")
        self._places = threading.BoundedSemaphore(workers + waiting)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> "Future[str]":
        """Hash a new password.

        Raises
        ------
        AccessBusy
            If too many are waiting.
        """
        return self._submit(lambda: self._hasher.hash(_encoded(password)))

    def verify(self, stored: str | None, password: str) -> "Future[Verified]":
        """Check a password against a stored hash, or for as long against none.

        Parameters
        ----------
        stored
            The hash, or None where there is no such user, no password, or no right to sign in.
        password
            What was typed.

        Raises
        ------
        AccessBusy
            If too many are waiting.
        """
        return self._submit(lambda: self._verified(stored, password))

    def _verified(self, stored: str | None, password: str) -> Verified:
        # What is longer than any password is cut: it can't be right, but takes as long.
        typed = _encoded(password[: LONGEST + 1])
        against = self._nobody if stored is None else stored
        try:
            self._hasher.verify(against, typed)
        except (VerificationError, InvalidHashError):
            return Verified(False)
        if stored is None:
            return Verified(False)
        renewed = self._hasher.hash(typed) if self._hasher.check_needs_rehash(stored) else None
        return Verified(True, renewed)

    def _submit(self, work: Callable[[], _T]) -> "Future[_T]":
        if not self._places.acquire(blocking=False):
            raise AccessBusy(
                "too many passwords are being checked at once",
                reason="busy",
                hint="try again in a few seconds",
            )
        try:
            future = self._executor.submit(work)
        except RuntimeError:
            self._places.release()
            raise
        future.add_done_callback(lambda _done: self._places.release())
        return future

    def close(self) -> None:
        """End the threads once their work is done."""
        self._executor.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _encoded(password: str) -> bytes:
    # A lone surrogate must not end in an error of the codec, which would hold the password.
    return normalised(password).encode("utf-8", "surrogatepass")
