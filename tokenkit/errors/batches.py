"""Errors of batches."""

# The tree's names say what happened; a suffix "Error" on each would only repeat the base class.
# ruff: noqa: N818

from tokenkit.errors import TokenkitError


class BatchError(TokenkitError, code="TK950"):
    """Base class of what goes wrong with a batch."""


class BatchLost(BatchError, code="TK951"):
    """A batch isn't in the state that it was in: it is over, or another worker has it."""


class BatchInterrupted(BatchError, code="TK952"):
    """The workers of a batch died, each time that it was begun."""


class PolicyReplaced(BatchError, code="TK953"):
    """The policy of a batch isn't the one any more that it was uploaded for."""


class ExecutorUnavailable(BatchError, code="TK954"):
    """What is to work on batches can't be reached, or doesn't take them."""
