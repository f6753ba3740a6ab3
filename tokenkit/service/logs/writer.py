"""Writing lines from a thread of its own, so that no request waits for a disk or a pipe."""

import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

Event: TypeAlias = dict[str, Any]
"""One line: its fields by name. ``at`` is when, in seconds since the epoch."""
_TOGETHER_SECONDS: Final = 0.05
"""How long lines are collected before they are written together."""
_CLOSE_SECONDS: Final = 2.0
_PIPE_BYTES: Final = 4_096
"""What a pipe takes in one piece, so that lines of several processes don't mix."""


class LogWriter:
    """Takes lines at once, and writes them a moment later.

    What comes while too many wait is dropped and counted; so is what can't be written.

    Parameters
    ----------
    targets
        Where each stream goes: a file, or the number of an open descriptor.
    render
        Makes the line of an event; called in the thread.
    most_waiting
        Lines that wait at most.
    """

    def __init__(
        self,
        targets: Mapping[str, Path | int],
        render: Callable[[Event], bytes],
        most_waiting: int,
    ) -> None:
        self._targets = {name: _Target(where) for name, where in targets.items()}
        self._render = render
        self._most = most_waiting
        self._waiting: deque[tuple[str, Event]] = deque()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self.written = dict.fromkeys(targets, 0)
        self.dropped = dict.fromkeys(targets, 0)
        self._told = 0
        self._thread = threading.Thread(target=self._run, name="tokenkit-logs", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many lines wait."""
        return len(self._waiting)

    def put(self, stream: str, event: Event) -> None:
        """Take a line."""
        if len(self._waiting) >= self._most:
            self.dropped[stream] += 1
            return
        self._waiting.append((stream, event))
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what waits, and end the thread; not longer than two seconds."""
        self._ending.set()
        self._wake.set()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            ending = self._ending.wait(_TOGETHER_SECONDS)
            self._write()
            if ending:
                for target in self._targets.values():
                    target.close()
                return

    def _write(self) -> None:
        lines: dict[str, list[bytes]] = {}
        for _ in range(len(self._waiting)):
            stream, event = self._waiting.popleft()
            lines.setdefault(stream, []).append(self._render(event))
        lost = sum(self.dropped.values())
        if lost > self._told:
            event = {
                "at": time.time(),
                "level": "warning",
                "stream": "error",
                "event": "log_lines_dropped",
                "count": lost - self._told,
            }
            lines.setdefault("error", []).append(self._render(event))
            self._told = lost
        for stream, found in lines.items():
            if self._targets[stream].write(found):
                self.written[stream] += len(found)
            else:
                self.dropped[stream] += len(found)


class _Target:
    """A file that is opened anew when it was moved away, or a descriptor that is open."""

    def __init__(self, where: Path | int) -> None:
        self._where = where
        self._descriptor = where if isinstance(where, int) else None
        self._identity: tuple[int, int] | None = None

    def write(self, lines: list[bytes]) -> bool:
        try:
            descriptor = self._opened()
            whole = stat.S_ISREG(os.fstat(descriptor).st_mode)
            for piece in [b"".join(lines)] if whole else _pieces(lines):
                left = memoryview(piece)
                while left:
                    left = left[os.write(descriptor, left) :]
        except OSError:
            return False
        return True

    def close(self) -> None:
        if not isinstance(self._where, int) and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if isinstance(self._where, int):
            return self._where
        if self._descriptor is not None and self._identity != _identity(self._where):
            self.close()
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._where, flags, 0o600)
            self._identity = _identity(self._where)
        return self._descriptor


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _pieces(lines: Iterable[bytes]) -> Iterable[bytes]:
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > _PIPE_BYTES:
            yield piece
            piece = b""
        piece += line
    yield piece
