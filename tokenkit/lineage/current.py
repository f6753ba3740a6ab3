"""The recorder that jobs go through where none is named."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tokenkit.lineage.recorder import Recorder, Unrecorded

_override: ContextVar[Recorder | None] = ContextVar("tokenkit_recorder", default=None)
_lock = threading.Lock()
_default: Callable[[], Recorder] = Unrecorded


@contextmanager
def use_recorder(recorder: Recorder) -> Iterator[Recorder]:
    """Let jobs in a block go through another recorder.

    Parameters
    ----------
    recorder
        Which one; :class:`~tokenkit.lineage.Unrecorded` remembers nothing.

    Examples
    --------
    >>> from tokenkit.lineage import Unrecorded
    >>> with use_recorder(Unrecorded()) as recorder:
    ...     current_recorder() is recorder
    True
    """
    token = _override.set(recorder)
    try:
        yield recorder
    finally:
        _override.reset(token)


def current_recorder() -> Recorder:
    """Give the recorder that jobs go through here; by default that of the store.

    Raises
    ------
    StoreError
        If the store can't be opened.
    """
    return _override.get() or _default()


def record_by_default(make: Callable[[], Recorder]) -> None:
    """Say what gives the process's default recorder; it is called by each job that records."""
    global _default  # noqa: PLW0603 - the process's own
    with _lock:
        _default = make
