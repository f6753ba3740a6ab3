"""Limits: how many requests an API key, a session or an address may make in a time.

Counted by the package limits, in a sliding window of two counters: in the process, where each
worker counts for itself, or in Redis, where all of them count together.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias
from uuid import UUID

import limits
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter as SharedLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage

from tokenkit.access.lockout import network_of
from tokenkit.errors import InvalidRequest, TooManyRequests
from tokenkit.service.settings import REDIS_VARIABLE

MOST_COUNTED = 100_000
"""API keys, sessions and addresses that are counted for in the process; the latest stay."""
REDIS_SECONDS = 0.5
"""How long Redis may take; after that each worker counts for itself."""
AWAY_SECONDS = 5.0
"""How long it then does so before it asks Redis again."""

Kind: TypeAlias = Literal["api_key", "session", "address"]

_PREFIX = "tokenkit"
_SCHEMES = frozenset({"redis", "rediss", "redis+unix"})
_SAID: dict[Kind, str] = {
    "api_key": "the API key has made too many requests",
    "session": "the session has made too many requests",
    "address": "too many requests have come from this address",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds.

    Examples
    --------
    >>> Rate.parse("100/minute")
    Rate(requests=100, seconds=60)
    """

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read ``NUMBER/second``, ``minute``, ``hour`` or ``day``.

        Raises
        ------
        InvalidRequest
            If it is something else.
        """
        try:
            item = limits.parse(text)
        except ValueError:
            item = None
        if item is None or item.amount < 1:
            raise InvalidRequest(
                "that is no limit", reason="limit", hint="such as 6000/minute or 50/second"
            )
        return cls(item.amount, item.get_expiry())

    @classmethod
    def parse_any(cls, text: str) -> "Rate | None":
        """Read the same, or nothing: then there is no limit."""
        return cls.parse(text) if text else None

    def item(self) -> limits.RateLimitItem:
        """Give it as the package limits has it."""
        return limits.RateLimitItemPerSecond(self.requests, self.seconds, namespace=_PREFIX)


class BoundedMemory(MemoryStorage):
    """Counters in the process, of which only the latest used are held.

    The package's own storage looks through all of its counters, again and again: an attacker with
    many addresses would slow everybody down.

    Examples
    --------
    >>> storage = BoundedMemory(size=2)
    >>> [storage.acquire_sliding_window_entry("a", 2, 60) for _ in range(3)]
    [True, True, False]
    """

    STORAGE_SCHEME = ["tokenkit-memory"]  # noqa: RUF012 - the package's word

    def __init__(self, *, size: int = MOST_COUNTED, clock: Callable[[], float] = time.time) -> None:
        # Without the package's own constructor, which starts a thread.
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count, if that is within the limit."""
        with self._lock:
            window, before, now, share = self._state(key, expiry)
            if math.floor(before * share) + now + amount > limit:
                return False
            self._counts[key] = (window, before, now + amount)
            self._counts.move_to_end(key)
            if len(self._counts) > self._size:
                self._counts.popitem(last=False)
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Give the count of the window before, its share in seconds, and this window's."""
        with self._lock:
            _, before, now, share = self._state(key, expiry)
        left = share * expiry
        return before, left, now, left + expiry

    def wait(self, key: str, expiry: int) -> int:
        """Say in how many seconds there may be room again."""
        before, left, _, _ = self.get_sliding_window(key, expiry)
        # The share of the window before gets smaller by one as often as it counted.
        return max(1, math.ceil(left % (expiry / before) if before else left))

    def __len__(self) -> int:
        return len(self._counts)

    def _state(self, key: str, expiry: int) -> tuple[int, int, int, float]:
        elapsed = self._clock() / expiry
        window = math.floor(elapsed)
        at, before, now = self._counts.get(key, (window, 0, 0))
        if at != window:
            before, now = (now, 0) if at == window - 1 else (0, 0)
        return window, before, now, 1 - (elapsed - window)


