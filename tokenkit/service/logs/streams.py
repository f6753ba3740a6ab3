"""The four streams, and what a line of them looks like."""

import json
import logging
import os
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import structlog
from structlog.typing import FilteringBoundLogger

from tokenkit.errors import InvalidRequest
from tokenkit.service.logs.writer import Event, LogWriter
from tokenkit.service.request_ids import REQUEST_ID

Stream: TypeAlias = Literal["access", "error", "debug", "performance"]
STREAMS: Final[tuple[Stream, ...]] = ("access", "error", "debug", "performance")
ENVIRONMENTS: Final = {
    "production": logging.INFO,
    "staging": logging.INFO,
    "development": logging.DEBUG,
    "test": logging.DEBUG,
}
"""The level of each environment."""
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_STDOUT, _STDERR = 1, 2
_LONGEST = 256
"""Longer texts are cut: nothing that is told here needs more."""


class _Sink:
    """What structlog hands the fields of a line to."""

    def __init__(self, stream: Stream, writer: LogWriter) -> None:
        self._stream = stream
        self._writer = writer

    def info(self, **event: Any) -> None:
        self._writer.put(self._stream, event)

    debug = warning = error = critical = info


class Logs:
    """The four streams of a process; :meth:`close` writes what waits and ends them.

    Parameters
    ----------
    folder
        The folder of `access.log`, `error.log`, `debug.log` and `performance.log`; without one,
        errors go to the standard error, and all else to the standard output.
    environment
        ``production``, ``staging``, ``development`` or ``test``: the level of the lines that are
        written, unless there is one of its own.
    level
        ``debug``, ``info``, ``warning``, ``error``, or empty for that of the environment.
    most_waiting
        Lines that wait to be written at most; more are dropped, and counted.

    Attributes
    ----------
    access, error, debug, performance
        structlog's loggers of the streams.
    level
        The level, as a number of the module ``logging``.

    Raises
    ------
    InvalidRequest
        If there is no such environment or level, or the folder can't be made.

    Examples
    --------
    >>> import tempfile
    >>> from contextlib import closing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with closing(Logs(Path(folder))) as logs:
    ...         logs.access.info("request", status=200)
    ...     line = (Path(folder) / "access.log").read_text()
    >>> json.loads(line)["status"]
    200
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        environment: str = "production",
        level: str = "",
        most_waiting: int = 8_192,
    ) -> None:
        self.level = _level(environment, level)
        targets: dict[str, Path | int] = {}
        for name in STREAMS:
            if folder is None:
                targets[name] = _STDERR if name == "error" else _STDOUT
            else:
                targets[name] = folder / f"{name}.log"
        if folder is not None:
            _make(folder)
        self.writer = LogWriter(targets, rendered, most_waiting)
        self.access = self._logger("access")
        self.error = self._logger("error")
        self.debug = self._logger("debug")
        self.performance = self._logger("performance")

    def _logger(self, stream: Stream) -> FilteringBoundLogger:
        wrapped = structlog.wrap_logger(
            _Sink(stream, self.writer),
            processors=[_stamped],
            wrapper_class=structlog.make_filtering_bound_logger(self.level),
        )
        bound: FilteringBoundLogger = wrapped.bind(stream=stream)
        return bound

    def close(self) -> None:
        """Write what waits, and end."""
        self.writer.close()


def _level(environment: str, level: str) -> int:
    if level:
        found = _LEVELS.get(level.lower())
        if found is None:
            raise InvalidRequest("there is no such log level", hint=", ".join(_LEVELS))
        return found
    found = ENVIRONMENTS.get(environment)
    if found is None:
        raise InvalidRequest("there is no such environment", hint=", ".join(ENVIRONMENTS))
    return found


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        reason = os.strerror(exc.errno or 0)
        raise InvalidRequest(f"the folder of the logs can't be made: {reason}") from None


def _stamped(_: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["at"] = time.time()
    event["level"] = level
    if "request_id" not in event:
        request_id = REQUEST_ID.get()
        if request_id is not None:
            event["request_id"] = request_id
    return event


def rendered(event: Event) -> bytes:
    r"""Make the line of an event: what it says of itself first; nothing but plain fields.

    Examples
    --------
    >>> rendered({"at": 0.5, "level": "info", "stream": "access", "event": "request", "n": 1})
    b'{"timestamp":"1970-01-01T00:00:00.500000Z","level":"info","stream":"access","event":"request","n":1}\n'
    """
    seconds, fraction = divmod(event.pop("at"), 1)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    line: dict[str, Any] = {
        "timestamp": f"{moment}.{int(fraction * 1e6):06d}Z",
        "level": event.pop("level"),
        "stream": event.pop("stream"),
        "event": event.pop("event"),
    }
    for name, value in event.items():
        if value is None:
            continue
        if isinstance(value, str):
            line[name] = value[:_LONGEST]
        elif isinstance(value, int | float):
            line[name] = value
        else:
            # What it would say of itself could be anything.
            line[name] = type(value).__name__
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
