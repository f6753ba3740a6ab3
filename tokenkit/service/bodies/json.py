"""Bodies in JSON."""

from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from tokenkit.errors import InvalidRequest, RequestTooLarge
from tokenkit.service.bodies.values import not_values, values_array
from tokenkit.service.columns import Target
from tokenkit.service.guards import ManyValues, OneValue
from tokenkit.service.problems import complaints

MEDIA_TYPE = "application/json"
_BOUND = 2**63

Name = Annotated[str, Field(min_length=1, max_length=256)]
Value = Annotated[
    str | int | None, Field(description="A string, an integer of 64 bits, or null, which stays.")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class KeepBody(_Strict):
    """Characters that stay as they are."""

    first: int = Field(default=0, ge=0, le=15)
    last: int = Field(default=0, ge=0, le=15)


class ParametersBody(_Strict):
    """What a policy says of a scheme, where no policy is named."""

    keep: KeepBody | None = None
    check_digit: Literal["ignore", "valid", "invalid"] | None = None
    alphabet: str | None = Field(default=None, max_length=1024)
    separators: str | None = Field(default=None, max_length=64)
    min_length: int | None = Field(default=None, ge=1, le=2**20)
    max_length: int | None = Field(default=None, ge=1, le=2**20)
    width: int | None = Field(default=None, ge=1, le=64)
    allow_small_domain: bool | None = None
    on_invalid: Literal["error", "null", "seal"] | None = None
    literals: list[Annotated[str, Field(max_length=1024)]] | None = Field(
        default=None, max_length=256
    )
    normalize: list[Literal["trim", "nfc", "lower", "strip-separators"]] | None = Field(
        default=None, max_length=8
    )

    def given(self) -> tuple[tuple[str, Hashable], ...]:
        """Give those that are there, in a form that can be looked up."""
        found: list[tuple[str, Hashable]] = []
        for name, value in self:
            if isinstance(value, KeepBody):
                found.append((name, (("first", value.first), ("last", value.last))))
            elif value is not None:
                found.append((name, tuple(value) if isinstance(value, list) else value))
        return tuple(found)


class TokenBody(_Strict):
    """What is tokenized or detokenized: a policy and a column, or a scheme and a key."""

    policy: Name | None = Field(default=None, description="A policy; needs a column.")
    column: Name | None = Field(default=None, description="A column that the policy tokenizes.")
    scheme: Name | None = Field(default=None, description="In place of a policy; needs a key.")
    key: Name | None = Field(default=None, description="The name of a key.")
    domain: Name | None = Field(default=None, description="By default the scheme's name.")
    parameters: ParametersBody | None = None
    version: int | Literal["primary"] | None = Field(
        default=None,
        description="The key version. Detokenizing needs it once a key has had several.",
    )
    purpose: str | None = Field(
        default=None, min_length=1, max_length=64, description="What for, where a grant asks."
    )
    value: Value = None
    values: list[Any] | None = Field(
        default=None,
        description="A list of strings or of integers, with nulls among them.",
        json_schema_extra={
            "items": {"anyOf": [{"type": t} for t in ("string", "integer", "null")]}
        },
    )
    tweak: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="The tweak of the value, or of all values."
    )
    tweaks: list[Annotated[str, Field(max_length=1024)] | None] | None = Field(
        default=None, description="The tweak of each value."
    )
    store: bool = Field(
        default=False, description="Whether a record of each token is kept; only when tokenizing."
    )
    metadata: dict[str, Any] | None = Field(
        default=None,
        description="What is kept beside each token, at most 4,096 bytes; asks for a record.",
    )
    expires_at: AwareDatetime | None = Field(
        default=None,
        description="When the caller may no longer detokenize these; asks for a record.",
    )

    @property
    def single(self) -> bool:
        """Whether it is one value."""
        return "value" in self.model_fields_set

    def target(self, *, with_tweak: bool | None = None) -> Target:
        """Give what it names.

        Parameters
        ----------
        with_tweak
            Whether each value has a tweak; by default as the body says.

        Raises
        ------
        InvalidRequest
            If that is neither a policy's column, nor a scheme and a key.
        """
        if with_tweak is None:
            with_tweak = self.tweak is not None or self.tweaks is not None
        if self.policy is not None:
            if self.column is None or any((self.scheme, self.key, self.domain, self.parameters)):
                raise _neither()
            return Target(
                policy=self.policy, column=self.column, version=self.version, with_tweak=with_tweak
            )
        if self.scheme is None or self.key is None or self.column is not None:
            raise _neither()
        return Target(
            scheme=self.scheme,
            key=self.key,
            domain=self.domain,
            version=self.version,
            parameters=() if self.parameters is None else self.parameters.given(),
            with_tweak=with_tweak,
        )

    def given(self, most: int) -> OneValue | ManyValues:
        """Give the values, and the tweak of each.

        Raises
        ------
        InvalidRequest
            If there are none, or both one and a list, or not a tweak for each.
        RequestTooLarge
            If the list is too long.
        """
        if self.single == (self.values is not None):
            raise InvalidRequest(
                "a request has one value, or a list of values",
                location="body.value",
                reason="value_or_values",
            )
        if self.values is None:
            if self.tweaks is not None:
                raise _not_a_tweak_for_each()
            if type(self.value) is int and not -_BOUND <= self.value < _BOUND:
                raise not_values("body.value")
            return OneValue(self.value, self.tweak)
        if len(self.values) > most:
            raise RequestTooLarge(
                f"a list has at most {most:,} values",
                reason="values",
                count=len(self.values),
                hint="send several lists, or Arrow or NDJSON, which may be longer",
            )
        return ManyValues(values_array(self.values), self._tweaks(len(self.values)))

    def _tweaks(self, count: int) -> pa.Array | None:
        if self.tweaks is None:
            return None if self.tweak is None else pa.array([self.tweak] * count, pa.string())
        if self.tweak is not None or len(self.tweaks) != count:
            raise _not_a_tweak_for_each()
        return pa.array(self.tweaks, pa.string())


