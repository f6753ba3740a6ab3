"""Calls about tokens: what is sent, and how the answers are read."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID, uuid4

from tokenkit.client import reading
from tokenkit.client.attempts import Attempts
from tokenkit.client.effects import Answer, Call, Flow, content_of
from tokenkit.client.facts import (
    DetokenizedValue,
    DetokenizedValues,
    Page,
    TokenizedValue,
    TokenizedValues,
    TokenRecord,
    TokenValidity,
    Value,
)
from tokenkit.client.settings import Retries
from tokenkit.errors import UnsupportedType

IDEMPOTENCY_KEY = "idempotency-key"


class TargetOptions(TypedDict, total=False):
    """What a call is about: ``policy`` and ``column``, or ``scheme`` and ``key``.

    ``domain`` and ``parameters`` go with a scheme: parameters are what a policy would say of it,
    such as ``{"keep": {"last": 4}, "literals": ["N/A"]}``. ``version`` is a number or ``primary``,
    and ``purpose`` what for, where a grant asks.
    """

    policy: str
    column: str
    scheme: str
    key: str
    domain: str
    parameters: Mapping[str, Any]
    version: int | Literal["primary"]
    purpose: str


class ValueOptions(TargetOptions, total=False):
    """The same, and ``tweak``: the tweak of the value, or of all values."""

    tweak: str


class ListOptions(ValueOptions, total=False):
    """The same, and ``tweaks``: the tweak of each value."""

    tweaks: Iterable[str | None]


class RecordOptions(TypedDict, total=False):
    """What asks for a record: ``store``, or what it has, ``metadata`` and ``expires_at``."""

    store: bool
    metadata: Mapping[str, Any]
    expires_at: datetime


class TokenizeOptions(ValueOptions, RecordOptions, total=False):
    """What is tokenized how, and whether a record is kept."""


class TokenizeListOptions(ListOptions, RecordOptions, total=False):
    """The same of a list."""


def changing(retries: Retries, call: Call) -> Flow[Answer]:
    """Make a call that changes or records something: under one idempotency key, however often."""
    keyed = Call(
        method=call.method,
        path=call.path,
        query=call.query,
        headers={**call.headers, IDEMPOTENCY_KEY: str(uuid4())},
        content=call.content,
    )
    return Attempts(retries).run(lambda: keyed)


def json_body(given: Mapping[str, Any], options: Mapping[str, Any], known: type) -> bytes:
    """Write the body of a request.

    Raises
    ------
    TypeError
        If there is no such option, or one can't be written as JSON.
    ValueError
        If ``expires_at`` has no time zone.

    Examples
    --------
    >>> json_body({"value": "4539"}, {"policy": "orders", "column": "card"}, TokenizeOptions)
    b'{"policy":"orders","column":"card","value":"4539"}'
    """
    unknown = sorted(options.keys() - known.__annotations__.keys())
    if unknown:
        raise TypeError(f"there is no option {unknown[0]!r}")
    fields = {name: option for name, option in options.items() if option is not None}
    if (expires := fields.get("expires_at")) is not None:
        if expires.tzinfo is None:
            raise ValueError("expires_at needs a time zone")
        fields["expires_at"] = expires.isoformat()
    if (tweaks := fields.get("tweaks")) is not None:
        fields["tweaks"] = list(tweaks)
    text = json.dumps({**fields, **given}, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is the service's to refuse: the error of encoding it would hold the text.
    return text.encode("utf-8", "surrogatepass")


def _one(value: Value) -> Value:
    if value is not None and type(value) not in {str, int}:
        raise UnsupportedType("a value is a string, an integer or None", reason="type")
    return value


def _many(values: Iterable[Value]) -> list[Value]:
    if isinstance(values, str | bytes):
        raise UnsupportedType("one value isn't a list of them", reason="type", hint="[value]")
    return [_one(value) for value in values]


@dataclass(frozen=True, slots=True)
class TokenFlows:
    """Calls about tokens.

    Attributes
    ----------
    retries
        How often and how long they are tried.
    """

    retries: Retries

    def tokenize(self, value: Value, options: Mapping[str, Any]) -> Flow[TokenizedValue]:
        """Tokenize a value."""
        body = json_body({"value": _one(value)}, options, TokenizeOptions)
        answer = yield from self._post("/v1/tokenize", body)
        return reading.read(answer, reading.tokenized)

    def tokenize_many(
        self, values: Iterable[Value], options: Mapping[str, Any]
    ) -> Flow[TokenizedValues]:
        """Tokenize a list."""
        given = _many(values)
        body = json_body({"values": given}, options, TokenizeListOptions)
        answer = yield from self._post("/v1/tokenize", body)
        return reading.read(answer, reading.tokenized_values(len(given)))

    def detokenize(self, token: Value, options: Mapping[str, Any]) -> Flow[DetokenizedValue]:
        """Turn a token back."""
        body = json_body({"value": _one(token)}, options, ValueOptions)
        answer = yield from self._post("/v1/detokenize", body)
        return reading.read(answer, reading.detokenized)

    def detokenize_many(
        self, tokens: Iterable[Value], options: Mapping[str, Any]
    ) -> Flow[DetokenizedValues]:
        """Turn a list of tokens back."""
        given = _many(tokens)
        body = json_body({"values": given}, options, ListOptions)
        answer = yield from self._post("/v1/detokenize", body)
        return reading.read(answer, reading.detokenized_values(len(given)))

    def validate(self, token: Value, options: Mapping[str, Any]) -> Flow[TokenValidity]:
        """Look at a token without turning it back."""
        return (yield from self.validate_many([token], options))[0]

    def validate_many(
        self, tokens: Iterable[Value], options: Mapping[str, Any]
    ) -> Flow[tuple[TokenValidity, ...]]:
        """Look at tokens without turning them back."""
        given = _many(tokens)
        body = json_body({"values": given}, options, ListOptions)
        answer = yield from self._post("/v1/tokens/validate", body)
        return reading.read(answer, reading.validities(len(given)))

    def record(self, record_id: UUID | str) -> Flow[TokenRecord]:
        """Read a record."""
        call = Call(method="GET", path=f"/v1/tokens/{checked_id(record_id)}")
        answer = yield from Attempts(self.retries).run(lambda: call)
        return reading.read(answer, reading.record)

    def records(self, limit: int, cursor: str | None) -> Flow[Page[TokenRecord]]:
        """Read a page of records."""
        call = Call(method="GET", path="/v1/tokens", query=page_query(limit, cursor))
        answer = yield from Attempts(self.retries).run(lambda: call)
        return reading.read(answer, reading.page_of(reading.record))

    def revoke(self, record_id: UUID | str) -> Flow[TokenRecord]:
        """Revoke a token; done again, nothing changes."""
        call = Call(method="POST", path=f"/v1/tokens/{checked_id(record_id)}/revoke")
        answer = yield from changing(self.retries, call)
        return reading.read(answer, reading.record)

    def _post(self, path: str, body: bytes) -> Flow[Answer]:
        call = Call(method="POST", path=path, content=content_of(body, "application/json"))
        return (yield from changing(self.retries, call))


def checked_id(given: UUID | str) -> UUID:
    """Give an id as one, so that nothing else gets into a path.

    Raises
    ------
    ValueError
        If it is none; it isn't quoted.
    """
    try:
        return given if isinstance(given, UUID) else UUID(given)
    except (ValueError, AttributeError, TypeError):
        pass
    raise ValueError("an id is a UUID")


def page_query(limit: int, cursor: str | None) -> Mapping[str, str]:
    """Write which page is asked for."""
    return {"limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
