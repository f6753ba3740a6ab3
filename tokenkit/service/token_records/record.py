"""One token's record, as callers give it and get it."""

import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from tokenkit.errors import InvalidRequest

State: TypeAlias = Literal["active", "expired", "revoked"]
"""Whether a token may be turned back for its caller."""

LONGEST_TOKEN = 8_192
"""Bytes that a token may have to be kept."""
MOST_DETAILS = 4_096
"""Bytes that metadata may have, as JSON in UTF-8."""
DEEPEST_DETAILS = 8
"""How many objects and lists of metadata may stand in each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A token that a caller asks to be kept.

    Attributes
    ----------
    token
        The token, a number as its decimal digits; not in the repr.
    key, key_id
        The key's name, and the id of the version that made the token.
    domain, scheme
        The column's.
    metadata
        What is to be noted beside it; see :func:`checked_details`. Not in the repr.
    expires
        When it may no longer be turned back; None for never.

    Examples
    --------
    >>> NewRecord(
    ...     token="4111", key="payments", key_id=7, domain="credit-card", scheme="credit-card"
    ... )
    NewRecord(key='payments', key_id=7, domain='credit-card', scheme='credit-card', expires=None)
    """

    token: str = field(repr=False)
    key: str
    key_id: int
    domain: str
    scheme: str
    metadata: dict[str, Any] | None = field(default=None, repr=False)
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token's record.

    Attributes
    ----------
    id
        By which it is asked for.
    caller_id
        The user who asked for it. Nobody else's detokenizing is touched by it.
    token, key, key_id, domain, scheme, metadata
        As they were given.
    created
        When it was first kept.
    expires, revoked
        From when on the token isn't turned back.
    version
        1 at first; counted up by each change.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> record = TokenRecord(
    ...     id=UUID(int=1), caller_id=UUID(int=2), token="4111", key="payments", key_id=7,
    ...     domain="credit-card", scheme="credit-card", metadata=None, created=at,
    ...     expires=at + timedelta(days=1), revoked=None, version=1,
    ... )
    >>> record.state(at), record.state(at + timedelta(days=1))
    ('active', 'expired')
    """

    id: UUID
    caller_id: UUID
    token: str = field(repr=False)
    key: str
    key_id: int
    domain: str
    scheme: str
    metadata: dict[str, Any] | None = field(repr=False)
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    version: int

    def state(self, at: datetime) -> State:
        """Say whether the token may be turned back at a moment."""
        return state_of(self.expires, self.revoked, at)


def state_of(expires: datetime | None, revoked: datetime | None, at: datetime) -> State:
    """Say what two moments mean at a third one; a revocation is for good.

    Examples
    --------
    >>> from datetime import UTC
    >>> state_of(None, None, datetime(2026, 1, 1, tzinfo=UTC))
    'active'
    """
    if revoked is not None:
        return "revoked"
    return "expired" if expires is not None and expires <= at else "active"


def checked_details(metadata: dict[str, Any]) -> dict[str, Any]:
    """Refuse metadata that is too large, too deep, or no JSON.

    Raises
    ------
    InvalidRequest
        If it is so; the message doesn't quote it.

    Examples
    --------
    >>> checked_details({"order": 17})
    {'order': 17}
    >>> checked_details({"note": "x" * 5000})
    Traceback (most recent call last):
    ...
    tokenkit.errors.service.InvalidRequest: metadata is too large
        [location="body.metadata" reason="metadata"]
    hint: at most 4096 bytes as JSON
    """
    if _depth(metadata, 1) > DEEPEST_DETAILS:
        raise InvalidRequest(
            "metadata is nested too deeply",
            reason="metadata",
            location="body.metadata",
            hint=f"at most {DEEPEST_DETAILS} objects and lists in each other",
        )
    size: int | None = None
    # A number that JSON hasn't, or half a surrogate pair: the error would quote it.
    with contextlib.suppress(TypeError, ValueError):
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode())
    if size is None:
        raise InvalidRequest(
            "metadata is a JSON object", reason="metadata", location="body.metadata"
        )
    if size > MOST_DETAILS:
        raise InvalidRequest(
            "metadata is too large",
            reason="metadata",
            location="body.metadata",
            hint=f"at most {MOST_DETAILS} bytes as JSON",
        )
    return metadata


def checked_record(new: NewRecord, at: datetime) -> NewRecord:
    """Refuse a record that can't be kept.

    Raises
    ------
    InvalidRequest
        If its token is empty or too long, its end isn't after now or has no time zone, or its
        metadata doesn't fit.
    """
    try:
        size = len(new.token.encode())
    except UnicodeError:
        size = 0
    if not 0 < size <= LONGEST_TOKEN:
        raise InvalidRequest(
            "a token that is kept isn't empty, nor too long",
            reason="token",
            hint=f"at most {LONGEST_TOKEN} bytes",
        )
    if new.expires is not None and (new.expires.tzinfo is None or new.expires <= at):
        raise InvalidRequest(
            "expires_at is a moment to come, with its time zone",
            reason="expires_at",
            location="body.expires_at",
        )
    if new.metadata is not None:
        checked_details(new.metadata)
    return new


def _depth(value: object, level: int) -> int:
    # It stops one level too deep, so that no hostile nesting ends the stack.
    if level > DEEPEST_DETAILS + 1 or not isinstance(value, dict | list):
        return level - 1
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(each, level + 1) for each in inner), default=level)
