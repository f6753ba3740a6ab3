"""Batches given to Dagster: each has one run at a time, whoever asks; on both back ends."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest

from tests.unit.batches.dagster_fake import fake_webserver, send
from tests.unit.batches.test_queue import (  # noqa: F401 - fixtures are found here
    batches,
    clock,
    owner,
    queued,
    within,
)
from tokenkit.batches.executors.dagster import TAKEN, WATCHED, DagsterExecutor, launch_next
from tokenkit.batches.executors.webserver import Webserver
from tokenkit.batches.queue import SMALL_BYTES
from tokenkit.batches.turns import LEASE
from tokenkit.errors import ExecutorUnavailable

MOMENT = {"seconds": 1}


@pytest.fixture
def fake():
    with fake_webserver() as found:
        yield found


@pytest.fixture
def client(fake):
    return Webserver(fake.url, "there", seconds=2.0)


def test_one_batch_is_claimed_and_no_other(database, batches, owner, clock):  # noqa: F811
    """Once; not when it is over, or there is none."""
    first = queued(database, batches, owner, clock=clock)
    second = queued(database, batches, owner, clock=clock)
    held = batches.claim_one(second, "dagster:1")
    assert held is not None
    assert (held.id, held.state, held.attempt) == (second, "running", 1)
    assert batches.claim_one(second, "dagster:2") is None
    assert batches.give_back("dagster:1", died=False) == [second]
    again = batches.claim_one(second, "dagster:2")
    assert again is not None
    assert again.attempt == 2
    within(database, batches.cancel, first)
    assert batches.claim_one(first, "dagster:3") is None


def test_a_launch_is_taken_and_comes_due_again(database, batches, owner, clock):  # noqa: F811
    """It stays queued for whoever works on it."""
    made = queued(database, batches, owner, clock=clock)
    taken = batches.claim_launch(TAKEN)
    assert taken is not None
    assert (taken.id, taken.state, taken.attempt) == (made, "queued", 0)
    assert batches.claim_launch(TAKEN) is None
    clock.pass_by(seconds=TAKEN.total_seconds() + 1)
    assert batches.claim_launch(TAKEN) is not None
    assert batches.claim_one(made, "dagster:1") is not None
    held_until = clock.now + LEASE
    # Whoever launched it hears of it later than the run began, and changes nothing.
    batches.launched(made, 0, WATCHED)
    clock.pass_by(seconds=(held_until - clock.now).total_seconds() + 1)
    assert batches.give_back() == [made]
    due = batches.claim_launch(TAKEN)
    assert due is not None
    assert due.attempt == 1


def test_two_that_launch_at_once_launch_each_batch_once(
    database,
    batches,  # noqa: F811
    owner,  # noqa: F811
    fake,
    client,
):
    """Four threads, four batches: four runs, each with its batch's id and nothing of it else."""
    made = [queued(database, batches, owner, size=size) for size in (1, 2, 3, SMALL_BYTES + 1)]

    def launch():
        while launch_next(batches, client):
            pass

    threads = [threading.Thread(target=launch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run["tags"]["tokenkit/batch"] for run in fake.runs) == sorted(map(str, made))
    for run in fake.runs:
        batch = run["tags"]["tokenkit/batch"]
        assert run["config"] == {"ops": {"work_on_batch": {"config": {"batch": batch}}}}
        size, priority = ("large", "0") if batch == str(made[3]) else ("small", "1")
        assert run["tags"] == {
            "tokenkit/batch": batch,
            "tokenkit/attempt": "0",
            "tokenkit/batch_size": size,
            "dagster/priority": priority,
            "dagster/max_retries": "0",
        }


def test_a_lost_answer_launches_no_second_run(
    database,
    batches,  # noqa: F811
    owner,  # noqa: F811
    clock,  # noqa: F811
    fake,
    client,
):
    """The run is there; whoever looks next finds it by its tags."""
    queued(database, batches, owner)
    fake.loses_launches = True
    with pytest.raises(ExecutorUnavailable):
        launch_next(batches, client)
    assert len(fake.runs) == 1
    for _ in range(3):
        clock.pass_by(seconds=WATCHED.total_seconds() + 1)
        assert launch_next(batches, client)
    assert len(fake.runs) == 1


def test_a_batch_that_is_given_back_has_a_new_run(
    database,
    batches,  # noqa: F811
    owner,  # noqa: F811
    clock,  # noqa: F811
    fake,
    client,
):
    """Also while Dagster hasn't noticed that the first one's process is dead."""
    made = queued(database, batches, owner)
    launch_next(batches, client)
    fake.runs[0]["status"] = "STARTED"
    assert batches.claim_one(made, "dagster:0") is not None
    clock.pass_by(seconds=LEASE.total_seconds() + 1)
    batches.give_back()
    assert launch_next(batches, client)
    assert [run["tags"]["tokenkit/attempt"] for run in fake.runs] == ["0", "1"]


def test_runs_that_end_before_they_begin_come_further_apart(
    database,
    batches,  # noqa: F811
    owner,  # noqa: F811
    clock,  # noqa: F811
    fake,
    client,
):
    """Without a keyring, say: two hours' waiting makes a dozen runs, and not hundreds."""
    queued(database, batches, owner)
    for _ in range(2 * 60 * 6):
        launch_next(batches, client)
        for run in fake.runs:
            run["status"] = "FAILURE"
        clock.pass_by(seconds=10)
    assert 5 < len(fake.runs) < 14


def test_the_executor_waits_for_a_webserver_that_is_away(
    database,
    batches,  # noqa: F811
    owner,  # noqa: F811
    clock,  # noqa: F811
    fake,
    caplog,
):
    """It says so once, and launches when it is back."""
    fake.answer = lambda handler: send(handler, b"", 503)
    queued(database, batches, owner)
    with closing(DagsterExecutor(batches, Webserver(fake.url, "there"), look_seconds=0.01)):
        until = time.monotonic() + 20
        while not caplog.records:
            assert time.monotonic() < until
            time.sleep(0.02)
        fake.answer = None
        clock.pass_by(minutes=1)
        while not fake.runs:
            assert time.monotonic() < until
            time.sleep(0.02)
    assert len(fake.runs) == 1
    assert "TK954" in caplog.text or "503" in caplog.text


def test_the_executor_outlives_what_it_did_not_foresee(
    database,
    batches,  # noqa: F811
    owner,  # noqa: F811
    fake,
    caplog,
    monkeypatch,
):
    """Its place is in the log, its words aren't, and the batch is launched a moment later."""
    monkeypatch.setattr("tokenkit.batches.executors.dagster._AFTER_FAILURE", timedelta(0))
    give_back, failures = batches.give_back, [RuntimeError("CANARY")]

    def failing_once():
        if failures:
            raise failures.pop()
        return give_back()

    monkeypatch.setattr(batches, "give_back", failing_once)
    queued(database, batches, owner)
    with closing(DagsterExecutor(batches, Webserver(fake.url, "there"), look_seconds=0.01)):
        until = time.monotonic() + 20
        while not fake.runs:
            assert time.monotonic() < until
            time.sleep(0.02)
    assert "an unforeseen RuntimeError" in caplog.text
    assert "CANARY" not in caplog.text
