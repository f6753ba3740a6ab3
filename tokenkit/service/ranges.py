"""Parts of a file that a request asks for: RFC 9110, section 14."""

import re
from collections.abc import Mapping

from tokenkit.errors import RangeNotSatisfiable

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def asked_range(headers: Mapping[str, str], size: int, tag: str) -> tuple[int, int] | None:
    """Give the part that is asked for, from its first byte to the one after its last.

    Parameters
    ----------
    headers
        The request's; ``Range``, and ``If-Range`` with an entity tag.
    size, tag
        Of the file.

    Returns
    -------
    tuple of int, or None
        None for all of it: nothing is asked for, several parts are, or it isn't the same file.

    Raises
    ------
    RangeNotSatisfiable
        If the file has no such part.

    Examples
    --------
    >>> asked_range({"range": "bytes=2-"}, 5, '"a"')
    (2, 5)
    >>> asked_range({"range": "bytes=-2"}, 5, '"a"')
    (3, 5)
    >>> asked_range({"range": "bytes=0-1", "if-range": '"b"'}, 5, '"a"') is None
    True
    """
    asked = _ONE.fullmatch(headers.get("range", "").strip())
    if asked is None or headers.get("if-range", tag) != tag or asked.groups() == ("", ""):
        return None
    first, last = asked.groups()
    if first:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < int(first):
            return None
    else:
        start, end = max(0, size - int(last)), size
    if start >= end:
        error = RangeNotSatisfiable(
            "the file has no such part", reason="range", hint=f"it has {size} bytes"
        )
        error.size = size
        raise error
    return start, end
