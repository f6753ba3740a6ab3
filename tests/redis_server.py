"""A real Redis for tests, on a port of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass

import pytest

_PATIENCE = 30


@dataclass
class RedisServer:
    """A running Redis."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self.process.terminate()
        self.process.wait(_PATIENCE)


def started(port: int) -> RedisServer:
    """Start Redis on a port, and wait until it answers."""
    program = shutil.which("redis-server")
    assert program is not None, "Redis is missing: sudo apt-get install redis-server"
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--daemonize",
        "no",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return RedisServer(port, process)
        except OSError:
            assert process.poll() is None, "Redis ended"
            assert time.monotonic() < until, "Redis doesn't answer"
        time.sleep(0.02)


def free_port() -> int:
    """Find a port that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def redis_server() -> Generator[RedisServer, None, None]:
    """Run a Redis that is empty."""
    server = started(free_port())
    yield server
    server.stop()
