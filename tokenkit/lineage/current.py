"""The recorder that jobs go through where none is named."""

import threading
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType

from tokenkit.lineage.recorder import Recorder, Unrecorded

_override: ContextVar[Recorder | None] = ContextVar("tokenkit_recorder", default=None)
_lock = threading.Lock()
_default: Callable[[], Recorder] = Unrecorded


class RecorderUse:
    """What :func:`use_recorder` gives back: a context manager."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._token: Token[Recorder | None] | None = None

    def __enter__(self) -> Recorder:
        self._token = _override.set(self._recorder)
        return self._recorder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _override.reset(self._token)
            self._token = None


def use_recorder(recorder: Recorder) -> RecorderUse:
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
    return RecorderUse(recorder)


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
