"""Headers of requests, looked up where every microsecond counts."""

from starlette.requests import HTTPConnection


def header(connection: HTTPConnection, name: str) -> str | None:
    """Give the first header of a name, which is in lower case; None if there is none.

    Starlette's mapping encodes the name and looks at each header anew for every question, by way
    of three calls each; a request for one token asks three times.

    Examples
    --------
    >>> asked = HTTPConnection({"type": "http", "headers": [(b"accept", b"text/csv")]})
    >>> header(asked, "accept"), header(asked, "authorization")
    ('text/csv', None)
    """
    wanted = name.encode("latin-1")
    for found, value in connection.scope["headers"]:
        if found == wanted:
            text: str = value.decode("latin-1")
            return text
    return None
