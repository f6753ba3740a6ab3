"""System calls of jobs, counted in turn, and disturbed one by one."""

import errno
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal, TypeAlias

import pytest

from tokenkit.jobs import staging

Fault: TypeAlias = Literal["ENOSPC", "EIO", "interrupt", "late interrupt", "kill"]
"""What happens at a call: a refusal, Ctrl-C before or after it, or the end of the process."""

NAMES = """open dup close stat lstat fstat scandir listdir mkdir rmdir unlink remove rename replace
link fsync fchmod chmod""".split()
REMOVING = {"unlink", "remove", "rmdir"}
MAKING = {"open", "mkdir", "link", "rename", "replace", "exchange"}
READING = {"stat", "lstat", "fstat", "scandir", "listdir"}


class Killed(BaseException):
    """The process has ended: what it still does has no effect."""


@dataclass
class Calls:
    """The calls of one run.

    Attributes
    ----------
    disturbed
        The number of the call at which something happens; 0 for none.
    fault
        What happens.
    names
        The calls so far.
    removing
        Whether the disturbed call was to remove something.
    """

    disturbed: int = 0
    fault: Fault = "EIO"
    names: list[str] = field(default_factory=list)
    removing: bool = False
    main: list[bool] = field(default_factory=list)
    dead: bool = False
    descriptors: set[int] = field(default_factory=set)
    lock: Any = field(default_factory=threading.RLock)

    def through(self, name: str, function: Callable[..., Any], arguments: Any, named: Any) -> Any:
        """Make a call, or disturb it."""
        with self.lock:
            if self.dead:
                if name == "close":
                    return self._done(name, function, arguments, named)
                raise Killed
            if not _from_a_job():
                return function(*arguments, **named)
            self.names.append(name)
            self.main.append(threading.current_thread() is threading.main_thread())
            if len(self.names) != self.disturbed:
                return self._done(name, function, arguments, named)
            self.removing = name in REMOVING or _within("rmtree")
            if self.fault in ("ENOSPC", "EIO"):
                if name == "close":
                    # Linux closes a descriptor even if writing its last data fails.
                    self._done(name, function, arguments, named)
                number = errno.ENOSPC if self.fault == "ENOSPC" else errno.EIO
                raise OSError(number, "CANARY of the system")
            if self.fault.startswith("late"):
                with suppress(OSError):
                    self._done(name, function, arguments, named)
            if self.fault.endswith("interrupt"):
                raise KeyboardInterrupt
            self.dead = True
            raise Killed

    def _done(self, name: str, function: Callable[..., Any], arguments: Any, named: Any) -> Any:
        found = function(*arguments, **named)
        if name in ("open", "dup") and isinstance(found, int):
            self.descriptors.add(found)
        elif name == "open":
            # A file closes its own.
            self.descriptors.discard(arguments[0])
        elif name == "close":
            self.descriptors.discard(arguments[0])
        return found

    def end(self) -> None:
        """Close what a killed process would have had open: its locks end with it."""
        for descriptor in list(self.descriptors):
            os.close(descriptor)


@contextmanager
def watched(calls: Calls) -> Iterator[Calls]:
    """Let every call that a job makes go through ``calls``."""
    with pytest.MonkeyPatch.context() as patch:
        for name in NAMES:
            patch.setattr(os, name, _through(calls, name, getattr(os, name)))
        # Paths open files with this one.
        patch.setattr(io, "open", _through(calls, "open", io.open))
        patch.setattr(staging, "_exchange", _exchange(calls, staging._exchange))
        try:
            yield calls
        finally:
            calls.end()


def _through(calls: Calls, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        return calls.through(name, function, arguments, named)

    return call


def _exchange(calls: Calls, function: Callable[..., bool]) -> Callable[..., bool]:
    def call(*arguments: Any) -> bool:
        try:
            return bool(calls.through("exchange", function, arguments, {}))
        except OSError:
            # It says so, and the two names are exchanged in another way.
            return False

    return call


def _frames() -> Iterator[Any]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _from_a_job() -> bool:
    names = (frame.f_globals.get("__name__", "") for frame in _frames())
    return any(name.startswith("tokenkit.jobs") for name in names)


def _within(name: str) -> bool:
    return any(frame.f_code.co_name == name for frame in _frames())
