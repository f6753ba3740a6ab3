"""Ids of requests: in every answer, every problem, and every line of the logs."""

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

HEADER: Final = b"x-request-id"
"""The header in which a caller may give an id, and in which each answer has it."""
# An id that could be anything could be a value: these are UUIDs, with hyphens or without.
_WELL_FORMED = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE
)
REQUEST_ID: ContextVar[str | None] = ContextVar("tokenkit_request_id", default=None)
"""The id of the request that is being answered."""


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Give the id that the caller gave, if it is a UUID, or else a fresh one.

    Examples
    --------
    >>> request_id_of([(b"x-request-id", b"6f1c2c8e-9d0b-4c53-9f59-5a0d7e5f2b11")])
    '6f1c2c8e-9d0b-4c53-9f59-5a0d7e5f2b11'
    >>> len(request_id_of([(b"x-request-id", b"4111 1111 1111 1111")]))
    32
    """
    for name, value in headers:
        if name == HEADER:
            if _WELL_FORMED.fullmatch(value):
                return value.decode("ascii")
            break
    return secrets.token_hex(16)
