"""A TCP proxy that cuts connections at a byte, each as it is told, and hands on the others."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

_PIECE = 65_536


@dataclass(frozen=True)
class Cut:
    """Where a connection is cut.

    Parameters
    ----------
    side
        Whether bytes of the request or of the answer are counted.
    after
        How many of them still get through. Of an answer, 0 means that the service has answered, and
        nobody hears of it.
    """

    side: Literal["request", "answer"]
    after: int = 0


class CuttingProxy:
    """Hands bytes on between whoever connects and a server.

    Parameters
    ----------
    target
        The server's host and port.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.cuts: list[Cut] = []
        self.made = 0
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def cut(self, *cuts: Cut) -> None:
        """Cut the next connections, each in its way; those after them are whole."""
        self.cuts = list(cuts)
        self.made = 0

    def break_open(self) -> None:
        """Break every connection that there is; the server goes on by itself."""
        broken, self._open = self._open, []
        for one in broken:
            _end(one)

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            self.made += 1
            cut = self.cuts.pop(0) if self.cuts else None
            threading.Thread(target=self._connect, args=(here, cut), daemon=True).start()

    def _connect(self, here: socket.socket, cut: Cut | None) -> None:
        if cut == Cut("request"):
            _end(here)
            return
        try:
            there = socket.create_connection(self.target)
        except OSError:
            _end(here)
            return
        self._open += [here, there]
        sides: tuple[tuple[Literal["request", "answer"], socket.socket, socket.socket], ...]
        sides = (("request", here, there), ("answer", there, here))
        for side, source, sink in sides:
            left = cut.after if cut is not None and cut.side == side else None
            threading.Thread(target=_hand_on, args=(source, sink, left), daemon=True).start()


def _hand_on(source: socket.socket, sink: socket.socket, left: int | None) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            if left is not None:
                piece, left = piece[:left], left - len(piece)
            sink.sendall(piece)
            if left is not None and left < 0:
                break
    for one in (source, sink):
        _end(one)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def cutting(target: tuple[str, int]) -> Generator[CuttingProxy, None, None]:
    """Run a proxy."""
    proxy = CuttingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
