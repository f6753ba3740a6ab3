"""The query's thread: interrupts end it, progress is told, settings are put back."""

import os
import subprocess
import sys
import threading
import time

import polars as pl
import pytest

from tokenkit.engines.polars.rows import RowCounter
from tokenkit.jobs.polars_settings import bounded_memory
from tokenkit.jobs.progress import Silent
from tokenkit.jobs.streaming import collect


class Interrupting(Silent):
    """Interrupts the job once it is under way."""

    def advance(self, rows):
        if rows:
            raise KeyboardInterrupt


def frame(counter: RowCounter, rows: int, pause: float = 0.0) -> pl.LazyFrame:
    """Give a frame whose rows are counted, and whose morsels take some time."""

    def slow(flags):
        time.sleep(pause)
        return flags

    flag = pl.col("n").is_null().map_batches(slow, return_dtype=pl.Boolean, is_elementwise=True)
    return pl.LazyFrame({"n": range(rows)}).select(counter.counted(flag).sum())


def test_rows_are_counted_and_settings_put_back():
    """The counter has seen every row; the environment is as it was."""
    before = dict(os.environ)
    counter = RowCounter()
    results = collect([frame(counter, 100_000)], counter, Silent())
    assert isinstance(results, list)
    assert counter.rows == 100_000
    assert dict(os.environ) == before


def test_nothing_is_spilled(monkeypatch):
    """While a job runs, Polars may use no disk of its own, whatever the environment says."""
    monkeypatch.setenv("POLARS_OOC_DISK_BUDGET_MB", "4096")
    seen = []

    class Watching(Silent):
        def advance(self, rows):
            seen.append(os.environ["POLARS_OOC_DISK_BUDGET_MB"])

    counter = RowCounter()
    collect([frame(counter, 1_000, pause=0.5)], counter, Watching())
    # The last time it's told, the query has ended.
    assert set(seen[:-1]) == {"0"}
    assert os.environ["POLARS_OOC_DISK_BUDGET_MB"] == "4096"


def test_an_interrupt_ends_the_query():
    """It arrives while the query runs, and the query's thread ends soon after."""
    counter = RowCounter()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        collect([frame(counter, 5_000_000, pause=0.1)], counter, Interrupting())
    assert time.monotonic() - begun < 8
    assert not [thread for thread in threading.enumerate() if thread.name == "tokenkit-job"]


def test_errors_are_given_back():
    """What Polars raises is a result, so that nothing of it gets attached to our error."""
    counter = RowCounter()
    counter.cancel()
    cancelled = collect([frame(counter, 10)], counter, Silent())
    assert isinstance(cancelled, pl.exceptions.PolarsError)
    missing = pl.LazyFrame({"a": [1]}).select("b")
    assert isinstance(collect([missing], counter, Silent()), pl.exceptions.PolarsError)


def test_a_query_ends_with_its_counter():
    """What an interrupted job left running fails once nobody holds the counter."""
    counter = RowCounter()
    query = frame(counter, 10)
    assert query.collect().item() == 0
    del counter
    with pytest.raises(pl.exceptions.ComputeError, match="has ended"):
        query.collect()


_READER = """
from ctypes import CDLL, c_char_p, c_long, c_void_p
from tokenkit.jobs.polars_settings import bounded_memory

getenv = CDLL(None).getenv
getenv.argtypes, getenv.restype = [c_char_p], c_void_p
environ = c_void_p.in_dll(CDLL(None), "environ")
with bounded_memory():
    pass
places = set()
for _ in range(1_000):
    with bounded_memory():
        places.add(environ.value)
    places.add(environ.value)
    # What is freed is taken by others, so that a list that moves doesn't come back to its place.
    CDLL(None).malloc(1_000)
print(len(places))
"""


def test_the_list_of_variables_stays_where_it_is():
    """Native threads read it without a lock: a process whose jobs moved it died now and then."""
    said = subprocess.run(
        [sys.executable, "-c", _READER], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "1"


def test_jobs_at_once_leave_no_settings_behind():
    """The one that begins first doesn't take away what the other one still needs."""
    before = dict(os.environ)
    with bounded_memory():
        with bounded_memory():
            inner = os.environ["POLARS_IDEAL_MORSEL_SIZE"]
        assert os.environ["POLARS_IDEAL_MORSEL_SIZE"] == inner
    assert dict(os.environ) == before