class ValueFault(BaseModel):
    """A value that doesn't fit."""

    index: int = Field(description="Its place in the list, counted from 0.")
    reason: str = Field(description="Why, as a stable code.")


_NAMES = frozenset(
    name for model in (TokenBody, ParametersBody, KeepBody) for name in model.model_fields
)


def read_body(content: bytes) -> TokenBody:
    """Read a body.

    Raises
    ------
    InvalidRequest
        If it can't be read; the message quotes nothing of it.
    """
    try:
        return TokenBody.model_validate_json(content)
    except ValidationError as exc:
        error = _unreadable(exc, "body")
    raise error


def read_fields(given: Mapping[str, object]) -> TokenBody:
    """Read the fields that stand in a query; raises as :func:`read_body` does."""
    try:
        fields = dict(given)
        if isinstance(text := fields.get("parameters"), str):
            fields["parameters"] = ParametersBody.model_validate_json(text)
        return TokenBody.model_validate(fields)
    except ValidationError as exc:
        error = _unreadable(exc, "query")
    raise error


def _unreadable(exc: ValidationError, place: str) -> InvalidRequest:
    found = complaints(
        [
            {"type": one["type"], "loc": (place, *one["loc"])}
            for one in exc.errors(include_url=False, include_context=False, include_input=False)
        ],
        _NAMES,
    )
    return InvalidRequest(
        "the request can't be read", location=found[0]["location"], reason=found[0]["reason"]
    )


def write_answer(fields: dict[str, Any]) -> bytes:
    """Write an answer."""
    return to_json(fields)


def _not_a_tweak_for_each() -> InvalidRequest:
    return InvalidRequest(
        "there is one tweak, or a list of as many tweaks as values",
        location="body.tweaks",
        reason="tweaks",
    )


def _neither() -> InvalidRequest:
    return InvalidRequest(
        "a request names a policy and a column, or a scheme and a key",
        location="body",
        reason="target",
        hint='{"policy": "orders", "column": "card", ...}, or '
        '{"scheme": "credit-card", "key": "payments", ...}',
    )
