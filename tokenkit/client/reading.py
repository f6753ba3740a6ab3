"""Answers read into facts. What isn't as it should be is an error that quotes nothing of it."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from tokenkit.client.effects import Answer
from tokenkit.client.facts import (
    Batch,
    BatchFailure,
    BatchProgress,
    DetokenizedValue,
    DetokenizedValues,
    Page,
    RecordReceipt,
    TokenizedValue,
    TokenizedValues,
    TokenRecord,
    TokenValidity,
    Value,
    ValueFault,
)
from tokenkit.client.problems import unreadable

T = TypeVar("T")
Said = Mapping[str, Any]


def read(answer: Answer, build: Callable[[Any], T]) -> T:
    """Read the JSON of an answer.

    Raises
    ------
    UnreadableAnswer
        If it is none, or something is missing or of another kind. Nothing of it is quoted.

    Examples
    --------
    >>> read(Answer(status=200, headers={}, body=b'{"token":"49"}'), tokenized)
    Traceback (most recent call last):
        ...
    tokenkit.errors.client.UnreadableAnswer: the answer can't be read [status=200]
    hint: is the base URL that of the service, and of the same version?
    """
    try:
        return build(json.loads(answer.body))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        error = unreadable(answer, "the answer can't be read")
    # Not while the other one is handled, which holds the whole text.
    raise error


def tokenized(said: Said) -> TokenizedValue:
    """Read a token."""
    return TokenizedValue(
        token=_value(said["token"]),
        key=_a(str, said["key"]),
        version=_a(int, said["version"]),
        record=_optional(receipt, said.get("record")),
    )


def tokenized_values(count: int) -> Callable[[Said], TokenizedValues]:
    """Give what reads so many tokens."""

    def build(said: Said) -> TokenizedValues:
        records = said.get("records")
        return TokenizedValues(
            tokens=_values(said["tokens"], count),
            key=_a(str, said["key"]),
            version=_a(int, said["version"]),
            faults=_faults(said),
            records=None
            if records is None
            else tuple(_optional(receipt, one) for one in _exactly(records, count)),
        )

    return build


def detokenized(said: Said) -> DetokenizedValue:
    """Read a value."""
    return DetokenizedValue(
        value=_value(said["value"]),
        key=_a(str, said["key"]),
        version=_a(int, said["version"]),
        masked=said.get("masked") is True,
    )


def detokenized_values(count: int) -> Callable[[Said], DetokenizedValues]:
    """Give what reads so many values."""

    def build(said: Said) -> DetokenizedValues:
        return DetokenizedValues(
            values=_values(said["values"], count),
            key=_a(str, said["key"]),
            version=_a(int, said["version"]),
            faults=_faults(said),
            masked=said.get("masked") is True,
        )

    return build


def validities(count: int) -> Callable[[Said], tuple[TokenValidity, ...]]:
    """Give what reads what is said of so many tokens."""

    def build(said: Said) -> tuple[TokenValidity, ...]:
        return tuple(
            TokenValidity(
                well_formed=_a(bool, one["well_formed"]),
                reason=_optional_text(one["reason"]),
                domain=_a(str, one["domain"]),
                record=_a(str, one["record"]),
            )
            for one in _exactly(said["results"], count)
        )

    return build


def receipt(said: Said) -> RecordReceipt:
    """Read that a record is kept."""
    return RecordReceipt(
        id=UUID(said["id"]),
        version=_a(int, said["version"]),
        state=_a(str, said["state"]),
        created_at=datetime.fromisoformat(said["created_at"]),
        expires_at=_moment(said["expires_at"]),
    )


def record(said: Said) -> TokenRecord:
    """Read a record."""
    return TokenRecord(
        id=UUID(said["id"]),
        token=_a(str, said["token"]),
        key=_a(str, said["key"]),
        key_id=_a(int, said["key_id"]),
        domain=_a(str, said["domain"]),
        scheme=_a(str, said["scheme"]),
        metadata=said.get("metadata"),
        state=_a(str, said["state"]),
        created_at=datetime.fromisoformat(said["created_at"]),
        expires_at=_moment(said.get("expires_at")),
        revoked_at=_moment(said.get("revoked_at")),
        version=_a(int, said["version"]),
    )


def batch(said: Said) -> Batch:
    """Read how a batch stands."""
    progress, failure = said["progress"], said["failure"]
    return Batch(
        id=UUID(said["id"]),
        state=_a(str, said["state"]),
        operation=_a(str, said["operation"]),
        policy=_a(str, said["policy"]),
        purpose=said["purpose"],
        format=_a(str, said["format"]),
        output=_a(str, said["output"]),
        size=said["size"],
        progress=BatchProgress(rows=_a(int, progress["rows"]), of=progress["of"]),
        attempt=_a(int, said["attempt"]),
        rows_read=said["rows_read"],
        rows_written=said["rows_written"],
        rows_rejected=said["rows_rejected"],
        columns=said["columns"],
        failure=None
        if failure is None
        else BatchFailure(
            code=_a(str, failure["code"]),
            reason=_optional_text(failure["reason"]),
            detail=_a(str, failure["detail"]),
            hint=_optional_text(failure["hint"]),
        ),
        created=datetime.fromisoformat(said["created"]),
        queued=_moment(said["queued"]),
        started=_moment(said["started"]),
        ended=_moment(said["ended"]),
        expires=_moment(said["expires"]),
    )


def page_of(build: Callable[[Said], T]) -> Callable[[Said], Page[T]]:
    """Give what reads a page of something."""

    def build_page(said: Said) -> Page[T]:
        return Page(
            items=tuple(build(one) for one in _a(list, said["items"])),
            next=_optional_text(said["next"]),
        )

    return build_page


def _a(kind: type, said: Any) -> Any:
    if type(said) is not kind:
        raise TypeError
    return said


def _value(said: Any) -> Value:
    return said if said is None or type(said) is int else _a(str, said)


def _values(said: Any, count: int) -> tuple[Value, ...]:
    return tuple(_value(one) for one in _exactly(said, count))


def _exactly(said: Any, count: int) -> list[Any]:
    if len(found := _a(list, said)) != count:
        raise ValueError
    return found  # type: ignore[no-any-return]


def _faults(said: Said) -> tuple[ValueFault, ...]:
    return tuple(
        ValueFault(index=_a(int, one["index"]), reason=_a(str, one["reason"]))
        for one in said.get("errors") or ()
    )


def _optional(build: Callable[[Said], T], said: Any) -> T | None:
    return None if said is None else build(said)


def _optional_text(said: Any) -> str | None:
    return None if said is None else _a(str, said)


def _moment(said: Any) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said)
