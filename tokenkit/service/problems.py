"""Problems: what goes wrong, as RFC 9457 has it, and with no value of the request in it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tokenkit import errors
from tokenkit.errors import TokenkitError
from tokenkit.service.request_ids import REQUEST_ID

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:tokenkit:problem:"
_MOST_SHOWN = 20

_STATUS: dict[type[TokenkitError], int] = {
    errors.TokenkitError: 500,
    errors.PolicyError: 422,
    errors.SchemeError: 422,
    errors.KeyringError: 503,
    errors.UnknownKey: 404,
    errors.KeyVersionUnknown: 422,
    errors.KeyVersionDisabled: 409,
    errors.InvalidKey: 422,
    errors.KeyExists: 409,
    errors.KeyConflict: 409,
    errors.KeyringChanged: 409,
    errors.AccessDenied: 403,
    errors.DataError: 422,
    errors.EngineError: 500,
    errors.MetadataError: 422,
    errors.StoreError: 503,
    errors.NotRecorded: 404,
    errors.AccessError: 400,
    errors.NotAuthenticated: 401,
    errors.SecondFactorNeeded: 401,
    errors.TooManyAttempts: 429,
    errors.Forbidden: 403,
    errors.PasswordRefused: 422,
    errors.UnknownAccount: 404,
    errors.AccountExists: 409,
    errors.AlreadyBootstrapped: 409,
    errors.AccessStale: 503,
    errors.AccessBusy: 503,
    errors.InvalidAccess: 422,
    errors.ServiceError: 400,
    errors.InvalidRequest: 422,
    errors.RequestTooLarge: 413,
    errors.Overloaded: 503,
    errors.AuditUnavailable: 503,
    errors.UnknownResource: 404,
    errors.UnsupportedBody: 415,
    errors.TooManyRequests: 429,
    errors.RequestUnderWay: 409,
    errors.RangeNotSatisfiable: 416,
    errors.BatchError: 409,
    errors.JobError: 500,
}
"""The status of each branch of errors; a class that isn't named has that of its base."""


def status_of(error: TokenkitError) -> int:
    """Give the HTTP status of an error.

    Examples
    --------
    >>> status_of(errors.Forbidden("no right to do this"))
    403
    """
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


