"""The states of batches: each change once, whoever else is at it; on both back ends."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert

from tokenkit.batches.batch import Failure, NewBatch
from tokenkit.batches.figures import Total, add_totals
from tokenkit.batches.queue import SMALL_BYTES, Batches
from tokenkit.batches.turns import LEASE, MOST_DEATHS
from tokenkit.errors import BatchLost, Overloaded, TooManyRequests
from tokenkit.store.models.access import UserRow

OVER = Total(measure="batches", outcome="complete")
DONE = {OVER: 1}
REPORT = {"rows_read": 5, "rows_written": 4, "rows_rejected": 1}


class Clock:
    """Says what time it is."""

    def __init__(self):
        self.now = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def __call__(self):
        return self.now

    def pass_by(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def batches(database, clock):
    return Batches(database, most_waiting=6, most_own=4, now=clock)


@pytest.fixture
def owner(database):
    return user(database, "ann")


def user(database, name):
    made = uuid4()
    with database.begin() as connection:
        connection.execute(
            insert(UserRow).values(
                id=made, name=name, kind="service", created=datetime.now(UTC), created_by="root"
            )
        )
    return made


def new(owner, **given):
    asked = {
        "id": uuid4(),
        "owner_id": owner,
        "actor": "user:ann",
        "operation": "tokenize",
        "policy": "orders",
        "policy_digest": "00",
        "purpose": None,
        "input_suffix": ".csv",
        "output_suffix": ".csv",
        "text_options": {"delimiter": ";"},
        "sealed_key": "sealed",
    }
    return NewBatch(**(asked | given))


def queued(database, batches, owner, size=1, clock=None):
    """Make a batch that waits."""
    made = new(owner)
    with database.begin() as connection:
        batches.create(connection, made)
        batches.submit(connection, made.id, size)
    if clock is not None:
        clock.pass_by(seconds=1)
    return made.id


def within(database, function, *given):
    with database.begin() as connection:
        return function(connection, *given)


def test_a_batch_from_its_upload_to_its_end(database, batches, owner, clock):
    """Uploading, queued, running, complete, expired; its key goes with its result."""
    made = new(owner)
    within(database, batches.create, made)
    assert batches.find(made.id).state == "uploading"
    assert batches.claim("w") is None
    within(database, batches.submit, made.id, 7)
    held = batches.claim("w")
    assert (held.id, held.state, held.attempt, held.size) == (made.id, "running", 1, 7)
    assert held.text_options == {"delimiter": ";"}
    assert batches.note(made.id, 1, 3, 5)
    assert (batches.find(made.id).rows_done, batches.find(made.id).rows_expected) == (3, 5)
    within(database, batches.complete, made.id, 1, REPORT, DONE)
    done = batches.find(made.id)
    assert (done.state, done.rows_written, done.report) == ("complete", 4, REPORT)
    assert done.sealed_key == "sealed"
    assert batches.done_lately() == [made.id]
    assert batches.purge() == []
    clock.pass_by(hours=25)
    assert batches.purge() == [made.id]
    gone = batches.find(made.id)
    assert (gone.state, gone.sealed_key) == ("expired", None)
    clock.pass_by(days=31)
    assert batches.purge() == []
    assert batches.find(made.id) is None


def test_the_oldest_first_and_small_ones_apart(database, batches, owner, clock):
    """A worker that takes small ones only passes large ones by."""
    large = queued(database, batches, owner, SMALL_BYTES + 1, clock)
    small = queued(database, batches, owner, SMALL_BYTES, clock)
    later = queued(database, batches, owner, SMALL_BYTES + 1, clock)
    facts = batches.facts()
    assert (facts.waiting, facts.small_waiting, facts.running) == (3, 1, 0)
    assert facts.oldest_seconds == pytest.approx(3)
    assert batches.claim("s", small_only=True).id == small
    assert batches.claim("s", small_only=True) is None
    assert batches.claim("w").id == large
    assert batches.claim("w").id == later
    assert batches.facts().running == 3


def test_workers_at_once_never_share_a_batch(database, owner):
    """Eight threads, forty batches: each is claimed once."""
    batches = Batches(database)
    made = {queued(database, batches, owner) for _ in range(40)}
    claimed = []

    def work(name):
        while (batch := batches.claim(name)) is not None:
            claimed.append(batch.id)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(made)


def test_who_was_given_up_for_dead_cannot_end_it(database, batches, owner, clock):
    """Its lease runs out, another takes it over, and then the first one comes back."""
    made = queued(database, batches, owner)
    batches.claim("slow")
    assert batches.give_back() == []
    clock.pass_by(seconds=LEASE.total_seconds() + 1)
    assert batches.give_back() == [made]
    held = batches.claim("quick")
    assert held.attempt == 2
    for late in (
        lambda: batches.note(made, 1, 1, None),
        lambda: within(database, batches.complete, made, 1, REPORT, DONE),
        lambda: within(database, batches.cancelled, made, 1),
    ):
        with pytest.raises(BatchLost):
            late()
    within(database, batches.complete, made, 2, REPORT, DONE)
    with pytest.raises(BatchLost):
        within(database, batches.complete, made, 2, REPORT, DONE)


def test_a_batch_over_which_workers_die_has_failed(database, batches, owner):
    """Those that were told to end don't count."""
    made = queued(database, batches, owner)
    for _ in range(5):
        batches.claim("w")
        assert batches.give_back("w", died=False) == [made]
    for death in range(MOST_DEATHS):
        assert batches.find(made).state == "queued"
        assert batches.claim(f"w{death}").id == made
        assert batches.give_back("another") == []
        assert batches.give_back(f"w{death}") == [made]
    failed = batches.find(made)
    assert (failed.state, failed.failure.code, failed.sealed_key) == ("failed", "TK952", None)


