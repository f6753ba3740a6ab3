"""What the service gives back. Neither values nor tokens are in a repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar
from uuid import UUID

from tokenkit.errors import InvalidValues

T = TypeVar("T")
Value: TypeAlias = str | int | None
RecordState = Literal["active", "expired", "revoked"]
BatchState = Literal["uploading", "queued", "running", "complete", "failed", "cancelled", "expired"]
OPEN: Final[frozenset[str]] = frozenset({"uploading", "queued", "running"})
"""The states of batches that aren't over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReceipt:
    """That a record of a token is kept.

    Attributes
    ----------
    id
        By which it is asked for.
    version
        1 at first, counted up by each change.
    state
        Whether the token may be turned back by this caller.
    created_at, expires_at
        Since when, and until when if it ends.
    """

    id: UUID
    version: int
    state: RecordState
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFault:
    """A value of a list that doesn't fit.

    Attributes
    ----------
    index
        Its place in the list, from 0.
    reason
        Why, as a stable word.
    """

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedValue:
    """A token.

    Attributes
    ----------
    token
        The token; None for None.
    key, version
        The key and its version that made it.
    record
        The record that is kept of it, if one was asked for.

    Examples
    --------
    >>> TokenizedValue(token="4967253518765192", key="payments", version=1)
    TokenizedValue(key='payments', version=1, record=None)
    """

    token: Value = field(repr=False)
    key: str
    version: int
    record: RecordReceipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetokenizedValue:
    """A value that was turned back.

    Attributes
    ----------
    value
        The value; None for None.
    key, version
        The key and its version that made its token.
    masked
        Whether all but the last four characters are hidden.
    """

    value: Value = field(repr=False)
    key: str
    version: int
    masked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListFacts:
    key: str
    version: int
    faults: tuple[ValueFault, ...] = ()

    def require_all(self) -> None:
        """Raise unless every value fits.

        Raises
        ------
        InvalidValues
            If some don't: with the reason of the first one, and how many there are.
        """
        if self.faults:
            raise InvalidValues(
                "values do not fit the scheme",
                reason=self.faults[0].reason,
                count=len(self.faults),
                hint="faults has the place and the reason of each",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedValues(_ListFacts):
    """The tokens of a list.

    Attributes
    ----------
    tokens
        In the order of the values; None for None, and for what doesn't fit.
    key, version
        The key and its version that made them.
    faults
        The values that don't fit.
    records
        The records that are kept, in the same order, if they were asked for.

    Examples
    --------
    >>> fault = ValueFault(index=1, reason="length")
    >>> made = TokenizedValues(tokens=("49672535", None), key="k", version=1, faults=(fault,))
    >>> made
    TokenizedValues(key='k', version=1, faults=(ValueFault(index=1, reason='length'),),
                    records=None)
    >>> made.require_all()
    Traceback (most recent call last):
        ...
    tokenkit.errors.InvalidValues: values do not fit the scheme [reason="length" count=1]
    hint: faults has the place and the reason of each
    """

    tokens: tuple[Value, ...] = field(repr=False)
    records: tuple[RecordReceipt | None, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetokenizedValues(_ListFacts):
    """The values of a list of tokens.

    Attributes
    ----------
    values
        In the order of the tokens; None for None, and for what doesn't fit.
    key, version
        The key and its version that made the tokens.
    faults
        The tokens that don't fit, have expired or were revoked.
    masked
        Whether all but the last four characters are hidden.
    """

    values: tuple[Value, ...] = field(repr=False)
    masked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenValidity:
    """What can be said of a token without turning it back.

    Attributes
    ----------
    well_formed
        Whether the scheme could have made it.
    reason
        Why it isn't well-formed.
    domain
        Whether it is of this key version and domain, as far as that can be told.
    record
        What the caller's record of it says.
    """

    well_formed: bool
    reason: str | None
    domain: Literal["confirmed", "unconfirmed", "other"]
    record: Literal["none", "active", "expired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """What is kept of a token; never its value.

    Attributes
    ----------
    id
        By which it is asked for.
    token
        The token.
    key, key_id, domain, scheme
        What made it.
    metadata
        What the caller noted beside it.
    state
        Whether the token may be turned back by this caller.
    created_at, expires_at, revoked_at
        When.
    version
        1 at first, counted up by each change.
    """

    id: UUID
    token: str = field(repr=False)
    key: str
    key_id: int
    domain: str
    scheme: str
    metadata: Mapping[str, Any] | None = field(repr=False)
    state: RecordState
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far a batch is.

    Attributes
    ----------
    rows
        Rows that are done.
    of
        Of about how many; None if that isn't known.
    """

    rows: int
    of: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFailure:
    """Why a batch has failed; it quotes nothing of the file.

    Attributes
    ----------
    code, reason
        The error's code, such as ``TK301``, and its reason if it has one.
    detail, hint
        What it says, and what would help.
    """

    code: str
    reason: str | None
    detail: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it stands.

    Attributes
    ----------
    id
        By which it is asked for.
    state
        ``uploading`` becomes ``queued``, ``running``, and one of ``complete``, ``failed`` and
        ``cancelled``; ``complete`` becomes ``expired`` when its result is removed.
    operation, policy, purpose
        What is done, by which policy, and what for.
    format, output
        How the file is written, and how its result.
    size
        Bytes that were uploaded.
    progress
        How far it is.
    attempt
        How often it was begun.
    rows_read, rows_written, rows_rejected, columns
        What became of its rows and of each column's values, once it is complete.
    failure
        Why it has failed.
    created, queued, started, ended, expires
        When; ``expires`` is until when the result is kept.
    """

    id: UUID
    state: BatchState
    operation: str
    policy: str
    purpose: str | None
    format: str
    output: str
    size: int | None
    progress: BatchProgress
    attempt: int
    rows_read: int | None
    rows_written: int | None
    rows_rejected: int | None
    columns: Mapping[str, Any] | None = field(repr=False)
    failure: BatchFailure | None
    created: datetime
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    expires: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state not in OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some entries of a list.

    Attributes
    ----------
    items
        The entries.
    next
        The cursor of the next page; None at the end of the list.
    """

    items: tuple[T, ...]
    next: str | None
