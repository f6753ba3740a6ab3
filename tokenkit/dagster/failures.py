"""Errors as Dagster shows them: what ours say, and nothing of what lies behind them."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import dagster as dg

from tokenkit.errors import (
    ConnectorFailed,
    JobError,
    KeyProviderError,
    StoreUnavailable,
    TokenkitError,
)

RETRIES: Final = dg.RetryPolicy(
    max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""How often an asset is tried again when its error may pass: after about 10, 30 and 70 seconds."""

_PASSING: Final = (ConnectorFailed, KeyProviderError, StoreUnavailable)


@dataclass(slots=True)
class Attempt:
    """An attempt at a job.

    Attributes
    ----------
    is_running
        Whether rows are being read: everything that can be refused before has not been, and
        nothing is written yet.
    """

    is_running: bool = False


@contextlib.contextmanager
def failing(attempt: Attempt) -> Iterator[None]:
    """Turn every error of a block into a failure that Dagster shows as it is.

    The failure is chained to nothing: texts of Polars, of databases and of the system may quote
    values. What isn't an error of tokenkit is named by its kind.

    Parameters
    ----------
    attempt
        Is told by the block how far it is.

    Raises
    ------
    dagster.Failure
        If the block raises; tried again only if the error may pass.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except TokenkitError as error:
        failure = _failure(error, attempt)
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote values
        failure = dg.Failure(
            f"an unforeseen error: {type(error).__name__}. Its text is withheld, since it may "
            "quote values",
            allow_retries=True,
        )
    else:
        return
    try:
        raise failure from None
    finally:
        failure.__context__ = None


def may_pass(error: TokenkitError, attempt: Attempt) -> bool:
    """Say whether a second attempt can do better.

    A connection comes back, a disk gets room, a file is complete at last; a value that doesn't fit
    stays what it is.

    Examples
    --------
    >>> from tokenkit.errors import InvalidValues
    >>> begun = Attempt(is_running=True)
    >>> may_pass(StoreUnavailable("no answer"), begun), may_pass(InvalidValues("no fit"), begun)
    (True, False)
    """
    return isinstance(error, _PASSING) or (attempt.is_running and type(error) is JobError)


def _failure(error: TokenkitError, attempt: Attempt) -> dg.Failure:
    fields = ("file", "line", "column", "reason", "count", "hint")
    said = {name: getattr(error, name, None) for name in fields}
    metadata: Mapping[str, str | int] = {
        "code": error.code,
        # After the last attempt, Dagster says how many there were and not why.
        "problem": error.message,
        **{name: value for name, value in said.items() if value is not None},
    }
    return dg.Failure(str(error), metadata=metadata, allow_retries=may_pass(error, attempt))
