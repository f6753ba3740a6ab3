"""Answers that say what went wrong, as errors. Nothing of a foreign answer is quoted."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from tokenkit.client.effects import Answer, Fault
from tokenkit.errors import (
    CallerRefused,
    ClientError,
    RequestRefused,
    ServiceTimedOut,
    ServiceUnavailable,
    UnreadableAnswer,
)

REQUEST_ID: Final = "x-request-id"
_TYPE = "urn:tokenkit:problem:"
_CODE = re.compile(r"TK\d{3}")
_WORD = re.compile(r"[\w.?:*-]{1,200}", re.ASCII)
_REQUEST_ID_FORM = re.compile(r"[0-9a-fA-F-]{32,36}")
_PATH = re.compile(r"/[\w./%-]{1,255}", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_LONGEST = 500
_BUSY = frozenset({408, 429, 502, 503, 504})
"""The statuses after which the same request may go well."""


def is_passing(answer: Answer) -> bool:
    """Say whether the same request may go well later.

    Examples
    --------
    >>> is_passing(Answer(status=503, headers={})), is_passing(Answer(status=404, headers={}))
    (True, False)
    """
    return answer.status in _BUSY


def is_under_way(answer: Answer) -> bool:
    """Say whether the service is still at an attempt under the same idempotency key."""
    if answer.status != HTTPStatus.CONFLICT:
        return False
    said = _problem(answer)
    return said is not None and (said["code"], said.get("reason")) == ("TK912", "under_way")


def retry_after(answer: Answer, now: datetime | None = None) -> float | None:
    """Give how many seconds an answer asks to wait: a number, or a moment (RFC 9110, 10.2.3).

    Examples
    --------
    >>> retry_after(Answer(status=503, headers={"retry-after": "7"}))
    7.0
    >>> retry_after(Answer(status=503, headers={"retry-after": "soon"})) is None
    True
    """
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def request_id_of(answer: Answer) -> str | None:
    """Give the id that the service gave the request."""
    found = answer.headers.get(REQUEST_ID, "")
    return found if _REQUEST_ID_FORM.fullmatch(found) else None


def error_of(answer: Answer) -> ClientError:
    """Give the error that an answer stands for which isn't a success.

    Examples
    --------
    >>> said = b'{"type":"urn:tokenkit:problem:TK905","title":"no such thing","code":"TK905"}'
    >>> headers = {"content-type": "application/problem+json"}
    >>> print(error_of(Answer(status=404, headers=headers, body=said)))
    no such thing [problem="TK905" status=404]
    """
    said = _problem(answer)
    if said is None:
        return _foreign(answer)
    complaints = said.get("errors")
    first = complaints[0] if isinstance(complaints, list) and complaints else {}
    detail = {**first, **said} if isinstance(first, dict) else said
    count = detail.get("count")
    return _kind(answer.status)(
        _text(detail.get("title")) or "the service refuses the request",
        column=_text(detail.get("column")),
        reason=_word(detail.get("reason")),
        count=count if type(count) is int else None,
        hint=_text(detail.get("hint")),
        location=_word(detail.get("location")),
        retry_after=retry_after(answer),
        status=answer.status,
        problem=detail["code"],
        request_id=_named(answer, detail),
        resource=_resource(answer),
    )


def error_of_fault(fault: Fault, request_id: str | None) -> ClientError:
    """Give the error for no answer at all.

    Examples
    --------
    >>> print(error_of_fault(Fault(kind="connect", name="ConnectError"), None))
    the service can't be reached (ConnectError) [reason="connect"]
    hint: is it running, and is the base URL right?
    """
    if fault.kind == "local":
        return ClientError(
            f"the request couldn't be sent as it is ({fault.name})",
            reason="local",
            request_id=request_id,
            hint="did the file change while it was sent?",
        )
    kind, text, hint = {
        "connect": (
            ServiceUnavailable,
            "the service can't be reached",
            "is it running, and is the base URL right?",
        ),
        "timeout": (ServiceTimedOut, "the service didn't answer in time", "timeouts=Timeouts(...)"),
        "broken": (ServiceUnavailable, "the connection to the service broke off", None),
    }[fault.kind]
    return kind(f"{text} ({fault.name})", reason=fault.kind, request_id=request_id, hint=hint)


def unreadable(answer: Answer, what: str) -> UnreadableAnswer:
    """Give the error for an answer that isn't what it should be."""
    return UnreadableAnswer(
        what,
        status=answer.status,
        request_id=request_id_of(answer),
        hint="is the base URL that of the service, and of the same version?",
    )


def _kind(status: int) -> type[ClientError]:
    if status in {401, 403, 407}:
        return CallerRefused
    if status in _BUSY:
        return ServiceUnavailable
    return RequestRefused


def _foreign(answer: Answer) -> ClientError:
    """Give the error for an answer that is no problem of the service's, but a proxy's, say."""
    status, request_id = answer.status, request_id_of(answer)
    if 300 <= status < 400:
        return UnreadableAnswer(
            "the answer leads elsewhere, where the API key isn't sent",
            reason="redirect",
            status=status,
            request_id=request_id,
            hint="give the address itself as the base URL",
        )
    if status < 400:
        return unreadable(answer, "the answer isn't one of the service's")
    text = "there is no room" if status in _BUSY else "the request was refused"
    return _kind(status)(
        f"{text}, and not by the service itself",
        status=status,
        retry_after=retry_after(answer),
        request_id=request_id,
        hint="is the base URL that of the service?",
    )


def _problem(answer: Answer) -> Mapping[str, Any] | None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/problem+json":
        return None
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(code := said.get("code"), str):
        return None
    return said if said.get("type") == f"{_TYPE}{code}" and _CODE.fullmatch(code) else None


def _text(said: object) -> str | None:
    if not isinstance(said, str):
        return None
    return _CONTROLS.sub(" ", said)[:_LONGEST].strip() or None


def _word(said: object) -> str | None:
    return said if isinstance(said, str) and _WORD.fullmatch(said) else None


def _named(answer: Answer, said: Mapping[str, Any]) -> str | None:
    found = said.get("request_id")
    if isinstance(found, str) and _REQUEST_ID_FORM.fullmatch(found):
        return found
    return request_id_of(answer)


def _resource(answer: Answer) -> str | None:
    found = answer.headers.get("location", "")
    return found if _PATH.fullmatch(found) else None
