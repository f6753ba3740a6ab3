"""What stands around every token operation: limits, idempotency, token records, counts.

A guard is asked before the operation and told afterwards. The list of guards is part of the
service's state; whoever adds one appends it there.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import pyarrow as pa
from starlette.requests import Request

from tokenkit.access.decisions import Decision
from tokenkit.access.principals import Principal
from tokenkit.service.columns import ResolvedColumn

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

Operation: TypeAlias = Literal["tokenize", "detokenize"]


class OneValue(NamedTuple):
    """A value by itself, and its tweak."""

    value: str | int | None
    tweak: str | None = None


class ManyValues(NamedTuple):
    """Values as an array, and the tweak of each."""

    values: pa.Array
    tweaks: pa.Array | None = None


@dataclass(slots=True, kw_only=True)
class TokenCall:
    """One token operation on its way.

    Attributes
    ----------
    operation
        ``tokenize`` or ``detokenize``.
    request
        The HTTP request: headers, the address.
    body
        Its body, as it came.
    principal
        Who asks.
    column
        What is called.
    decision
        That it may be, in plain or masked.
    purpose
        What for.
    given
        What is tokenized or detokenized: one value, or a list.
    extra
        The fields of the body that are the guards' business, by name.
    """

    operation: Operation
    request: Request
    body: bytes
    principal: Principal
    column: ResolvedColumn
    decision: Decision
    purpose: str | None
    given: OneValue | ManyValues
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether it is one value, and not a list."""
        return isinstance(self.given, OneValue)

    @property
    def count(self) -> int:
        """How many values there are."""
        return 1 if isinstance(self.given, OneValue) else len(self.given.values)

    @property
    def values(self) -> pa.Array:
        """The values as an array, which for one alone is made here."""
        if isinstance(self.given, OneValue):
            return _array(self.given.value)
        return self.given.values


class TokenResult:
    """What an operation gave, before it is in the audit log.

    Parameters
    ----------
    found
        The tokens, or the values; null where there was null, or where one doesn't fit. One by
        itself is no array.
    reasons
        Why values don't fit, as strings; null where they do.

    Attributes
    ----------
    within
        What is to be done in the transaction of the audit record, so that both are there or none.
    answer
        Further fields of the answer in JSON.
    """

    __slots__ = ("_found", "_reasons", "answer", "within")

    def __init__(self, found: Any, reasons: Any) -> None:
        self._found = found
        self._reasons = reasons
        self.within: list[Callable[[Connection], None]] = []
        self.answer: dict[str, Any] = {}

    @property
    def found(self) -> pa.Array:
        """The tokens, or the values, as an array."""
        if not isinstance(self._found, pa.Array):
            self._found = _array(self._found)
        return self._found

    @found.setter
    def found(self, found: pa.Array) -> None:
        self._found = found

    @property
    def reasons(self) -> pa.Array:
        """Why values don't fit, as an array."""
        if not isinstance(self._reasons, pa.Array):
            self._reasons = pa.array([self._reasons], pa.string())
        return self._reasons

    @reasons.setter
    def reasons(self, reasons: pa.Array) -> None:
        self._reasons = reasons

    @property
    def failed(self) -> int:
        """How many values don't fit."""
        if isinstance(self._reasons, pa.Array):
            fitting: int = self._reasons.null_count
            return len(self._reasons) - fitting
        return int(self._reasons is not None)

    @property
    def first(self) -> tuple[str | int | None, str | None]:
        """What the first value became, and why it doesn't fit."""
        found, reason = self._found, self._reasons
        return (
            found[0].as_py() if isinstance(found, pa.Array) else found,
            reason[0].as_py() if isinstance(reason, pa.Array) else reason,
        )


def _array(value: str | int | None) -> pa.Array:
    return pa.array([value], pa.int64() if isinstance(value, int) else pa.string())


class Guard(Protocol):
    """Stands around token operations.

    Raises of :class:`~tokenkit.errors.TokenkitError` refuse the operation; the refusal is in the
    audit log before it is answered.
    """

    async def before(self, call: TokenCall) -> None:
        """Look at a call that is allowed, before it is made."""

    async def after(self, call: TokenCall, result: TokenResult) -> None:
        """Look at what it gave, before that is audited and answered."""

    async def failed(self, call: TokenCall) -> None:
        """Take note that a call isn't answered: it was refused, failed, or couldn't be audited."""
