"""What other parts log, and other libraries, brought into the streams without their values."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from tokenkit.errors.places import place_of
from tokenkit.service.logs.streams import Logs

_OURS = "tokenkit"
_SERVER = ("uvicorn",)
"""Libraries whose texts, before anything is filled in, are known to quote nothing."""


class StreamHandler(logging.Handler):
    """Hands records on: warnings and errors to the error stream, all else to the debug stream.

    Of tokenkit's own loggers the message is kept. Others' messages may quote anything: what is kept
    is the logger, the place, the kind of an exception, and of the web server the text before
    anything was filled in. No traceback is kept.

    Parameters
    ----------
    logs
        The streams.
    """

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        level = record.levelname.lower()
        severe = record.levelno >= logging.WARNING
        logger = self._logs.error if severe else self._logs.debug
        exc = record.exc_info[1] if record.exc_info else None
        fields: dict[str, str | int | None] = {
            "logger": record.name,
            "place": f"{Path(record.pathname).name}:{record.lineno}",
            "batch_id": _batch_id(record),
        }
        if exc is not None:
            fields["exception"] = f"{type(exc).__name__}{place_of(exc)}"
        tell = {"debug": logger.debug, "info": logger.info, "warning": logger.warning}
        tell.get(level, logger.error)(_text(record), **fields)


def _text(record: logging.LogRecord) -> str:
    if _is_of(record.name, _OURS):
        return record.getMessage()
    known = any(_is_of(record.name, name) for name in _SERVER)
    if known and isinstance(record.msg, str) and "\n" not in record.msg.strip():
        return record.msg.strip()
    return "a message of a library"


def _is_of(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _batch_id(record: logging.LogRecord) -> str | None:
    found = getattr(record, "batch_id", None)
    return str(found) if isinstance(found, UUID) else None


@contextmanager
def forwarded(logs: Logs) -> Generator[None, None, None]:
    """Bring what the process logs into the streams, for as long as this lasts.

    Whatever was set up before, such as a handler that prints tracebacks, is put back afterwards.
    """
    root = logging.getLogger()
    ours = logging.getLogger(_OURS)
    before, levels = root.handlers[:], (root.level, ours.level)
    handler = StreamHandler(logs)
    root.handlers[:] = [handler]
    root.setLevel(max(logs.level, logging.WARNING))
    ours.setLevel(logs.level)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
