"""Metrics that are read from the store, and held for a while: scrapes may come from many sides."""

import threading
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from tokenkit.errors import TokenkitError


class HeldCollector(Collector):
    """Looks into the store when it is asked, and not again before its time.

    While the store can't be read its metrics are left out.

    Parameters
    ----------
    seconds
        For how long what was found is given again.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: list[Metric] = []
        self._until = 0.0

    def collect(self) -> Iterator[Metric]:
        """Give what is held, or look again."""
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._held = list(self.looked())
                except TokenkitError:
                    self._held = []
                self._until = time.monotonic() + self._seconds
            held = self._held
        yield from held

    @abstractmethod
    def looked(self) -> Iterable[Metric]:
        """Look into the store."""
