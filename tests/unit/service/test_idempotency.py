"""Idempotency keys: one carries a request out, whoever comes at the same time."""

import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from tests.unit.access.test_races import at_once, failed
from tokenkit.errors import InvalidRequest, ServiceError
from tokenkit.service.idempotency import (
    HELD_FOR,
    KEPT_FOR,
    IdempotencyKeys,
    RequestParts,
    checked_idempotency_key,
)
from tokenkit.store.models.service import IdempotencyKeyRow

CALLER = uuid4()
KEY = "4929-canary-key"
BODY = b'{"values":["4111111111111111"]}'


def request(body=BODY, target="/v1/tokenize"):
    return RequestParts("POST", target, "application/json", body)


@pytest.fixture
def keys(database, ring, clock):
    """Keep idempotency keys in a database of each back end."""
    return IdempotencyKeys(database, lambda: ring, clock=clock, monotonic=clock.monotonic)


def refusal(keys, *given):
    with pytest.raises(ServiceError) as caught:
        keys.begin(*given)
    return caught.value.reason


def test_a_request_is_carried_out_once(keys, database, ring, clock):
    """Then its status and reference are known, in this worker and in others."""
    first = keys.begin(CALLER, KEY, request())
    assert first.is_first
    assert refusal(keys, CALLER, KEY, request()) == "under_way"
    keys.complete(first, 201, "api-key:17")
    other = IdempotencyKeys(database, lambda: ring, clock=clock, monotonic=clock.monotonic)
    for worker in (keys, other, other):
        again = worker.begin(CALLER, KEY, request())
        assert (again.is_first, again.status, again.reference) == (False, 201, "api-key:17")
    assert other.finished.counts.hits == 1


@pytest.mark.parametrize("other", [request(b"{}"), request(target="/v1/detokenize")], ids=str)
def test_another_request_under_the_key_is_refused(keys, other):
    """While the first is under way, when it is done, and when that is held."""
    first = keys.begin(CALLER, KEY, request())
    assert refusal(keys, CALLER, KEY, other) == "other_request"
    keys.complete(first, 200)
    assert refusal(keys, CALLER, KEY, other) == "other_request"
    keys.begin(CALLER, KEY, request())
    assert refusal(keys, CALLER, KEY, other) == "other_request"


def test_callers_have_keys_of_their_own(keys):
    """Another caller's same key is another key."""
    keys.begin(CALLER, KEY, request())
    assert keys.begin(uuid4(), KEY, request(b"{}")).is_first


def test_a_failed_request_can_be_made_again(keys):
    """At once; one that was carried out can't be released."""
    first = keys.begin(CALLER, KEY, request())
    keys.release(first)
    second = keys.begin(CALLER, KEY, request(b"{}"))
    assert second.is_first
    keys.complete(second, 200)
    keys.release(second)
    assert not keys.begin(CALLER, KEY, request(b"{}")).is_first


def test_a_worker_that_died_holds_nothing_for_ever(keys, clock):
    """After a minute another attempt is made, and what the first one says then doesn't count."""
    first = keys.begin(CALLER, KEY, request())
    clock.advance(seconds=HELD_FOR.total_seconds())
    second = keys.begin(CALLER, KEY, request())
    assert second.is_first
    keys.complete(first, 500)
    keys.release(first)
    assert refusal(keys, CALLER, KEY, request()) == "under_way"
    keys.complete(second, 200)
    assert keys.begin(CALLER, KEY, request()).status == 200


def test_keys_are_forgotten_after_a_day(keys, database, clock):
    """Also where they are held; purging deletes them, and no others."""
    keys.complete(keys.begin(CALLER, KEY, request()), 200)
    keys.begin(CALLER, KEY, request())
    clock.advance(seconds=KEPT_FOR.total_seconds() - 1)
    keys.complete(keys.begin(CALLER, "young", request()), 200)
    assert keys.begin(CALLER, KEY, request()).status == 200
    assert keys.purge() == 0
    clock.advance(seconds=1)
    assert keys.begin(CALLER, KEY, request(b"{}")).is_first
    clock.advance(days=2)
    assert keys.purge() == 2
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(IdempotencyKeyRow)).scalar() == 0


def test_a_rotated_key_still_knows(keys, ring, clock):
    """A request that came before is found under the older version, and refused if it is another."""
    keys.complete(keys.begin(CALLER, KEY, request()), 200)
    ring.rotate("access")
    assert keys.begin(CALLER, KEY, request()).status == 200
    assert refusal(keys, CALLER, KEY, request(b"{}")) == "other_request"
    clock.advance(seconds=KEPT_FOR.total_seconds())
    assert keys.begin(CALLER, KEY, request(b"{}")).is_first


@pytest.mark.parametrize("number", range(3))
def test_one_of_many_at_once_is_the_first(keys, number):
    """The others are told that it is under way."""
    calls = [lambda: keys.begin(CALLER, f"{KEY}{number}", request())] * 8
    results = at_once(*calls)
    refused = failed(results)
    assert len(refused) == 7
    assert {getattr(each, "reason", each) for each in refused} == {"under_way"}


def test_one_of_many_takes_over(keys, clock):
    """Also where the first one's worker died."""
    keys.begin(CALLER, KEY, request())
    clock.advance(seconds=HELD_FOR.total_seconds())
    results = at_once(*[lambda: keys.begin(CALLER, KEY, request())] * 8)
    assert len(failed(results)) == 7, results


BEGIN = """
import sys
from uuid import UUID
from tokenkit.errors import RequestUnderWay
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.service.idempotency import IdempotencyKeys, RequestParts
from tokenkit.store.database import Database

ring = keyring_from_bytes({"access": bytes(range(32))})
with ring, Database.open(sys.argv[1]) as database:
    keys = IdempotencyKeys(database, lambda: ring)
    sys.stdin.readline()
    try:
        keys.begin(UUID(int=1), "key", RequestParts("POST", "/", "", b""))
    except RequestUnderWay:
        sys.exit(3)
"""


@pytest.mark.slow
def test_one_of_many_processes_is_the_first(database_url):
    """On both back ends."""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", BEGIN, database_url],
            stdin=subprocess.PIPE,
            env=os.environ,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert sorted(process.wait(120) for process in started) == [0, 3, 3, 3]


def test_nothing_of_the_request_is_kept(keys, database):
    """Neither of it nor of the key, in clear or as a plain hash."""
    keys.complete(keys.begin(CALLER, KEY, request()), 200)
    with database.read() as connection:
        row = connection.execute(select(*IdempotencyKeyRow.__table__.columns)).one()
    whole = b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
    for secret in (BODY, KEY.encode()):
        assert secret not in whole
        assert hashlib.sha256(secret).digest() not in whole
    assert request().digest() not in whole


@pytest.mark.parametrize("bad", ["", "a b", "x" * 256, '"', '""', "é", 'a"b', "a\n"], ids=repr)
def test_malformed_keys_are_refused(bad):
    """And not quoted."""
    with pytest.raises(InvalidRequest) as caught:
        checked_idempotency_key(bad)
    assert caught.value.reason == "malformed"


def test_parts_of_a_request_do_not_run_together():
    """What moves from one part to the next makes another request."""
    one = RequestParts("POST", "/a", "b", b"c").digest()
    assert one != RequestParts("POST", "/ab", "", b"c").digest()
    assert one != RequestParts("POST", "/a", "", b"bc").digest()
    assert timedelta(0) < HELD_FOR < KEPT_FOR
