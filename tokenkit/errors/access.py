"""Errors of users, rights, sessions and API keys."""

# The tree's names say what happened; a suffix "Error" on each would only repeat the base class.
# ruff: noqa: N818

from typing import ClassVar

from tokenkit.errors import TokenkitError


class AccessError(TokenkitError, code="TK800"):
    """Base class of what goes wrong with users, rights, sessions and API keys.

    Examples
    --------
    >>> error = Forbidden("no right to do this", reason="not_granted")
    >>> error.code, error.reason
    ('TK804', 'not_granted')
    """


class NotAuthenticated(AccessError, code="TK801"):
    """Nobody is known by what was shown; it says no more than that, whatever was wrong."""


class SecondFactorNeeded(AccessError, code="TK802"):
    """The password is right, and a code is needed too."""


class TooManyAttempts(AccessError, code="TK803"):
    """Too many attempts failed; ``retry_after`` says in how many seconds the next one counts."""

    _shown: ClassVar[tuple[str, ...]] = ("reason", "retry_after")

    def __init__(
        self,
        message: str,
        *,
        column: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        hint: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, column=column, reason=reason, count=count, hint=hint)
        self.retry_after = retry_after


class Forbidden(AccessError, PermissionError, code="TK804"):
    """No right to do this; ``reason`` is that of the decision."""


class PasswordRefused(AccessError, ValueError, code="TK805"):
    """A new password that is too short, too long or too easy to guess; it isn't shown."""


class UnknownAccount(AccessError, LookupError, code="TK806"):
    """There is no such user, role, grant, session or API key."""


class AccountExists(AccessError, ValueError, code="TK807"):
    """A user, role or grant of that name is there already."""


class AlreadyBootstrapped(AccessError, code="TK808"):
    """The first administrator has been made; the next ones are made by an administrator."""


class AccessStale(AccessError, code="TK809"):
    """The rights couldn't be read again in time, so nothing is allowed."""


class AccessBusy(AccessError, code="TK810"):
    """So many passwords are being checked that another one would wait too long."""


class InvalidAccess(AccessError, ValueError, code="TK811"):
    """A name, a right, a scope or a purpose that can't be read."""
