"""How much each key version was used in this process: counts and times, no values.

The native module counts, whatever engine or plan asks. Counts stay when a keyring is closed, and
end with the process.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from tokenkit import _native


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How much a key version was used.

    Attributes
    ----------
    id
        The version's id.
    check_value
        Its key-check value: two keyrings may have other keys under one id.
    tokenized, detokenized
        How many values, without nulls and including those that didn't fit.
    last_used
        In UTC, in whole seconds.
    """

    id: int
    check_value: bytes
    tokenized: int
    detokenized: int
    last_used: datetime


def key_uses() -> tuple[KeyUse, ...]:
    """Give the counts of every key version that this process has used, since it started.

    Examples
    --------
    >>> isinstance(key_uses(), tuple)
    True
    """
    return tuple(
        KeyUse(id_, check_value, tokenized, detokenized, datetime.fromtimestamp(last_used, UTC))
        for id_, check_value, tokenized, detokenized, last_used in _native.key_usage()
    )


class UseMonitor:
    """Tells a callback of uses as they come; made by :func:`on_use`. A context manager."""

    def __init__(self, callback: Callable[[KeyUse], object], every: float) -> None:
        self._callback = callback
        self._every = every
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._told = {(use.id, use.check_value): use for use in key_uses()}
        self._thread = threading.Thread(target=self._run, name="tokenkit-key-use", daemon=True)
        self._thread.start()

    def flush(self) -> None:
        """Tell now what was not told yet; raises what the callback raises."""
        with self._lock:
            for use in key_uses():
                before = self._told.get((use.id, use.check_value))
                tokenized = use.tokenized - (before.tokenized if before else 0)
                detokenized = use.detokenized - (before.detokenized if before else 0)
                if tokenized or detokenized:
                    self._callback(
                        KeyUse(use.id, use.check_value, tokenized, detokenized, use.last_used)
                    )
                    # Only what the callback took counts as told.
                    self._told[use.id, use.check_value] = use

    def close(self) -> None:
        """Tell what is left, and stop."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            # What the callback fails to take is told again next time, and by close() at the latest.
            with contextlib.suppress(Exception):
                self.flush()


def on_use(callback: Callable[[KeyUse], object], *, every: float = 1.0) -> UseMonitor:
    """Have a callback told how much each key version is used, for a store or for metrics.

    The callback gets a :class:`KeyUse` with what was added since it was last told. It's called from
    a thread of its own; what it fails to take is told again.

    Parameters
    ----------
    callback
        Takes a :class:`KeyUse`.
    every
        Seconds between two looks at the counts.

    Returns
    -------
    UseMonitor
        Tells until it's closed.

    Examples
    --------
    >>> import polars as pl
    >>> import tokenkit as tk
    >>> told = []
    >>> ring = tk.Keyring.from_secrets({"payments": bytes(range(32))})
    >>> with ring, on_use(told.append):
    ...     made = tk.expr.tokenize("card", "digits", key=ring["payments"])
    ...     _ = pl.DataFrame({"card": ["4111111111111111"]}).select(made)
    >>> told[0].tokenized, told[0].detokenized
    (1, 0)
    """
    return UseMonitor(callback, every)
