"""``POST /v1/tokenize`` and ``POST /v1/detokenize``.

Their handlers read the body and write the answer themselves: what FastAPI would do for each request
costs more than the tokens. The document that it writes of them is the same.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal

import pyarrow as pa
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenkit.access.principals import Principal
from tokenkit.errors import (
    InvalidValues,
    Overloaded,
    RequestTooLarge,
    TokenkitError,
    UnsupportedBody,
)
from tokenkit.service.authentication import authenticated
from tokenkit.service.bodies import arrow, json, ndjson
from tokenkit.service.bodies.query import read_query
from tokenkit.service.columns import Operation
from tokenkit.service.guards import ManyValues, TokenResult
from tokenkit.service.headers import header
from tokenkit.service.operations import Permission, perform, permit
from tokenkit.service.problems import problem_of
from tokenkit.service.routes.documentation import problems
from tokenkit.service.routes.token_documents import TokenAnswer, ValueAnswer, documented
from tokenkit.service.state import ServiceState, state_of
from tokenkit.service.token_records.guard import FIELDS

_PROBLEMS = problems(401, 403, 404, 409, 413, 415, 422, 429, 500, 503)
_NO_STORE = {"cache-control": "no-store"}
_JSON_HEADERS = ((b"content-type", json.MEDIA_TYPE.encode()), (b"cache-control", b"no-store"))


_PREFIX = "/v1"


def add_routes(app: FastAPI) -> Mapping[str, ASGIApp]:
    """Add both endpoints; gives what answers them, by path, for who needs no routing.

    Their routes stand in the document, and answer other methods.
    """
    direct: dict[str, ASGIApp] = {}
    for operation, handler in (("tokenize", tokenize), ("detokenize", detokenize)):
        path = f"{_PREFIX}/{operation}"
        app.router.add_api_route(
            path,
            handler,
            methods=["POST"],
            tags=["tokens"],
            summary=_SUMMARIES[operation],
            response_model=TokenAnswer if operation == "tokenize" else ValueAnswer,
            response_model_exclude_none=True,
            responses=_PROBLEMS,
            openapi_extra=documented("tokenize" if operation == "tokenize" else "detokenize"),
        )
        direct[path] = _directly(handler)
    return direct


_SUMMARIES = {
    "tokenize": "Tokenize one value or a list",
    "detokenize": "Detokenize one token or a list",
}


def _directly(handler: Callable[[Request], Coroutine[Any, Any, Response]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response: Response = await handler(Request(scope, receive))
        except TokenkitError as error:
            response = problem_of(error)
        await response(scope, receive, send)

    return app


async def tokenize(request: Request) -> Response:
    """Give the token of a value, or of each value of a list, in its order.

    JSON is for one value and for small lists. Arrow IPC streams and NDJSON hold more: there the
    query says what is called, and each value comes back with its token or a reason.
    """
    return await _answer(request, "tokenize")


async def detokenize(request: Request) -> Response:
    """Give the value that a token stands for, or each token of a list, in its order.

    It is a right of its own. Some roles see the last four characters only; people need a second
    factor that is fresh. Bodies are as for tokenizing.
    """
    return await _answer(request, "detokenize")


async def _answer(request: Request, operation: Operation) -> Response:
    state = state_of(request)
    principal = await authenticated(request, state)
    kind = header(request, "content-type") or json.MEDIA_TYPE
    kind = kind.partition(";")[0].strip().lower()
    if kind == json.MEDIA_TYPE:
        return await _of_json(request, state, principal, operation)
    if kind in _BULK:
        return await _of_bulk(request, state, principal, operation, kind)
    raise UnsupportedBody(
        "bodies of this media type aren't read here",
        reason="media_type",
        hint=f"send {json.MEDIA_TYPE}, {', '.join(_BULK)}",
    )


async def _of_json(
    request: Request, state: ServiceState, principal: Principal, operation: Operation
) -> Response:
    content = await _body(request)
    body = json.read_body(content)
    permission = await permit(state, principal, operation, body.target(), body.purpose)
    given = body.given(state.settings.most_values)
    extra = {name: getattr(body, name) for name in FIELDS}
    result = await perform(
        state, request, content, principal, operation, permission, given, extra=extra
    )
    fields = _fields(operation, permission, result, single=body.single)
    return _JsonAnswer(json.write_answer(fields))


async def _body(request: Request) -> bytes:
    """Read the body, which mostly is one message; Starlette's generators cost more than it does."""
    message = await request.receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        content: bytes = message.get("body", b"")
        return content
    pieces = [message]

    async def from_the_first() -> Message:
        return pieces.pop() if pieces else await request.receive()

    return await Request(request.scope, from_the_first).body()


class _JsonAnswer(Response):
    """JSON that is in no cache; its headers are known but for the length."""

    def __init__(self, content: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = content
        self.raw_headers = [*_JSON_HEADERS, (b"content-length", b"%d" % len(content))]


_BULK: dict[
    str,
    tuple[
        Callable[[bytes, int], tuple[pa.Array, pa.Array | None]],
        Callable[[str, pa.Array, pa.Array], Any],
    ],
] = {
    arrow.MEDIA_TYPE: (arrow.read_stream, arrow.write_stream),
    ndjson.MEDIA_TYPE: (ndjson.read_lines, ndjson.write_lines),
}


async def _of_bulk(
    request: Request, state: ServiceState, principal: Principal, operation: Operation, kind: str
) -> Response:
    settings = state.settings
    if state.bulk_in_flight >= settings.most_bulk_in_flight:
        raise Overloaded(
            "too many bodies in Arrow or NDJSON at a time",
            reason="bulk_in_flight",
            hint="try again a moment later",
            retry_after=settings.retry_after,
        )
    state.bulk_in_flight += 1
    try:
        read, write = _BULK[kind]
        asked = read_query(request.query_params)
        content = await _body(request)
        if len(content) > settings.most_bulk_bytes:
            raise RequestTooLarge("the body is too large", reason="body_size")
        values, tweaks = await state.run(read, content, settings.most_bulk_values)
        target = asked.target(with_tweak=tweaks is not None)
        permission = await permit(state, principal, operation, target, asked.purpose)
        given = ManyValues(values, tweaks)
        result = await perform(state, request, content, principal, operation, permission, given)
        name = _NAMES[operation][0]
        answer = memoryview(await state.run(write, name, result.found, result.reasons))
    finally:
        state.bulk_in_flight -= 1
    version = permission.column.version
    headers = {
        **_NO_STORE,
        "tokenkit-key": version.name,
        "tokenkit-key-version": str(version.number),
    }
    return Response(answer, media_type=kind, headers=headers)


_NAMES: dict[Operation, tuple[Literal["token", "value"], Literal["tokens", "values"]]] = {
    "tokenize": ("token", "tokens"),
    "detokenize": ("value", "values"),
}


def _fields(
    operation: Operation, permission: Permission, result: TokenResult, *, single: bool
) -> dict[str, Any]:
    one, many = _NAMES[operation]
    failed = result.failed
    fields: dict[str, Any]
    if single:
        found, reason = result.first
        if failed:
            raise InvalidValues("the value does not fit the scheme", reason=reason, count=1)
        fields = {one: found}
    else:
        fields = {many: result.found.to_pylist()}
    fields["key"] = permission.column.version.name
    fields["version"] = permission.column.version.number
    if permission.decision.outcome == "masked":
        fields["masked"] = True
    if failed:
        fields["errors"] = [
            {"index": index, "reason": reason}
            for index, reason in enumerate(result.reasons.to_pylist())
            if reason is not None
        ]
    return fields | result.answer