def test_cancelled_while_it_waits_runs_or_is_over(database, batches, owner):
    """One that waits is cancelled at once, one that runs is told, one that is over stays so."""
    cancelled = Total(measure="batches", outcome="cancelled")
    waiting, running, over = (queued(database, batches, owner) for _ in range(3))
    assert within(database, batches.cancel, waiting) == "cancelled"
    assert batches.claim("w").id in {running, over}
    assert batches.claim("w").id in {running, over}
    within(database, batches.complete, over, 1, REPORT, DONE)
    with pytest.raises(BatchLost):
        within(database, batches.cancel, over)
    assert within(database, batches.cancel, running) == "running"
    assert not batches.note(running, 1, 0, None)
    within(database, batches.cancelled, running, 1)
    assert batches.find(running).state == "cancelled"
    assert {batches.find(one).sealed_key for one in (waiting, running)} == {None}
    assert batches.known() == [over]
    assert batches.totals() == {cancelled: 2, OVER: 1}


def test_a_cancelled_batch_of_a_dead_worker_is_not_done_again(database, batches, owner):
    made = queued(database, batches, owner)
    batches.claim("w")
    within(database, batches.cancel, made)
    batches.give_back("w")
    assert batches.find(made).state == "cancelled"


def test_so_many_wait_and_no_more(database, batches, owner):
    """Of one caller, and of all together."""
    for _ in range(4):
        queued(database, batches, owner)
    with pytest.raises(TooManyRequests):
        within(database, batches.create, new(owner))
    other = user(database, "bob")
    for _ in range(2):
        queued(database, batches, other)
    with pytest.raises(Overloaded):
        within(database, batches.create, new(other))
    batches.claim("w")
    within(database, batches.create, new(other))


def test_an_upload_that_never_ends_is_forgotten(database, batches, owner, clock):
    made = new(owner)
    within(database, batches.create, made)
    clock.pass_by(hours=25)
    assert batches.purge() == [made.id]
    with pytest.raises(BatchLost):
        within(database, batches.submit, made.id, 1)
    other = new(owner)
    within(database, batches.create, other)
    within(database, batches.abandon, other.id)
    assert batches.find(other.id) is None


def test_lists_go_on_where_they_were(database, batches, owner, clock):
    """The latest first, page by page, and nobody else's."""
    made = [queued(database, batches, owner, clock=clock) for _ in range(4)]
    queued(database, batches, user(database, "bob"), clock=clock)
    first = batches.of_owner(owner, before=None, most=3)
    last = first[-1]
    rest = batches.of_owner(owner, before=(last.created, last.id), most=3)
    assert [one.id for one in first + rest] == made[::-1]


def test_what_batches_come_to_is_counted_once_and_kept(database, batches, owner, clock):
    """With the change that ends them, by all that end some; it stays when they are forgotten."""
    values = Total(
        measure="values", outcome="done", operation="tokenize", scheme="digits", key="people"
    )
    made = [queued(database, batches, owner, clock=clock) for _ in range(3)]
    for number in range(2):
        batches.claim("w")
        within(database, batches.complete, made[number], 1, REPORT, {**DONE, values: 5})
    with pytest.raises(BatchLost):
        within(database, batches.complete, made[0], 1, REPORT, {values: 5})
    batches.claim("w")
    failure = Failure(code="TK301", reason=None, text="", hint=None)
    within(database, batches.fail, made[2], 1, failure)
    failed = Total(measure="batches", outcome="failed")
    assert batches.totals() == {OVER: 2, values: 10, failed: 1}
    clock.pass_by(days=2)
    assert len(batches.purge()) == 2
    clock.pass_by(days=31)
    batches.purge()
    assert batches.find(made[0]) is None
    assert batches.totals() == {OVER: 2, values: 10, failed: 1}


def test_many_count_at_once(database, batches):
    """Eight threads, each in the other order: nothing is lost, and none waits for ever."""
    some = [Total(measure="values", outcome="done", key=f"k{number}") for number in range(6)]

    def count(order):
        for _ in range(20):
            within(database, add_totals, dict.fromkeys(some[::order], 1))

    threads = [threading.Thread(target=count, args=(1 - 2 * (n % 2),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert batches.totals() == dict.fromkeys(some, 160)
