"""Queries that only read: two inputs side by side, and what an error of one means."""

from collections.abc import Sequence

import polars as pl

from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import EngineError, from_polars, translated
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.progress import Progress
from tokenkit.jobs.streaming import collect


def read_through(
    frames: Sequence[pl.LazyFrame],
    counter: RowCounter,
    progress: Progress,
    inputs: Sequence[Input],
) -> list[pl.DataFrame]:
    """Run frames together over some inputs.

    Parameters
    ----------
    frames, counter, progress
        As for :func:`~tokenkit.jobs.streaming.collect`.
    inputs
        What they read.

    Raises
    ------
    TokenkitError
        What went wrong; Polars' own text is looked at and never shown.
    """
    with translated():
        for frame in frames:
            frame.collect_schema()
    results = collect(frames, counter, progress)
    if isinstance(results, BaseException):
        raise _explained(results, inputs)
    return results


def beside(ours: pl.LazyFrame, theirs: pl.LazyFrame) -> pl.LazyFrame:
    """Put rows beside each other; where one side has fewer, the rest of it is null."""
    try:
        return pl.concat([ours, theirs], how="horizontal_extend")
    except ValueError:
        # Older versions of Polars extend without being told.
        return pl.concat([ours, theirs], how="horizontal")


def _explained(exc: BaseException, inputs: Sequence[Input]) -> BaseException:
    if not isinstance(exc, Exception) and isinstance(exc, KeyboardInterrupt | SystemExit):
        return exc
    error = from_polars(exc)
    if not isinstance(error, EngineError):
        return error
    text = str(exc)
    explained = (item.source.explain(text) for item in inputs)
    return next((each for each in explained if each is not None), error)
