"""A TCP proxy that tests cut, silence and restore."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

_PIECE = 65_536


class TcpProxy:
    """Hands bytes on between whoever connects and a server.

    Parameters
    ----------
    target
        The server: the path of a Unix socket, or host and port.
    """

    def __init__(self, target: str | tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self._cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        found: int = self._listening.getsockname()[1]
        return found

    def cut(self) -> None:
        """Break every connection, and end new ones at once."""
        with self._lock:
            self._cut = True
            broken, self._open = self._open, set()
        for one in broken:
            _end(one)

    def silence(self) -> None:
        """Keep connections, take new ones, and hand nothing on."""
        self._flows.clear()

    def restore(self) -> None:
        """Hand on again."""
        self._cut = False
        self._flows.set()

    def close(self) -> None:
        """End everything."""
        self._listening.close()
        self.cut()
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            if self._cut:
                _end(here)
                continue
            try:
                there = _connected(self._target)
            except OSError:
                _end(here)
                continue
            with self._lock:
                self._open |= {here, there}
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=self._hand_on, args=(source, sink), daemon=True).start()

    def _hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                self._flows.wait()
                sink.sendall(piece)
        for one in (source, sink):
            _end(one)
            with self._lock:
                self._open.discard(one)


def _connected(target: str | tuple[str, int]) -> socket.socket:
    if isinstance(target, tuple):
        return socket.create_connection(target, timeout=None)
    made = socket.socket(socket.AF_UNIX)
    made.connect(target)
    return made


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def proxied(target: str | tuple[str, int]) -> Generator[TcpProxy, None, None]:
    """Run a proxy."""
    proxy = TcpProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
