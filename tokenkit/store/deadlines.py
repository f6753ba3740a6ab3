"""Deadlines for what PostgreSQL is asked: a server that went silent is hung up on.

A time-out of the server's own is no help if its answers don't arrive, and TCP's don't notice a peer
that takes everything and says nothing. So each connection that is in use has a moment at which its
socket is shut down, whereupon the driver sees the connection broken off.
"""

import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

_LOOK_SECONDS = 0.2
_SURE_SECONDS = 1.0
"""How long after its last use a connection isn't looked at before the next one."""
_USED = "tokenkit_used"


@dataclass(slots=True)
class _InUse:
    ends: float
    descriptor: int
    shut: bool = False


class Deadlines:
    """Watches over the connections of an engine.

    Parameters
    ----------
    seconds
        How long a connection may be in use at a time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._in_use: dict[int, _InUse] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, engine: Engine) -> None:
        """Begin with an engine for PostgreSQL."""
        event.listen(engine, "checkout", self._checkout)
        event.listen(engine, "checkin", self._checkin)
        for name in ("close", "invalidate", "close_detached"):
            event.listen(engine, name, self._end)

    def _checkout(self, driver: Any, record: Any, _proxy: object) -> None:
        try:
            self._begin(driver)
            if not record.fresh and time.monotonic() - record.info.get(_USED, 0.0) > _SURE_SECONDS:
                with driver.cursor() as cursor:
                    cursor.execute("SELECT 1")
                driver.rollback()
        except Exception:  # noqa: BLE001 - whatever the driver raises, another connection is made
            alive = False
        else:
            alive = True
        if not alive:
            raise DisconnectionError

    def _checkin(self, driver: Any, record: Any) -> None:
        self._end(driver)
        record.info[_USED] = time.monotonic()

    def _begin(self, driver: Any) -> None:
        # A descriptor of its own: the driver's number may be another file's by the time it ends.
        descriptor = os.dup(driver.fileno())
        with self._lock:
            previous = self._in_use.pop(id(driver), None)
            self._in_use[id(driver)] = _InUse(time.monotonic() + self._seconds, descriptor)
            if previous is not None:
                os.close(previous.descriptor)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="tokenkit-deadlines", daemon=True
                )
                self._thread.start()

    def _end(self, driver: Any, *_: object) -> None:
        with self._lock:
            found = self._in_use.pop(id(driver), None)
            if found is not None:
                os.close(found.descriptor)

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            with self._lock:
                if not self._in_use:
                    self._thread = None
                    return
                for one in self._in_use.values():
                    if now >= one.ends and not one.shut:
                        one.shut = True
                        _shut(one.descriptor)


def _shut(descriptor: int) -> None:
    copy = socket.socket(fileno=os.dup(descriptor))
    try:
        copy.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It's broken already.
        return
    finally:
        copy.close()
