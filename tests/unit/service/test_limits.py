"""Limits of requests: in the process, in a real Redis, and when that goes away."""

import asyncio
import socket
from uuid import UUID

import pytest

from tests.redis_server import started
from tokenkit.errors import InvalidRequest, TooManyRequests
from tokenkit.service.limits import AWAY_SECONDS, BoundedMemory, Rate, RequestLimits

ONE, OTHER = UUID(int=1), UUID(int=2)


class Seconds:
    """A clock in seconds."""

    def __init__(self):
        self.at = 600.0

    def __call__(self):
        return self.at


async def refused(take, times):
    """Take so often, and give how often it was refused."""
    count = 0
    for _ in range(times):
        try:
            await take()
        except TooManyRequests:
            count += 1
    return count


def run(test):
    """Run a piece of a test that awaits."""
    return asyncio.run(test())


def test_a_limit_holds_and_passes():
    """As many as it says, and again when the window has moved on."""
    clock = Seconds()
    limited = RequestLimits(api_key=Rate(10, 60), clock=clock)

    async def test():
        assert await refused(lambda: limited.take("api_key", ONE), 15) == 5
        assert await refused(lambda: limited.take("api_key", OTHER), 10) == 0
        clock.at += 90
        # Half of the window before still counts: five of ten.
        assert await refused(lambda: limited.take("api_key", ONE), 10) == 5
        clock.at += 120
        assert await refused(lambda: limited.take("api_key", ONE), 10) == 0

    run(test)
    assert limited.refused == 10


def test_a_refusal_says_when_and_how_much():
    """For Retry-After and the RateLimit headers."""
    clock = Seconds()
    limited = RequestLimits(session=Rate(1, 60), clock=clock)

    async def test():
        await limited.take("session", ONE)
        clock.at += 20
        with pytest.raises(TooManyRequests) as caught:
            await limited.take("session", ONE)
        return caught.value

    error = run(test)
    assert (error.reason, error.retry_after, error.limit) == ("session", 40, ("session", 1, 60))


def test_addresses_are_networks_and_kinds_are_apart():
    """An IPv6 address counts as its /64; without an address, and without a limit, nobody waits."""
    limited = RequestLimits(address=Rate(2, 60))

    async def test():
        for address in ("2001:db8::1", "2001:db8::2"):
            await limited.take_address(address)
        assert await refused(lambda: limited.take_address("2001:db8::3"), 1) == 1
        assert await refused(lambda: limited.take_address("192.0.2.1"), 2) == 0
        assert await refused(lambda: limited.take_address(None), 9) == 0
        assert await refused(lambda: limited.take("api_key", ONE), 9) == 0

    run(test)


def test_many_addresses_take_no_more_room():
    """The latest are counted for; one that goes on and on isn't forgotten."""
    storage = BoundedMemory(size=100)
    for number in range(10_000):
        storage.acquire_sliding_window_entry(f"address{number}", 5, 60)
        allowed = storage.acquire_sliding_window_entry("busy", 5, 3600)
        assert allowed == (number < 5)
        if number >= 5:
            break
    for number in range(10_000):
        storage.acquire_sliding_window_entry(f"address{number}", 5, 60)
        assert len(storage) <= 100


def test_workers_count_together_in_redis(redis_server):
    """Two of them let no more through than one, under one window."""
    workers = [RequestLimits(api_key=Rate(10, 3600), redis_url=redis_server.url) for _ in range(2)]

    async def test():
        takes = [lambda worker=worker: worker.take("api_key", ONE) for worker in workers]
        counts = await asyncio.gather(*(refused(take, 10) for take in takes))
        with pytest.raises(TooManyRequests) as caught:
            await workers[0].take("api_key", ONE)
        for worker in workers:
            await worker.close()
        return sum(counts), caught.value.retry_after

    count, wait = run(test)
    assert count == 10
    assert 1 <= wait <= 7200
    assert [worker.away for worker in workers] == [0, 0]


def test_without_redis_each_worker_counts_for_itself(redis_server):
    """When it goes away, and until it is back; no request waits long for it, and none passes
    uncounted."""
    seconds = Seconds()
    limited = RequestLimits(
        api_key=Rate(5, 3600), redis_url=redis_server.url, monotonic=seconds, clock=seconds
    )

    async def test():
        assert await refused(lambda: limited.take("api_key", ONE), 3) == 0
        redis_server.stop()
        assert await refused(lambda: limited.take("api_key", ONE), 10) == 5
        assert limited.away == 1
        again = started(redis_server.port)
        redis_server.process = again.process
        seconds.at += AWAY_SECONDS
        # It is another Redis, which knows of nothing.
        assert await refused(lambda: limited.take("api_key", ONE), 6) == 1
        assert limited.away == 1
        await limited.close()

    run(test)


def test_a_redis_that_hangs_is_left_alone():
    """Accepting connections and never answering, it holds a request up once."""

    async def test():
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
            limited = RequestLimits(address=Rate(5, 60), redis_url=url)
            assert await refused(lambda: limited.take_address("192.0.2.1"), 8) == 3
            assert limited.away == 1
            await limited.close()

    run(test)


@pytest.mark.parametrize("bad", ["", "many/minute", "0/second", "5", "10/fortnight"], ids=repr)
def test_a_limit_that_can_not_be_read_is_refused(bad):
    """With what one looks like."""
    with pytest.raises(InvalidRequest, match="no limit"):
        Rate.parse(bad)


@pytest.mark.parametrize("bad", ["http://secret@x", "redis://:secret@h:nan/0", "secret"], ids=repr)
def test_a_redis_url_that_can_not_be_read_is_not_shown(bad):
    """It may hold a password."""
    with pytest.raises(InvalidRequest) as caught:
        RequestLimits(redis_url=bad)
    assert "secret" not in f"{caught.value} {caught.value.__context__}"
