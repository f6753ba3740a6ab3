"""What a request names in its query, where the body holds nothing but values."""

from collections.abc import Mapping

from tokenkit.errors import InvalidRequest
from tokenkit.service.bodies.json import TokenBody, read_fields

FIELDS = ("policy", "column", "scheme", "key", "domain", "version", "purpose", "parameters")
"""The fields that may stand in the query; ``parameters`` is JSON."""


def read_query(query: Mapping[str, str]) -> TokenBody:
    """Read them.

    Raises
    ------
    InvalidRequest
        If one is unknown or can't be read.

    Examples
    --------
    >>> read_query({"policy": "orders", "column": "card"}).target().column
    'card'
    """
    given: dict[str, object] = {}
    for name, text in query.items():
        if name not in FIELDS:
            raise InvalidRequest(
                "there is no such parameter of the query",
                location="query",
                reason="extra_forbidden",
                hint=f"there are: {', '.join(FIELDS)}",
            )
        given[name] = int(text) if name == "version" and text.isdecimal() else text
    return read_fields(given)
