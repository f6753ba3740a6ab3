"""Running the service: uvicorn, and how it ends."""

import asyncio
import gc
import signal
import socket
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from tokenkit.service.app import create_app
from tokenkit.service.batch_work import working_on_batches
from tokenkit.service.listening import refuse_connections
from tokenkit.service.logs import Logs, logging_as
from tokenkit.service.metrics import forget_worker, shared_folder
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.state import ServiceState
from tokenkit.service.traces import tracing
from tokenkit.service.workers import run_workers

_QUEUE_SECONDS = 0.2
"""How long it takes at most to take what is in the queue of a listening socket."""


class DrainingServer(uvicorn.Server):
    """A server that ends in three steps, so that no request that it has taken is lost.

    Told to stop, it says that it isn't ready, and closes each connection with the answer that it
    gives on it; then it takes no more connections, and waits as long again for requests on those
    that it has; when all are answered it closes what the handlers share, the audit log last.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and keep what is there from then on out of garbage collections.

        Modules and models are some hundred thousand objects: looking through them took 40
        milliseconds, again and again, in which no request was answered.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note that the process is to end; a second interrupt doesn't wait."""
        del frame
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in these steps."""
        state = _state_of(self.config.loaded_app)
        if state is not None and not self.force_exit:
            state.stopping = True
            headers = self.server_state.default_headers
            self.server_state.default_headers = [*headers, (b"connection", b"close")]
            await asyncio.sleep(state.settings.notice_seconds)
            refuse_connections(
                listening.fileno() for server in self.servers for listening in server.sockets
            )
            await asyncio.sleep(_QUEUE_SECONDS)
            for server in self.servers:
                server.close()
            # What was connected at the last moment has its request on the way.
            await asyncio.sleep(state.settings.notice_seconds)
        await super().shutdown(sockets)


def _state_of(app: Any) -> ServiceState | None:
    """Look through what uvicorn wraps around the application."""
    while app is not None:
        found = getattr(getattr(app, "state", None), "service", None)
        if isinstance(found, ServiceState):
            return found
        app = getattr(app, "app", None)
    return None


def configuration(app: Any, settings: ServiceSettings) -> uvicorn.Config:
    """Say how the server is to be run."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        # Paths have ids in them.
        access_log=False,
        # What the server logs goes where the rest goes, or to the handler of last resort.
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or "",
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )


def serve(settings: ServiceSettings) -> None:
    """Serve until the process is told to stop; accepted requests are answered before it ends.

    Each of several workers opens the keyring that the environment names.
    """
    with logging_as(settings) as logs, working_on_batches(settings):
        if settings.workers == 1:
            _run(settings, logs, None)
            return
        patience = settings.notice_seconds + settings.drain_seconds + 2 * settings.audit_seconds
        address = (settings.host, settings.port)

        def ended(process_id: int) -> None:
            forget_worker(process_id)
            logs.error.warning("worker_ended", process_id=process_id)

        with shared_folder():
            work = partial(_work, settings)
            run_workers(work, address, settings.workers, patience, ended=ended)


def _work(settings: ServiceSettings, listening: socket.socket) -> None:
    with logging_as(settings) as logs:
        _run(settings, logs, listening)


def _run(settings: ServiceSettings, logs: Logs, listening: socket.socket | None) -> None:
    with tracing() as traces:
        app = create_app(settings, logs=logs, traces=traces)
        server = DrainingServer(configuration(app, settings))
        server.run(sockets=None if listening is None else [listening])
