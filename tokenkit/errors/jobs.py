"""Errors of jobs: what they read, what they write, and what is behind a connector."""

# The tree's names say what happened; a suffix "Error" on each would only repeat the base class.
# ruff: noqa: N818

from tokenkit.errors import TokenkitError


class JobError(TokenkitError, code="TK600"):
    """Base class of what goes wrong in a job; ``line`` counts from 1 in ``file``."""

    _shown = ("file", "line", "column", "reason", "count")

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, column=column, reason=reason, count=count, hint=hint)
        self.file = file
        self.line = line


class InputError(JobError, ValueError, code="TK601"):
    """The input's structure is broken: a row of another length, an open quote, bad UTF-8."""


class OutputExists(JobError, FileExistsError, code="TK602"):
    """The output is already there."""


class InputNotFound(JobError, FileNotFoundError, code="TK603"):
    """There is no such input."""


class ConnectorMissing(JobError, LookupError, code="TK604"):
    """There is no such connector, or a package that it needs isn't installed."""


class ConnectorFailed(JobError, code="TK605"):
    """The system behind a connector can't be reached, refuses, or broke off."""
