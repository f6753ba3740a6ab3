"""What the OpenAPI document says of answers that are problems."""

from typing import Any

from pydantic import BaseModel, Field

from tokenkit.service.problems import MEDIA_TYPE


class ProblemFault(BaseModel):
    """A place of the request, and what is wrong there."""

    location: str
    reason: str


class ProblemBody(BaseModel):
    """A problem, as RFC 9457 has it. It quotes nothing of the request."""

    type: str = Field(description="A URN of the kind of problem.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="The stable code of the error.")
    detail: str | None = None
    reason: str | None = Field(default=None, description="A stable word for why.")
    location: str | None = Field(default=None, description="Where in the request.")
    column: str | None = None
    count: int | None = None
    hint: str | None = Field(default=None, description="What to do next.")
    errors: list[ProblemFault] | None = None
    request_id: str | None = Field(
        default=None, description="As in `X-Request-ID`, and in the logs."
    )


_MEANINGS = {
    400: "The request can't be read.",
    401: "Nobody is known by what was shown.",
    403: "No right to do this.",
    404: "There is no such thing, or no right to know of it.",
    405: "The path has no such method.",
    409: "It contradicts what is there.",
    413: "More bytes or values than are taken at once.",
    415: "A media type that isn't read or written here.",
    416: "The file has no such part.",
    422: "A field is missing, unknown or of the wrong kind, or values don't fit.",
    429: "Too many requests or attempts; see `Retry-After`.",
    500: "A defect of the service.",
    503: "It can't be answered now, and nothing was given out; see `Retry-After`.",
}
_EXAMPLES: dict[int, tuple[str, str, str]] = {
    400: ("TK900", "bad request", ""),
    401: ("TK801", "no API key and no session was shown", "not_authenticated"),
    403: ("TK804", "no right to do this", "not_granted"),
    404: ("TK905", "there is no such thing, or no right to it", "unknown"),
    405: ("TK900", "method not allowed", ""),
    409: ("TK205", 'key "payments" version 1 is disabled', ""),
    413: ("TK902", "the body is larger than 1,048,576 bytes", "body_size"),
    415: ("TK906", "bodies of this media type aren't read here", "media_type"),
    416: ("TK913", "the file has no such part", "range"),
    422: ("TK901", "the request can't be read", "missing"),
    429: ("TK803", "too many attempts have failed", "too_many_attempts"),
    500: ("TK401", "a defect of the service", ""),
    503: ("TK904", "the audit log could not be written in time", "audit"),
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document answers that are problems, with an example of each.

    Examples
    --------
    >>> problems(404)[404]["description"]
    'There is no such thing, or no right to know of it.'
    """
    return {
        status: {
            "description": _MEANINGS[status],
            "model": ProblemBody,
            "content": {MEDIA_TYPE: {"example": _example(status)}},
        }
        for status in statuses
    }


def _example(status: int) -> dict[str, Any]:
    code, title, reason = _EXAMPLES[status]
    found = {"type": f"urn:tokenkit:problem:{code}", "title": title, "status": status, "code": code}
    return {**found, "reason": reason} if reason else found


def example(status: int, shown: Any) -> dict[int | str, dict[str, Any]]:
    """Document an answer by an example.

    Examples
    --------
    >>> example(200, {"status": "ok"})[200]["content"]
    {'application/json': {'example': {'status': 'ok'}}}
    """
    return {status: {"content": {"application/json": {"example": shown}}}}
