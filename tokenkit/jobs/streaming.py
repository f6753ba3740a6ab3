"""Runs lazy frames in one streaming pass, in a thread of its own.

While Polars runs, Python handles no signal in the thread that called it. So the query gets a thread
and the caller's thread waits: an interrupt arrives at once, and progress can be told meanwhile.
"""

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence

import polars as pl

from tokenkit.engines.polars.rows import RowCounter
from tokenkit.jobs.progress import Progress

_TICK = 0.1
_PATIENCE = 2.0
# Polars holds several morsels and row groups for each thread and each branch of a query; at its own
# sizes that was 0.8 GB for a job of three columns, at these it's 0.25 GB, and no slower.
_SETTINGS = {
    "POLARS_IDEAL_MORSEL_SIZE": "50000",
    "POLARS_STREAMING_CHUNK_SIZE": "50000",
    "POLARS_ROW_GROUP_PREFETCH_SIZE": "1",
    "POLARS_CSV_CHUNK_SIZE": "1000000",
    "POLARS_NDJSON_CHUNK_SIZE": "1000000",
}


# Values of a job never go to a disk that nobody named, whatever the environment says.
_FORCED = {"POLARS_OOC_DISK_BUDGET_MB": "0"}


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
    with _bounded_memory():
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


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """Let Polars hold fewer rows at once, unless the environment says how many, and spill none."""
    before = {name: os.environ.get(name) for name in (*_SETTINGS, *_FORCED)}
    os.environ.update({name: value for name, value in _SETTINGS.items() if not before[name]})
    os.environ.update(_FORCED)
    _reload()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _reload()


def _reload() -> None:
    # Newer versions read the environment once, older ones at every query.
    if (reload := getattr(pl.Config, "reload_env_vars", None)) is not None:
        reload()
