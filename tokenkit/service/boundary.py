"""The outermost part: how many requests at a time, how large; and no error gets beyond it."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenkit.errors import Overloaded, RequestTooLarge, TooManyRequests
from tokenkit.errors.places import place_of
from tokenkit.service.metrics import Metrics
from tokenkit.service.problems import Problem, problem_of, unforeseen
from tokenkit.service.settings import ServiceSettings

if TYPE_CHECKING:
    from tokenkit.service.state import ServiceState

_LOG = logging.getLogger("tokenkit.service")
UPLOAD_PATH: Final = "/v1/batches"
"""Where bodies are whole files, which are read as they come and have a limit of their own."""
BULK_PATHS: Final = frozenset({"/v1/tokenize", "/v1/detokenize"})
"""Where bodies may be larger, if they aren't JSON."""
ROUTE: Final = "tokenkit.route"
"""Where a request that is answered without the application's routing names its route."""
_JSON: Final = b"application/json"
_UNCOUNTED: Final = ("/health/", "/metrics")


class Boundary:
    """Wraps the application.

    Parameters
    ----------
    app
        What is wrapped.
    settings
        The limits.
    direct
        What answers POST by path without the application's routing and its middleware, which cost
        more than the tokens do.
    metrics
        Where requests are counted that are refused for overload.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServiceSettings,
        direct: Mapping[str, ASGIApp],
        metrics: Metrics,
    ) -> None:
        self._app = app
        self._settings = settings
        self._direct = direct
        self._metrics = metrics
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = not scope["path"].startswith(_UNCOUNTED)
        if counted and self.in_flight >= self._settings.most_in_flight:
            self._metrics.shed += 1
            await _overloaded(self._settings.retry_after)(scope, receive, send)
            return
        self.in_flight += counted
        try:
            await self._answer(scope, receive, send)
        finally:
            self.in_flight -= counted

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
        if app is not None:
            scope[ROUTE] = scope["path"]
        length, kind = _body_headers(scope)
        most = self._most(scope["path"], kind)
        body: Receive | None = receive
        if length is not None and length > most:
            body = None
        elif length is None and scope["path"] != UPLOAD_PATH:
            # Its length isn't known before it is here, so that it is read up to the limit.
            body = await _read(receive, most)
        if body is None:
            await _too_large(most)(scope, receive, send)
            return
        try:
            await _take_address(scope)
        except TooManyRequests as error:
            await problem_of(error)(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await (app or self._app)(scope, body, sending)
        except ClientDisconnect:
            # Whoever asked went away before the whole body was here; nothing was done.
            return
        except Exception as exc:  # noqa: BLE001 - its text may quote values, and goes nowhere
            _LOG.error("an unforeseen %s%s", type(exc).__name__, place_of(exc))
            if not started:
                await unforeseen()(scope, receive, send)

    def _most(self, path: str, kind: bytes) -> int:
        if path == UPLOAD_PATH:
            return self._settings.most_upload_bytes
        bulk = path in BULK_PATHS and kind and not kind.startswith(_JSON)
        return self._settings.most_bulk_bytes if bulk else self._settings.most_body_bytes


async def _take_address(scope: Scope) -> None:
    """Count the request for its address; health has no limit, as whoever asks for it has none."""
    client = scope.get("client")
    if client and not scope["path"].startswith(_UNCOUNTED):
        state: ServiceState = scope["app"].state.service
        await state.limits.take_address(client[0])


def _body_headers(scope: Scope) -> tuple[int | None, bytes]:
    """Give how long the body says it is, None if it doesn't, and of what kind."""
    length: int | None = 0
    kind = b""
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value) if value.isdigit() else None
        elif name == b"transfer-encoding":
            length = None
        elif name == b"content-type":
            kind = value.lower()
    return length, kind


async def _read(receive: Receive, most: int) -> Receive | None:
    """Read a whole body; give what hands it on, or None if it is too large."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > most:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    waiting = iter(messages)

    async def again() -> Message:
        found = next(waiting, None)
        return await receive() if found is None else found

    return again


def _too_large(most: int) -> Problem:
    error = RequestTooLarge(
        f"the body is larger than {most:,} bytes",
        reason="body_size",
        hint="send fewer values at a time; Arrow and NDJSON may be larger than JSON",
    )
    problem = problem_of(error)
    problem.headers["connection"] = "close"
    return problem


def _overloaded(retry_after: int) -> Problem:
    return problem_of(
        Overloaded(
            "too many requests at a time",
            reason="in_flight",
            hint="try again a moment later",
            retry_after=retry_after,
        )
    )
