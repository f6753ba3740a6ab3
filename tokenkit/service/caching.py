"""Caches in the process: of a stated size, for a stated time, and counted."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What a cache has done since it was made, and what it holds now.

    Examples
    --------
    >>> CacheCounts(hits=3, misses=1, held=1, size=10).hit_rate
    0.75
    """

    hits: int
    misses: int
    held: int
    size: int

    @property
    def hit_rate(self) -> float | None:
        """The share of lookups that found something; None if there were none."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


class Cache(Generic[K, V]):
    """Keeps what was used last, up to a number of entries; for threads and tasks alike.

    What it holds must be no plaintext: keys and values here are names, numbers, states and keyed
    hashes.

    Parameters
    ----------
    name
        What it is called in the metrics.
    size
        How many entries it holds at most; the one that was used longest ago goes first.
    seconds
        How long an entry counts, from when it was put in; None for as long as there is room.
    monotonic
        Gives seconds that only grow.

    Examples
    --------
    >>> cache = Cache[str, int]("squares", 2)
    >>> for number in ("1", "2", "3"):
    ...     cache.put(number, int(number) ** 2)
    >>> cache.get("1"), cache.get("3"), cache.counts.hit_rate
    (None, 9, 0.5)
    """

    __slots__ = ("_entries", "_hits", "_lock", "_misses", "_monotonic", "_seconds", "name", "size")

    def __init__(
        self,
        name: str,
        size: int,
        *,
        seconds: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if size < 1:
            raise ValueError("a cache holds at least one entry")
        self.name = name
        self.size = size
        self._seconds = seconds
        self._monotonic = monotonic
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = 0
        self._misses = 0

    def get(self, key: K) -> V | None:
        """Give what is held for a key; None if nothing is, or no longer counts."""
        with self._lock:
            found = self._live(key, self._monotonic())
            if found is None:
                self._misses += 1
                return None
            self._hits += 1
            return found[0]

    def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        """Give what is held of many, under one lock."""
        found: dict[K, V] = {}
        asked = 0
        with self._lock:
            now = self._monotonic()
            for key in keys:
                asked += 1
                entry = self._live(key, now)
                if entry is not None:
                    found[key] = entry[0]
            self._hits += len(found)
            self._misses += asked - len(found)
        return found

    def put(self, key: K, value: V) -> None:
        """Hold a value for a key."""
        self.put_many([(key, value)])

    def put_many(self, entries: Iterable[tuple[K, V]]) -> None:
        """Hold many, under one lock."""
        with self._lock:
            until = 0.0 if self._seconds is None else self._monotonic() + self._seconds
            for key, value in entries:
                self._entries[key] = (value, until)
                self._entries.move_to_end(key)
                if len(self._entries) > self.size:
                    self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget what is held for a key."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything but the counts."""
        with self._lock:
            self._entries.clear()

    @property
    def counts(self) -> CacheCounts:
        """What it has done, and what it holds."""
        return CacheCounts(self._hits, self._misses, len(self._entries), self.size)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(list(self._entries))

    def __repr__(self) -> str:
        return f"<Cache {self.name}: {len(self._entries)} of {self.size}>"

    def _live(self, key: K, now: float) -> tuple[V, float] | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._seconds is not None and now >= entry[1]:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry
