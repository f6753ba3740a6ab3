"""The application as it is watched from outside: counted, timed, and told of in the access log."""

import time
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenkit.service.boundary import ROUTE
from tokenkit.service.logs import Logs
from tokenkit.service.metrics import UNMATCHED, Metrics
from tokenkit.service.request_ids import HEADER, REQUEST_ID, request_id_of
from tokenkit.service.traces.untraced import Answer, NoTraces

if TYPE_CHECKING:
    from tokenkit.access.principals import Principal

PRINCIPAL: Final = "tokenkit.principal"
"""Where a request that has been authenticated says who asks."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BATCHES: Final = "/v1/batches/"
_SERVER_ERROR: Final = 500


class Observed:
    """Wraps the application: every request gets an id, is counted, and leaves a line.

    Parameters
    ----------
    app
        What is wrapped.
    metrics
        Where it is counted.
    logs
        Where it is told of; without them nothing is written.
    slow_seconds
        A request that takes longer has a line in the performance log too.
    traces
        Where its span goes.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        logs: Logs | None,
        slow_seconds: float,
        traces: NoTraces,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._logs = logs
        self._slow = slow_seconds
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._traces.request(scope["headers"]) as answer:
            await self._answer(scope, receive, send, answer)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
        request_id = request_id_of(scope["headers"])
        REQUEST_ID.set(request_id)
        status = 0
        sent = 0

        async def sending(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, request_id.encode())]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        async def receiving() -> Message:
            message = await receive()
            self._metrics.received_bytes += len(message.get("body", b""))
            return message

        self._metrics.in_flight += 1
        began = time.perf_counter()
        try:
            await self._app(scope, receiving, sending)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.in_flight -= 1
            self._metrics.sent_bytes += sent
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", None) or scope.get(ROUTE, UNMATCHED)
            # Who went away before the answer began has seen none.
            self._metrics.request(method, route, status or _SERVER_ERROR, seconds)
            answer.ended(method, route, status or _SERVER_ERROR, request_id)
            if self._logs is not None:
                line = _line(scope, method, route, status, seconds, sent, request_id)
                self._logs.access.info("request", **line)
                if seconds >= self._slow:
                    self._logs.performance.warning("slow_request", **line)


def _line(
    scope: Scope,
    method: str,
    route: str,
    status: int,
    seconds: float,
    sent: int,
    request_id: str,
) -> dict[str, Any]:
    """Say what a request was, by what the service knows of it and nothing that a caller made up."""
    principal: Principal | None = scope.get(PRINCIPAL)
    client = scope.get("client")
    return {
        "request_id": request_id,
        "method": method,
        "route": route,
        "status": status or None,
        "seconds": round(seconds, 6),
        "sent_bytes": sent,
        "client": _address(client[0]) if client else None,
        "via": principal.via if principal else None,
        "principal": str(principal.id) if principal else None,
        "batch_id": _batch_id(scope) if route.startswith(_BATCHES) else None,
    }


@lru_cache(maxsize=4_096)
def _address(host: str) -> str | None:
    """Give an address if it is one: what a trusted proxy hands on may have been made up."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _batch_id(scope: Scope) -> str | None:
    """Give the id in the path, if it is one."""
    for found in scope.get("path_params", {}).values():
        try:
            return str(UUID(str(found)))
        except ValueError:
            continue
    return None
