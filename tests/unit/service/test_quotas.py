"""Daily quotas: never exceeded, whoever counts at the same time, with few transactions."""

import threading
from uuid import uuid4

import pytest
from sqlalchemy import event

from tokenkit.errors import StoreError, TooManyRequests
from tokenkit.service.quotas import DailyQuotas

WHO, OTHER = uuid4(), uuid4()


def taken(quotas, count=1, who=WHO):
    """Count values as the service does, and say whether they were within the quota."""
    try:
        if not quotas.take(who, count):
            quotas.take_more(who, count)
    except TooManyRequests:
        return False
    return True


def test_a_quota_is_used_to_the_last_value(database, clock):
    """And not exceeded; others have their own, and tomorrow there is a new one."""
    quotas = DailyQuotas(database, 100, clock=clock)
    assert sum(taken(quotas) for _ in range(150)) == 100
    assert taken(quotas, who=OTHER)
    assert quotas.refused == 50
    clock.advance(days=1)
    assert taken(quotas, 60)
    assert not taken(quotas, 60)
    assert taken(quotas, 40)


def test_a_refusal_says_when_the_next_day_begins(database, clock):
    """In seconds, for Retry-After."""
    quotas = DailyQuotas(database, 5, clock=clock)
    with pytest.raises(TooManyRequests) as caught:
        quotas.take_more(WHO, 6)
    assert (caught.value.retry_after, caught.value.reason) == (12 * 3600, "quota")
    assert caught.value.limit == ("quota", 5, 86_400)


def test_few_transactions_are_made(database, clock):
    """Of a hundred thousand requests of one value, one in some hundred asks the database; once the
    quota is used up, one in five seconds."""
    quotas = DailyQuotas(database, 100_000, clock=clock)
    began: list[object] = []
    event.listen(database.engine, "begin", began.append)
    assert all(taken(quotas) for _ in range(100_000))
    assert len(began) < 800
    del began[:]
    assert not any(taken(quotas) for _ in range(1000))
    assert len(began) <= 1


def test_two_workers_count_together(database, clock):
    """From many threads, they let no more through than the quota, and leave little of it."""
    workers = [DailyQuotas(database, 3_000, clock=clock) for _ in range(2)]
    counts = [0] * 4

    def work(number):
        counts[number] = sum(taken(workers[number % 2], 3) * 3 for _ in range(1_000))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2_900 <= sum(counts) <= 3_000


def test_what_was_not_needed_is_given_back(database, clock):
    """When a worker ends; one that is killed takes it along."""
    quotas = DailyQuotas(database, 6_400, clock=clock)
    assert taken(quotas, 10)
    assert quotas.used(WHO) == 100
    quotas.close()
    assert quotas.used(WHO) == 10
    quotas.close()
    assert quotas.used(WHO) == 10


def test_no_quota_asks_nobody(database, clock):
    """Also not a database that is gone."""
    quotas = DailyQuotas(database, None, clock=clock)
    database.close()
    assert taken(quotas, 10**9)


def test_without_the_database_nothing_is_turned_but_what_was_taken(database, clock):
    """A worker's share serves on; then the failure is told."""
    quotas = DailyQuotas(database, 640, clock=clock)
    assert taken(quotas)
    with database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE quota_uses")
    assert all(taken(quotas) for _ in range(9))
    with pytest.raises(StoreError):
        taken(quotas)


def test_old_counts_are_purged(database, clock):
    """After forty days; the last ones stay."""
    quotas = DailyQuotas(database, 10, clock=clock)
    taken(quotas)
    clock.advance(days=40)
    taken(quotas)
    assert quotas.purge() == 0
    clock.advance(days=1)
    assert quotas.purge() == 1
