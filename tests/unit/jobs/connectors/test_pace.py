"""A source goes no faster than a slow sink, and is never held for ever."""

import threading
import time

from tokenkit.jobs.connectors.pace import Pace, current_pace, keeping_pace


def test_a_source_waits_for_a_sink_that_is_taking():
    """Rows are given once the sink has caught up, and not before."""
    pace, given = Pace(), threading.Event()

    def give():
        pace.give(1_000)
        given.set()

    with pace.take(300_000):
        pace.give(150_000)
        pace.give(150_000)
        thread = threading.Thread(target=give)
        thread.start()
        assert not given.wait(0.1)
    assert given.wait(10)
    thread.join()


def test_a_sink_that_waits_itself_is_not_waited_for():
    """Rows that never get there, since they were rejected, hold nothing up."""
    pace = Pace()
    with pace.take(1):
        pass
    begun = time.monotonic()
    for _ in range(3):
        pace.give(250_000)
    assert time.monotonic() - begun < 10


def test_outside_of_jobs_nothing_is_waited_for():
    """A scan of its own has a pace of its own."""
    with keeping_pace() as pace:
        assert current_pace() is pace
    assert current_pace() is not pace
    for _ in range(5):
        current_pace().give(10**9)