class Problem(Response):
    """An answer that says what went wrong.

    Parameters
    ----------
    status
        The HTTP status.
    title
        The kind of problem, in words.
    code
        Its stable code.
    retry_after
        After how many seconds it may go better.
    headers
        Further headers.
    more
        Further members; those that are None are left out.

    Examples
    --------
    >>> Problem(404, "no such path", code="TK905").body
    b'{"type":"urn:tokenkit:problem:TK905","title":"no such path","status":404,"code":"TK905"}'
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        title: str,
        *,
        code: str,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        content = {
            "type": f"{_TYPE}{code}",
            "title": title,
            "status": status,
            "code": code,
            **{name: value for name, value in more.items() if value is not None},
        }
        if (request_id := REQUEST_ID.get()) is not None:
            content["request_id"] = request_id
        sent = {"cache-control": "no-store", **(headers or {})}
        if retry_after is not None:
            sent["retry-after"] = str(retry_after)
        if status == HTTPStatus.UNAUTHORIZED:
            sent["www-authenticate"] = "Bearer"
        super().__init__(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")), status, headers=sent
        )


def problem_of(error: TokenkitError) -> Problem:
    """Say what an error means to a caller.

    Examples
    --------
    >>> problem_of(errors.NotAuthenticated("nobody is known by that")).headers["www-authenticate"]
    'Bearer'
    """
    status = status_of(error)
    retry_after = getattr(error, "retry_after", None)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is None:
        retry_after = 1
    inner = not isinstance(error, errors.ServiceError | errors.AccessError)
    if inner and status in {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}:
        # What is wrong within names places and keys, and is no caller's business.
        down = status == HTTPStatus.SERVICE_UNAVAILABLE
        title = "the service can't answer now" if down else "a defect of the service"
        return Problem(status, title, code=error.code, retry_after=retry_after)
    if inner:
        # Messages from below name what the caller named: a key, a scheme, a parameter.
        title, hint, column = _summary(type(error)), None, None
    else:
        title, hint, column = error.message, error.hint, error.column
    return Problem(
        status,
        title,
        code=error.code,
        reason=error.reason,
        count=error.count,
        column=column,
        location=getattr(error, "location", None),
        hint=hint,
        retry_after=retry_after,
        headers=_headers(error),
    )


def _summary(kind: type[TokenkitError]) -> str:
    """Give the first sentence of what a class of errors is for."""
    text = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").rstrip(".")
    return " ".join(text.split())


def _headers(error: TokenkitError) -> dict[str, str] | None:
    if isinstance(error, errors.TooManyRequests):
        return limit_headers(error)
    if isinstance(error, errors.RangeNotSatisfiable) and error.size is not None:
        # RFC 9110, section 15.5.17
        return {"content-range": f"bytes */{error.size}"}
    return None


def limit_headers(error: errors.TooManyRequests) -> dict[str, str]:
    """Say in headers which limit was reached (draft-ietf-httpapi-ratelimit-headers-10).

    Examples
    --------
    >>> error = errors.TooManyRequests("too many", reason="api_key", retry_after=7)
    >>> error.limit = ("api_key", 100, 60)
    >>> limit_headers(error)
    {'ratelimit-policy': '"api_key";q=100;w=60', 'ratelimit': '"api_key";r=0;t=7'}
    """
    if error.limit is None:
        return {}
    name, most, window = error.limit
    return {
        "ratelimit-policy": f'"{name}";q={most};w={window}',
        "ratelimit": f'"{name}";r=0;t={error.retry_after or 1}',
    }


def unforeseen() -> Problem:
    """Say that there is a defect, and nothing of what it was."""
    return Problem(500, "a defect of the service", code=errors.NativeDefect.code)


def complaints(found: Iterable[Mapping[str, Any]], names: frozenset[str]) -> list[dict[str, str]]:
    """Say what is wrong with a request, by place and kind; pydantic's own words may quote values.

    Parameters
    ----------
    found
        What pydantic found.
    names
        The names that places may be of; any other was made up by the caller.

    Examples
    --------
    >>> complaints([{"type": "missing", "loc": ("body", "key")}], frozenset({"key"}))
    [{'location': 'body.key', 'reason': 'missing'}]
    """
    return [
        {"location": _location(one.get("loc", ()), names), "reason": str(one.get("type", ""))}
        for one in list(found)[:_MOST_SHOWN]
    ]


def _location(parts: Sequence[str | int], names: frozenset[str]) -> str:
    shown: list[str] = []
    for number, part in enumerate(parts):
        if isinstance(part, int):
            shown.append(str(part))
        elif part in names or (number == 0 and part in {"body", "query", "path", "header"}):
            shown.append(part)
        else:
            shown.append("?")
    return ".".join(shown)


def known_names(app: FastAPI) -> frozenset[str]:
    """Give every name of a field or a parameter that the service documents."""
    found: set[str] = set()

    def look(part: Any) -> None:
        if isinstance(part, dict):
            properties = part.get("properties")
            if isinstance(properties, dict):
                found.update(properties)
            if isinstance(part.get("in"), str) and isinstance(part.get("name"), str):
                found.add(part["name"])
            for inner in part.values():
                look(inner)
        elif isinstance(part, list):
            for inner in part:
                look(inner)

    look(app.openapi())
    return frozenset(found)


def invalid(found: Iterable[Mapping[str, Any]], names: frozenset[str]) -> Problem:
    """Say that a request can't be read, and where."""
    return Problem(
        422,
        "the request can't be read",
        code=errors.InvalidRequest.code,
        errors=complaints(found, names),
    )


def register(app: FastAPI) -> None:
    """Answer with problems wherever something goes wrong."""
    names: list[frozenset[str]] = []

    async def on_tokenkit(_: Request, exc: Exception) -> Response:
        return problem_of(exc) if isinstance(exc, TokenkitError) else unforeseen()

    async def on_validation(request: Request, exc: Exception) -> Response:
        if not names:
            names.append(known_names(request.app))
        found = exc.errors() if isinstance(exc, RequestValidationError) else []
        return invalid(found, names[0])

    async def on_http(_: Request, exc: Exception) -> Response:
        status = exc.status_code if isinstance(exc, HTTPException) else 500
        headers = (exc.headers if isinstance(exc, HTTPException) else None) or {}
        code = errors.UnknownResource if status == HTTPStatus.NOT_FOUND else errors.ServiceError
        try:
            title = HTTPStatus(status).phrase.lower()
        except ValueError:
            title = "the request failed"
        kept = {name: value for name, value in headers.items() if name.lower() == "allow"}
        return Problem(status, title, code=code.code, headers=kept)

    app.add_exception_handler(TokenkitError, on_tokenkit)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