class RequestLimits:
    """Counts requests, and refuses those that are too many.

    Parameters
    ----------
    api_key, session, address
        How much each may do; None for no limit.
    redis_url
        A Redis in which all workers count together; None to count in the process.
    size
        How many are counted for in the process.
    clock, monotonic
        Give seconds: of the day, for windows in the process, and ones that only grow.

    Examples
    --------
    >>> import asyncio
    >>> limited = RequestLimits(address=Rate(1, 60))
    >>> asyncio.run(limited.take_address("192.0.2.1"))
    >>> asyncio.run(limited.take_address("192.0.2.1"))
    Traceback (most recent call last):
    ...
    tokenkit.errors.service.TooManyRequests: too many requests have come from this address
        [reason="address"]
    hint: ...
    """

    def __init__(
        self,
        *,
        api_key: Rate | None = None,
        session: Rate | None = None,
        address: Rate | None = None,
        redis_url: str | None = None,
        size: int = MOST_COUNTED,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        rates: dict[Kind, Rate | None] = {
            "api_key": api_key,
            "session": session,
            "address": address,
        }
        self._rates = {kind: (rate, rate.item()) for kind, rate in rates.items() if rate}
        self._memory = BoundedMemory(size=size, clock=clock)
        self._shared = None if redis_url is None else _redis(redis_url)
        self._monotonic = monotonic
        self._away_until = -math.inf
        self.refused = 0
        self.away = 0
        """How often Redis couldn't be asked, so that this worker counted for itself."""

    async def take_address(self, address: str | None) -> None:
        """Count a request from an address, before anybody is asked who it is.

        Raises
        ------
        TooManyRequests
            If it is one too many.
        """
        # A server that is reached by a socket in the file system knows no address.
        if network := _network_of(address):
            await self._take("address", network)

    async def take(self, kind: Kind, id_: UUID) -> None:
        """Count a request of an API key or a session; raises as :meth:`take_address` does."""
        await self._take(kind, id_.hex)

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            await _closed(self._shared)

    async def _take(self, kind: Kind, name: str) -> None:
        found = self._rates.get(kind)
        if found is None:
            return
        rate, item = found
        wait = await self._asked(item, kind, name)
        if wait is None:
            return
        self.refused += 1
        error = TooManyRequests(
            _SAID[kind],
            reason=kind,
            retry_after=wait,
            hint=f"at most {rate.requests} requests in {rate.seconds} seconds",
        )
        error.limit = (kind, rate.requests, rate.seconds)
        raise error

    async def _asked(self, item: limits.RateLimitItem, kind: str, name: str) -> int | None:
        """Count; give None if it is within the limit, and else how many seconds to wait."""
        if self._shared is not None and self._monotonic() >= self._away_until:
            try:
                if await self._shared.hit(item, kind, name):
                    return None
                stats = await self._shared.get_window_stats(item, kind, name)
                return _seconds(stats.reset_time)
            except StorageError:
                # Limits protect the service; where they can't be shared, each worker has its own.
                self.away += 1
                self._away_until = self._monotonic() + AWAY_SECONDS
        key, expiry = item.key_for(kind, name), item.get_expiry()
        # Not by way of the package's strategy, whose four calls take longer than counting.
        if self._memory.acquire_sliding_window_entry(key, item.amount, expiry):
            return None
        return self._memory.wait(key, expiry)


_network_of = lru_cache(maxsize=10_000)(network_of)


def _redis(url: str) -> SharedLimiter:
    problem = "" if url.partition("://")[0] in _SCHEMES else f"{REDIS_VARIABLE} is no Redis's URL"
    try:
        if not problem:
            return SharedLimiter(
                RedisStorage(
                    f"async+{url}",
                    wrap_exceptions=True,
                    implementation="redispy",
                    key_prefix=_PREFIX,
                    socket_timeout=REDIS_SECONDS,
                    socket_connect_timeout=REDIS_SECONDS,
                )
            )
    except ConfigurationError:
        problem = "limits in Redis need the package redis"
    except ValueError:
        # Its text may quote the password.
        problem = f"{REDIS_VARIABLE} can't be read"
    raise InvalidRequest(
        problem,
        reason="redis_url",
        hint="such as redis://HOST:6379/0 or rediss://; pip install 'tokenkit-vaultless[redis]'",
    )


async def _closed(shared: SharedLimiter) -> None:
    client = getattr(getattr(shared.storage, "bridge", None), "storage", None)
    if client is not None:
        await client.aclose()


def _seconds(moment: float) -> int:
    return max(1, math.ceil(moment - time.time()))
