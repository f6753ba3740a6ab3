"""Polars' settings while jobs run: it takes them from the environment alone.

The C library's environment is no safe place: who adds a variable may move the list of them, while
native threads, Polars' own and others', read it without a lock. A process that had done thousands
of small jobs died of it. So the list never grows here: a variable that isn't set has a placeholder
instead, which was put there when this module was loaded, and the two take turns.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Final

import polars as pl

# Polars holds several morsels and row groups for each thread and each branch of a query; at its own
# sizes that was 0.8 GB for a job of three columns, at these it's 0.25 GB, and no slower.
_SETTINGS: Final = {
    "POLARS_IDEAL_MORSEL_SIZE": "50000",
    "POLARS_STREAMING_CHUNK_SIZE": "50000",
    "POLARS_ROW_GROUP_PREFETCH_SIZE": "1",
    "POLARS_CSV_CHUNK_SIZE": "1000000",
    "POLARS_NDJSON_CHUNK_SIZE": "1000000",
}
# Values of a job never go to a disk that nobody named, whatever the environment says.
_FORCED: Final = {"POLARS_OOC_DISK_BUDGET_MB": "0"}
_PLACEHOLDERS: Final = {
    name: f"TOKENKIT_ROOM_FOR_{name}" for name in (*_SETTINGS, *_FORCED) if name not in os.environ
}


class _Applied:
    """The settings, for as long as any job runs: the first one applies them, the last one ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs = 0
        self._before: dict[str, str | None] = {}

    def begin(self) -> None:
        with self._lock:
            self._jobs += 1
            if self._jobs > 1:
                return
            self._before = {name: os.environ.get(name) for name in (*_SETTINGS, *_FORCED)}
            for name, value in _SETTINGS.items():
                if not self._before[name]:
                    _set(name, value)
            for name, value in _FORCED.items():
                _set(name, value)
            _reload()

    def end(self) -> None:
        with self._lock:
            self._jobs -= 1
            if self._jobs:
                return
            for name, value in self._before.items():
                if value is None:
                    _unset(name)
                else:
                    os.environ[name] = value
            _reload()


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Let Polars hold fewer rows at once, unless the environment says how many, and spill none."""
    _APPLIED.begin()
    try:
        yield
    finally:
        _APPLIED.end()


def _set(name: str, value: str) -> None:
    os.environ.pop(_PLACEHOLDERS.get(name, ""), None)
    os.environ[name] = value


def _unset(name: str) -> None:
    os.environ.pop(name, None)
    if (placeholder := _PLACEHOLDERS.get(name)) is not None:
        os.environ[placeholder] = ""


def _reload() -> None:
    # Newer versions read the environment once, older ones at every query.
    if (reload := getattr(pl.Config, "reload_env_vars", None)) is not None:
        reload()


_APPLIED: Final = _Applied()
for _placeholder in _PLACEHOLDERS.values():
    os.environ.setdefault(_placeholder, "")
