"""Cursors of lists of token records: the place after which the next page goes on."""

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tokenkit.errors import InvalidRequest

_FORM = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_cursor(created: datetime, record: UUID) -> str:
    """Write the place after a record; what is added later doesn't move it.

    Examples
    --------
    >>> place = (datetime(2026, 1, 1, tzinfo=UTC), UUID(int=7))
    >>> place_of(next_cursor(*place)) == place
    True
    """
    moment = (created - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_FORM.pack(moment, record.bytes)).decode()


def place_of(cursor: str) -> tuple[datetime, UUID]:
    """Read a place.

    Raises
    ------
    InvalidRequest
        If it is none.
    """
    found: tuple[datetime, UUID] | None = None
    try:
        moment, record = _FORM.unpack(base64.urlsafe_b64decode(cursor.encode("ascii")))
        found = _EPOCH + timedelta(microseconds=moment), UUID(bytes=record)
    except (ValueError, OverflowError, binascii.Error, struct.error):
        found = None
    if found is None:
        raise InvalidRequest(
            "that is no cursor", location="query.cursor", reason="cursor", hint="take it from next"
        )
    return found
