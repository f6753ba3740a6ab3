"""What stands around every token operation: limits, idempotency, token records, counts.

A guard is asked before the operation and told afterwards. The list of guards is part of the
service's state; whoever adds one appends it there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import pyarrow as pa
from sqlalchemy import Connection
from starlette.requests import Request

from tokenkit.access.decisions import Decision
from tokenkit.access.principals import Principal
from tokenkit.service.columns import ResolvedColumn

Operation: TypeAlias = Literal["tokenize", "detokenize"]


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
    values, tweaks
        What is tokenized or detokenized, and the tweak of each.
    single
        Whether it is one value, and not a list.
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
    values: pa.Array
    tweaks: pa.Array | None
    single: bool
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class TokenResult:
    """What an operation gave, before it is in the audit log.

    Attributes
    ----------
    found
        The tokens, or the values; null where there was null, or where one doesn't fit.
    reasons
        Why values don't fit, as strings; null where they do.
    within
        What is to be done in the transaction of the audit record, so that both are there or none.
    answer
        Further fields of the answer in JSON.
    """

    found: pa.Array
    reasons: pa.Array
    within: list[Callable[[Connection], None]] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)


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
