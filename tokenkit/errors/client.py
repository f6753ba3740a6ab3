"""Errors of the client: what the service says of a request, or that it doesn't answer."""

# The tree's names say what happened; a suffix "Error" on each would only repeat the base class.
# ruff: noqa: N818

from typing import ClassVar

from tokenkit.errors import TokenkitError


class ClientError(TokenkitError, code="TK920"):
    """Base class of what goes wrong with a call of the client, such as a missing API key.

    Parameters
    ----------
    message, column, reason, count, hint
        As for every error; where the service has answered, they are what it says.
    location
        Where in the request, such as ``body.values``.
    retry_after
        After how many seconds it may go better.
    status
        The HTTP status of the answer; None if there was none.
    problem
        The stable code of the service's problem, such as ``TK904``: that of a class of this tree.
    request_id
        The id of the request, by which the service's logs name it.
    resource
        Where what was made by the same request before is, such as ``/v1/batches/...``.

    Examples
    --------
    >>> error = RequestRefused("no such thing", status=404, problem="TK905")
    >>> error.status, error.problem
    (404, 'TK905')
    >>> print(error)
    no such thing [problem="TK905" status=404]
    """

    _shown: ClassVar[tuple[str, ...]] = (
        "problem", "status", "location", "column", "reason", "count", "request_id"
    )  # fmt: skip

    def __init__(
        self,
        message: str,
        *,
        column: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        hint: str | None = None,
        location: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        problem: str | None = None,
        request_id: str | None = None,
        resource: str | None = None,
    ) -> None:
        super().__init__(message, column=column, reason=reason, count=count, hint=hint)
        self.location = location
        self.retry_after = retry_after
        self.status = status
        self.problem = problem
        self.request_id = request_id
        self.resource = resource

    def means(self, kind: type[TokenkitError]) -> bool:
        """Say whether the service's problem is one of a class of errors, or of one below it.

        Examples
        --------
        >>> from tokenkit.errors import DataError, InvalidValues
        >>> error = RequestRefused("the value does not fit", problem="TK301", reason="length")
        >>> error.means(InvalidValues), error.means(DataError), error.means(ClientError)
        (True, True, False)
        """
        return self.problem is not None and (
            kind.code == self.problem or any(self.means(below) for below in kind.__subclasses__())
        )


class RequestRefused(ClientError, code="TK921"):
    """The service refuses a request, and says why; sent again it would be refused again."""


class CallerRefused(RequestRefused, PermissionError, code="TK922"):
    """The service doesn't know the API key (``status`` 401), or it has no right (403)."""


class ServiceUnavailable(ClientError, code="TK923"):
    """The service can't be reached, has no room, or a limit is reached, also after trying again."""


class ServiceTimedOut(ServiceUnavailable, TimeoutError, code="TK924"):
    """The service didn't answer in time, or a batch wasn't over in time."""


class UnreadableAnswer(ClientError, ValueError, code="TK925"):
    """An answer that isn't the service's, or of which something is missing."""
