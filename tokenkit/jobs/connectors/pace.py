"""A source that goes no faster than a sink that is slower.

Polars gives the rows of one reading to several branches of a query, and keeps for the slow one what
the fast ones have had. A table that is written is such a slow one: without a brake, most of the
input would wait in memory.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_MOST_AHEAD: Final = 200_000
_IDLE: Final = 0.02


class Pace:
    """How many rows a source has given, and a sink has taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._given = 0
        self._taken = 0
        self._is_taking = False
        self._idle_since = time.monotonic()
        self._has_sink = False

    def give(self, rows: int) -> None:
        """Wait until the sink has nearly caught up, then count rows that it gets.

        A sink that waits for rows itself isn't waited for: rows that were rejected don't get there.
        """
        with self._changed:
            while self._has_sink and self._given - self._taken > _MOST_AHEAD:
                rest = _IDLE - (time.monotonic() - self._idle_since)
                if not self._is_taking and rest <= 0:
                    break
                self._changed.wait(None if self._is_taking else rest)
            self._given += rows

    @contextmanager
    def take(self, rows: int) -> Iterator[None]:
        """Count rows that are taken while the block runs."""
        with self._changed:
            self._has_sink = self._is_taking = True
        try:
            yield
        finally:
            with self._changed:
                self._is_taking = False
                self._idle_since = time.monotonic()
                self._taken += rows
                self._changed.notify_all()


_current: ContextVar[Pace | None] = ContextVar("tokenkit_pace", default=None)


@contextmanager
def keeping_pace() -> Iterator[Pace]:
    """Let the sources and sinks that are opened in a block keep pace with each other."""
    pace = Pace()
    token = _current.set(pace)
    try:
        yield pace
    finally:
        _current.reset(token)


def current_pace() -> Pace:
    """Give the pace of this job; one that nobody else keeps, outside of jobs."""
    return _current.get() or Pace()
