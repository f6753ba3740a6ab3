"""When a request is sent again, after how long, how often, and under which key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.client.flows import BROKEN, BUSY, UNDER_WAY, Hands, first_call, problem, success
from tokenkit.client.attempts import Attempts
from tokenkit.client.batch_flows import BatchFlows
from tokenkit.client.effects import Call, Content, Fault
from tokenkit.client.settings import Retries
from tokenkit.client.sources import upload_content
from tokenkit.client.token_flows import TokenFlows
from tokenkit.errors import (
    ClientError,
    RequestRefused,
    ServiceTimedOut,
    ServiceUnavailable,
)

GET = Call(method="GET", path="/v1/batches")
DONE = success(ok=True)
BATCH = "0b0f6a52-6a0c-4c43-9c3e-0a3f3a6d2f11"


def attempts(hands, chance=1.0, **retries):
    return Attempts(Retries(**retries), monotonic=hands.clock, chance=lambda: chance)


def test_what_may_pass_is_sent_again():
    """A cut, no connection, silence, no room, a limit and a gateway are waited for."""
    passing = [
        BROKEN,
        Fault(kind="connect", name="ConnectError"),
        Fault(kind="timeout", name="ReadTimeout"),
        BUSY,
        problem(429, "TK911"),
        *(problem(status, "TK900") for status in (408, 502, 504)),
    ]
    for outcome in passing:
        hands = Hands([outcome, DONE])
        assert hands.run(attempts(hands).run(lambda: GET)) is DONE
        assert len(hands.sent) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 416, 422, 500])
def test_what_will_not_pass_is_not(status):
    """A refusal and a defect are raised at once."""
    hands = Hands([problem(status, "TK900"), DONE])
    with pytest.raises(RequestRefused) as caught:
        hands.run(attempts(hands).run(lambda: GET))
    assert (caught.value.status, len(hands.sent)) == (status, 1)


def test_waits_grow_and_are_random_in_full():
    """From nothing to a bound that doubles up to its own bound."""
    longest = Hands([BROKEN])
    with pytest.raises(ServiceUnavailable):
        longest.run(attempts(longest, attempts=8, first=0.5, most=4).run(lambda: GET))
    assert longest.waited == [0.5, 1, 2, 4, 4, 4, 4]
    shortest = Hands([BROKEN])
    with pytest.raises(ServiceUnavailable):
        shortest.run(attempts(shortest, chance=0.0, attempts=8).run(lambda: GET))
    assert shortest.waited == [0] * 7


def test_what_the_service_asks_for_is_waited():
    """Retry-After comes first, and the random wait after it."""
    hands = Hands([BUSY, BUSY, DONE])
    hands.run(attempts(hands, first=0.25).run(lambda: GET))
    assert hands.waited == [2.25, 2.5]


def test_a_wait_that_is_too_long_is_not_begun():
    """A quota that ends at midnight is an error at once, which says how long that is."""
    hands = Hands([problem(429, "TK911", {"retry-after": "30000"}), DONE])
    with pytest.raises(ServiceUnavailable) as caught:
        hands.run(attempts(hands).run(lambda: GET))
    assert (caught.value.retry_after, caught.value.status, hands.waited) == (30000, 429, [])


def test_attempts_and_time_are_bounded():
    """No more than so many attempts, and none that begins too late."""
    hands = Hands([BROKEN])
    with pytest.raises(ServiceUnavailable):
        hands.run(attempts(hands, attempts=3).run(lambda: GET))
    assert len(hands.sent) == 3
    slow = Hands([Fault(kind="timeout", name="ReadTimeout")], took=40.0)
    with pytest.raises(ServiceTimedOut):
        slow.run(attempts(slow, seconds=60).run(lambda: GET))
    assert len(slow.sent) == 2


def test_one_that_is_under_way_is_waited_for():
    """A minute and a half at most; these are no attempts, and take no time from those."""
    hands = Hands([BROKEN, *[UNDER_WAY] * 12, BROKEN, DONE])
    assert hands.run(attempts(hands, attempts=3).run(lambda: GET)) is DONE
    assert len(hands.sent) == 15
    for_ever = Hands([UNDER_WAY])
    with pytest.raises(RequestRefused) as caught:
        for_ever.run(attempts(for_ever).run(lambda: GET))
    assert (caught.value.problem, caught.value.reason) == ("TK912", "under_way")
    assert 80 < sum(for_ever.waited) <= 90
    assert max(for_ever.waited) <= 6


def test_one_that_was_carried_out_is_not_waited_for():
    """A conflict of another kind is raised, with where what was made is."""
    there = {"location": "/v1/batches/7"}
    hands = Hands([problem(409, "TK912", there, reason="carried_out"), DONE])
    with pytest.raises(RequestRefused) as caught:
        hands.run(attempts(hands).run(lambda: GET))
    assert caught.value.resource == "/v1/batches/7"


def test_repetitions_have_one_key_and_ids_of_their_own():
    """The idempotency key and the body stay, the id of the request doesn't."""
    hands = Hands([BROKEN, BUSY, success(token="49", key="k", version=1)])
    flow = TokenFlows(Retries(first=0)).tokenize("45", {"policy": "p", "column": "c"})
    hands.run(flow)
    keys = {call.headers["idempotency-key"] for call in hands.sent}
    bodies = {b"".join(call.content.pieces()) for call in hands.sent}
    ids = {call.headers["x-request-id"] for call in hands.sent}
    assert (len(keys), len(bodies), len(ids)) == (1, 1, 3)
    other = Hands([success(token="49", key="k", version=1)])
    other.run(TokenFlows(Retries()).tokenize("45", {"policy": "p", "column": "c"}))
    assert other.sent[0].headers["idempotency-key"] not in keys


def test_everything_that_changes_or_records_has_a_key():
    """Every POST and DELETE; no GET."""
    options = {"policy": "p", "column": "c"}
    tokens, batches = TokenFlows(Retries()), BatchFlows(Retries())
    flows: list[Any] = [
        tokens.tokenize("1", options),
        tokens.tokenize_many(["1"], options),
        tokens.detokenize("1", options),
        tokens.detokenize_many(["1"], options),
        tokens.validate_many(["1"], options),
        tokens.revoke(BATCH),
        tokens.record(BATCH),
        tokens.records(10, None),
        batches.create(b"a\n", "p", {}),
        batches.cancel(BATCH),
        batches.delete(BATCH),
        batches.get(BATCH),
        batches.page(10, None),
    ]
    for flow in flows:
        call = first_call(flow)
        assert ("idempotency-key" in call.headers) == (call.method != "GET"), call.path


@pytest.mark.parametrize("left", [True, False])
def test_what_cannot_be_read_again_is_not_sent_again(left):
    """A pipe that was read from isn't; one that wasn't is."""
    content = Content(
        media_type="text/csv",
        length=None,
        pieces=lambda: upload_content(b"a", None).pieces(),
        can_repeat=lambda: left,
    )
    call = Call(method="POST", path="/v1/batches", content=content)
    hands = Hands([BROKEN, DONE])
    if left:
        assert hands.run(attempts(hands).run(lambda: call)) is DONE
    else:
        with pytest.raises(ServiceUnavailable):
            hands.run(attempts(hands).run(lambda: call))
        assert len(hands.sent) == 1


def test_what_cannot_be_sent_is_not_tried_again():
    """A request that breaks the protocol does so each time."""
    hands = Hands([Fault(kind="local", name="LocalProtocolError"), DONE])
    with pytest.raises(ClientError, match="LocalProtocolError"):
        hands.run(attempts(hands).run(lambda: GET))
    assert len(hands.sent) == 1
