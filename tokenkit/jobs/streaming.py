"""Runs lazy frames in one streaming pass, in a thread of its own.

While Polars runs, Python handles no signal in the thread that called it. So the query gets a thread
and the caller's thread waits: an interrupt arrives at once, and progress can be told meanwhile.
"""

import threading
from collections.abc import Sequence

import polars as pl

from tokenkit.engines.polars.rows import RowCounter
from tokenkit.jobs.polars_settings import bounded_memory
from tokenkit.jobs.progress import Progress

_TICK = 0.1
_PATIENCE = 2.0


def collect(
    frames: Sequence[pl.LazyFrame], counter: RowCounter, progress: Progress
) -> list[pl.DataFrame] | BaseException:
    """Run frames together; what they share is computed once.

    Parameters
    ----------
    frames
        Sinks and what is counted beside them.
    counter
        The counter that one of the frames carries.
    progress
        Is told the counter's rows.

    Returns
    -------
    list of polars.DataFrame, or BaseException
        The results, or what Polars raised: given back, not raised, so that the caller can raise its
        own error without Polars' text attached.

    Raises
    ------
    BaseException
        An interrupt of the caller's thread. The query is then ended at its next morsel.
    """
    results: list[list[pl.DataFrame] | BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            results.append(pl.collect_all(list(frames), engine="streaming"))
        except BaseException as exc:  # noqa: BLE001 - Polars' panics derive from BaseException alone
            results.append(exc)
        finally:
            done.set()

    thread = threading.Thread(target=work, name="tokenkit-job", daemon=True)
    with bounded_memory():
        thread.start()
        try:
            while not done.wait(_TICK):
                progress.advance(counter.rows)
        except BaseException:
            counter.cancel()
            thread.join(_PATIENCE)
            raise
    progress.advance(counter.rows)
    return results[0]
