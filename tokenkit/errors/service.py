"""Errors of the service: requests that can't be read, or can't be answered now."""

# The tree's names say what happened; a suffix "Error" on each would only repeat the base class.
# ruff: noqa: N818

from typing import ClassVar

from tokenkit.errors import TokenkitError


class ServiceError(TokenkitError, code="TK900"):
    """Base class of what goes wrong with a request to the service.

    Parameters
    ----------
    message, column, reason, count, hint
        As for every error.
    location
        Where in the request, by names that the service knows, such as ``body.values``.
    retry_after
        After how many seconds it may go better.

    Examples
    --------
    >>> error = InvalidRequest("a field is missing", reason="missing", location="body.key")
    >>> error.code, error.location
    ('TK901', 'body.key')
    """

    _shown: ClassVar[tuple[str, ...]] = ("location", "column", "reason", "count")

    def __init__(
        self,
        message: str,
        *,
        column: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        hint: str | None = None,
        location: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, column=column, reason=reason, count=count, hint=hint)
        self.location = location
        self.retry_after = retry_after


class InvalidRequest(ServiceError, ValueError, code="TK901"):
    """A request that can't be read: a field is missing, unknown or of the wrong kind."""


class RequestTooLarge(ServiceError, ValueError, code="TK902"):
    """A body of more bytes, or a list of more values, than the service takes at once."""


class Overloaded(ServiceError, code="TK903"):
    """So many requests are being answered that another one would wait too long."""


class RangeNotSatisfiable(ServiceError, ValueError, code="TK913"):
    """A part of a file is asked for that it doesn't have.

    Attributes
    ----------
    size
        How many bytes the file has.
    """

    size: int | None = None


class AuditUnavailable(ServiceError, code="TK904"):
    """The audit log couldn't be written in time, so nothing is given out."""


class UnknownResource(ServiceError, LookupError, code="TK905"):
    """There is no such thing, or no right to know of it."""


class UnsupportedBody(ServiceError, TypeError, code="TK906"):
    """A body of a media type that this endpoint doesn't read or write."""


class TooManyRequests(ServiceError, code="TK911"):
    """A limit or a daily quota is reached.

    Attributes
    ----------
    limit
        Its name, how much it allows, and in how many seconds, for the headers that say so.

    Examples
    --------
    >>> error = TooManyRequests("the limit is reached", reason="api_key", retry_after=3)
    >>> error.code, error.retry_after, error.limit
    ('TK911', 3, None)
    """

    limit: tuple[str, int, int] | None = None


class RequestUnderWay(ServiceError, code="TK912"):
    """A request under the same idempotency key is being carried out."""
