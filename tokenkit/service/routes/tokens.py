"""``POST /v1/tokenize`` and ``POST /v1/detokenize``.

Their handlers read the body and write the answer themselves: what FastAPI would do for each request
costs more than the tokens. The document that it writes of them is the same.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Literal

import pyarrow as pa
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from tokenkit.access.principals import Principal
from tokenkit.errors import InvalidValues, Overloaded, RequestTooLarge, UnsupportedBody
from tokenkit.service.authentication import authenticated
from tokenkit.service.bodies import arrow, json, ndjson
from tokenkit.service.bodies.query import read_query
from tokenkit.service.columns import Operation
from tokenkit.service.guards import TokenResult
from tokenkit.service.operations import Permission, perform, permit
from tokenkit.service.routes.documentation import problems
from tokenkit.service.routes.token_documents import TokenAnswer, ValueAnswer, documented
from tokenkit.service.state import ServiceState, state_of
from tokenkit.service.token_records.guard import FIELDS

_PROBLEMS = problems(401, 403, 404, 409, 413, 415, 422, 429, 500, 503)
_NO_STORE = {"cache-control": "no-store"}


class DirectRoute(APIRoute):
    """A route whose handler gets the request as it is, and gives a ready response."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler itself."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


router = APIRouter(prefix="/v1", tags=["tokens"], route_class=DirectRoute)


@router.post(
    "/tokenize",
    summary="Tokenize one value or a list",
    response_model=TokenAnswer,
    response_model_exclude_none=True,
    responses=_PROBLEMS,
    openapi_extra=documented("tokenize"),
)
async def tokenize(request: Request) -> Response:
    """Give the token of a value, or of each value of a list, in its order.

    JSON is for one value and for small lists. Arrow IPC streams and NDJSON hold more: there the
    query says what is called, and each value comes back with its token or a reason.
    """
    return await _answer(request, "tokenize")


@router.post(
    "/detokenize",
    summary="Detokenize one token or a list",
    response_model=ValueAnswer,
    response_model_exclude_none=True,
    responses=_PROBLEMS,
    openapi_extra=documented("detokenize"),
)
async def detokenize(request: Request) -> Response:
    """Give the value that a token stands for, or each token of a list, in its order.

    It is a right of its own. Some roles see the last four characters only; people need a second
    factor that is fresh. Bodies are as for tokenizing.
    """
    return await _answer(request, "detokenize")


async def _answer(request: Request, operation: Operation) -> Response:
    state = state_of(request)
    principal = await authenticated(request, state)
    kind = request.headers.get("content-type", json.MEDIA_TYPE).partition(";")[0].strip().lower()
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
    content = await request.body()
    body = json.read_body(content)
    permission = await permit(state, principal, operation, body.target(), body.purpose)
    values, tweaks = body.arrays(state.settings.most_values)
    result = await perform(
        state,
        request,
        content,
        principal,
        operation,
        permission,
        values,
        tweaks,
        single=body.single,
        extra={name: getattr(body, name) for name in FIELDS},
    )
    fields = _fields(operation, permission, result, single=body.single)
    return Response(json.write_answer(fields), media_type=json.MEDIA_TYPE, headers=_NO_STORE)


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
        content = await request.body()
        if len(content) > settings.most_bulk_bytes:
            raise RequestTooLarge("the body is too large", reason="body_size")
        values, tweaks = await state.run(read, content, settings.most_bulk_values)
        target = asked.target(with_tweak=tweaks is not None)
        permission = await permit(state, principal, operation, target, asked.purpose)
        result = await perform(
            state, request, content, principal, operation, permission, values, tweaks, single=False
        )
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
    found = result.found.to_pylist()
    failed = len(found) - result.reasons.null_count
    if single and failed:
        raise InvalidValues(
            "the value does not fit the scheme", reason=result.reasons[0].as_py(), count=1
        )
    fields: dict[str, Any] = {one: found[0]} if single else {many: found}
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
