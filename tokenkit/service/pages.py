"""Lists, a page at a time: cursors say after which entry the next page begins.

A cursor is the place of the last entry shown, so that what is added or removed meanwhile moves
nothing. It is no secret, and gives no right: every page is decided upon anew.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tokenkit.errors import InvalidRequest

MOST = 200
"""Entries of a page at most."""
_MOST_READ = 500
_HIGHEST = 2**63 - 1
_LONGEST = 512

_E = TypeVar("_E")
_P = TypeVar("_P")
Part: TypeAlias = str | int
Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text in a query: no control characters, which a database may refuse."""


class PageQuery(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    limit: int = Field(default=50, ge=1, le=MOST, description="How many entries at most.")
    cursor: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="Where to go on: the field `next` of the page before.",
    )


class Page(BaseModel, Generic[_E]):
    """Some entries of a list."""

    items: list[_E]
    next: str | None = Field(
        default=None, description="The cursor of the next page; null at the end of the list."
    )


def filled(
    fetch: Callable[[_P | None, int], Sequence[_E]],
    place: Callable[[_E], _P],
    visible: Callable[[_E], bool],
    after: _P | None,
    limit: int,
) -> tuple[list[_E], _P | None]:
    """Fill a page with those entries that may be seen.

    Parameters
    ----------
    fetch
        Gives so many entries after a place.
    place
        Gives the place of an entry.
    visible
        Whether an entry may be seen.
    after
        The place after which to begin; None for the beginning.
    limit
        How many entries the page has at most.

    Returns
    -------
    entries, next
        The page, and the place after which the next one begins; None if there is none.

    Examples
    --------
    >>> letters = "abcdefg"
    >>> def fetch(after: str | None, most: int) -> str:
    ...     start = 0 if after is None else letters.index(after) + 1
    ...     return letters[start : start + most]
    >>> filled(fetch, lambda one: one, lambda one: one not in "bc", None, 3)
    (['a', 'd', 'e'], 'e')
    """
    found: list[_E] = []
    while True:
        rows = fetch(after, min(_MOST_READ, 2 * limit + 1))
        for row in rows:
            if not visible(row):
                continue
            if len(found) == limit:
                return found, place(found[-1])
            found.append(row)
        if not rows:
            return found, None
        after = place(rows[-1])


def cursor_of(kind: str, *parts: Part) -> str:
    """Write a place as a cursor.

    Examples
    --------
    >>> read_cursor(cursor_of("grants", 7), "grants", int)
    (7,)
    """
    text = json.dumps([kind, *parts], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, kind: str, *parts: type[Part]) -> tuple[Part, ...]:
    """Read a cursor.

    Parameters
    ----------
    cursor
        As it came.
    kind
        Of which list it must be.
    parts
        The types of the place's parts.

    Raises
    ------
    InvalidRequest
        If it isn't a cursor of that list.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw)
    except (ValueError, binascii.Error, RecursionError):
        found = None
    if isinstance(found, list) and len(found) == len(parts) + 1 and found[0] == kind:
        place = tuple(found[1:])
        if all(_fits(one, part) for one, part in zip(place, parts, strict=True)):
            return place
    raise _no_cursor()


def moment_part(moment: datetime) -> str:
    """Write a moment as a part of a cursor."""
    return moment.astimezone(UTC).isoformat()


def read_moment(part: Part) -> datetime:
    """Read a moment that is a part of a cursor; raises as :func:`read_cursor` does."""
    try:
        found = datetime.fromisoformat(str(part))
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _no_cursor()


def read_id(part: Part) -> UUID:
    """Read an id that is a part of a cursor; raises as :func:`read_cursor` does."""
    try:
        return UUID(str(part))
    except ValueError:
        pass
    raise _no_cursor()


def _fits(one: object, part: type[Part]) -> bool:
    if part is int:
        return isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= _HIGHEST
    return isinstance(one, str) and one.isprintable() and len(one) <= _LONGEST


def _no_cursor() -> InvalidRequest:
    return InvalidRequest(
        "that is no cursor of this list",
        location="query.cursor",
        reason="cursor",
        hint="take the field next of the page before, and leave it as it is",
    )
