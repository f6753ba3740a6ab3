"""What answers become: facts, or errors that say what the service says and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.flows import Hands, problem, success
from tokenkit import errors
from tokenkit.client import TokenizationClient
from tokenkit.client.effects import Answer
from tokenkit.client.problems import error_of, retry_after
from tokenkit.client.settings import Retries
from tokenkit.client.token_flows import TokenFlows
from tokenkit.errors import (
    CallerRefused,
    ClientError,
    RequestRefused,
    ServiceUnavailable,
    UnreadableAnswer,
)

CARD = "4539578763621486"
COLUMN: dict[str, Any] = {"policy": "orders", "column": "card"}
REQUEST_ID = "6f1c2c8e9d0b4c539f595a0d7e5f2b11"


def test_a_problem_is_an_error_with_all_that_it_says():
    """Its code, reason, status, location, count, hint, id and wait; its class is that of the
    status."""
    said = problem(
        422,
        "TK301",
        {"retry-after": "3", "x-request-id": REQUEST_ID},
        title="the value does not fit",
        reason="check_digit",
        location="body.value",
        hint="look at it",
        column="card",
        count=2,
    )
    error = error_of(said)
    assert type(error) is RequestRefused
    assert (error.status, error.problem, error.reason) == (422, "TK301", "check_digit")
    assert (error.location, error.column, error.count) == ("body.value", "card", 2)
    assert (error.hint, error.request_id, error.retry_after) == ("look at it", REQUEST_ID, 3)
    assert error.message == "the value does not fit"
    assert error.means(errors.InvalidValues)
    assert error.means(errors.DataError)
    assert not error.means(errors.ServiceError)


def test_the_first_complaint_says_where():
    """Of a request that can't be read."""
    found = [{"location": "body.key", "reason": "missing"}, {"location": "body.value"}]
    error = error_of(problem(422, "TK901", errors=found))
    assert (error.location, error.reason) == ("body.key", "missing")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, CallerRefused),
        (403, CallerRefused),
        (404, RequestRefused),
        (409, RequestRefused),
        (500, RequestRefused),
        (429, ServiceUnavailable),
        (503, ServiceUnavailable),
        (504, ServiceUnavailable),
    ],
)
def test_classes_are_by_status(status, kind):
    """Also where it isn't the service that answers, of whose answer nothing is quoted."""
    assert type(error_of(problem(status, "TK900"))) is kind
    html = {"content-type": "text/html"}
    foreign = error_of(Answer(status=status, headers=html, body=f"<p>{CARD}</p>".encode()))
    assert type(foreign) is kind
    assert foreign.problem is None
    assert CARD not in f"{foreign}{foreign!r}{vars(foreign)}"


@pytest.mark.parametrize(
    "said",
    [
        {"type": "about:blank", "title": CARD, "code": "TK905"},
        {"type": "urn:tokenkit:problem:TK905", "title": CARD, "code": "TK901"},
        {"type": f"urn:tokenkit:problem:{CARD}", "title": CARD, "code": CARD},
        {"title": CARD},
        [CARD],
        CARD,
    ],
)
def test_other_people_s_problems_are_not_quoted(said):
    """What isn't one of the service's may quote the request."""
    headers = {"content-type": "application/problem+json"}
    error = error_of(Answer(status=404, headers=headers, body=json.dumps(said).encode()))
    assert CARD not in f"{error}{error!r}{vars(error)}"


def test_fields_of_other_forms_are_left_out():
    """What stands where a word, an id or a path belongs."""
    headers = {"x-request-id": CARD, "location": f"https://elsewhere/{CARD}", "retry-after": "-"}
    error = error_of(problem(404, "TK905", headers, reason=f"{CARD} !", location=[CARD], count="x"))
    assert CARD not in f"{error}{error!r}{vars(error)}"
    assert "\n" not in error_of(problem(404, "TK905", title="a\nb\x1b[31m")).message


def test_moments_are_waited_for_too():
    """Retry-After may be a date."""
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    for seconds in (90, -90):
        text = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
        answer = Answer(status=503, headers={"retry-after": text})
        assert retry_after(answer, now) == max(0, seconds)


FORMS = [
    b"",
    b"null",
    b"[]",
    b'{"token": "49"}',
    b'{"token": 4.5, "key": "k", "version": 1}',
    b'{"token": "49", "key": "k", "version": "1"}',
    b'{"token": "49", "key": "k", "version": 1, "record": {"id": "' + CARD.encode() + b'"}}',
    b'{"token": "' + CARD.encode(),
    b"<html>" + CARD.encode(),
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", FORMS, ids=range(len(FORMS)))
def test_answers_that_are_not_whole_are_errors(body):
    """Cut, of another form, or somebody else's; nothing of them is quoted or hangs on."""

    def answer(_request):
        return httpx.Response(200, content=body, headers={"x-request-id": REQUEST_ID})

    transport = httpx.MockTransport(answer)
    client = TokenizationClient("tkk_x", "https://x.example", transport=transport)
    with client, pytest.raises(UnreadableAnswer) as caught:
        client.tokenize("45", **COLUMN)
    assert caught.value.request_id == REQUEST_ID
    assert caught.value.__context__ is None
    assert CARD not in f"{caught.value}{caught.value!r}{vars(caught.value)}"


def test_a_list_has_as_many_answers_as_values():
    """One that lacks some is an error: they would stand in the wrong places."""
    hands = Hands([success(tokens=["1", "2"], key="k", version=1)])
    with pytest.raises(UnreadableAnswer):
        hands.run(TokenFlows(Retries()).tokenize_many(["1", "2", "3"], COLUMN))


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())), st.integers())
def test_no_problem_breaks_the_reader(said, status):
    """Whatever stands in it, it is an error."""
    body = json.dumps({**said, "type": "urn:tokenkit:problem:TK900", "code": "TK900"}).encode()
    headers = {"content-type": "application/problem+json"}
    assert isinstance(error_of(Answer(status=status, headers=headers, body=body)), ClientError)


@pytest.mark.parametrize("value", [4.5, b"45", True, ["45"], datetime(2026, 1, 1, tzinfo=UTC)])
def test_other_types_are_refused_here(value):
    """What JSON would write as something else, or not at all."""
    flows = TokenFlows(Retries())
    with pytest.raises(errors.UnsupportedType):
        next(flows.tokenize(value, COLUMN))
    with pytest.raises(errors.UnsupportedType):
        next(flows.tokenize_many([None, value], COLUMN))


def test_mistakes_in_a_call_are_errors_at_once():
    """An option that there isn't, one value for a list, a moment without a zone, an id that is
    none."""
    flows = TokenFlows(Retries())
    with pytest.raises(TypeError, match="'colum'"):
        next(flows.tokenize("45", {"policy": "orders", "colum": "card"}))
    with pytest.raises(TypeError, match="'store'"):
        next(flows.detokenize("45", {**COLUMN, "store": True}))
    with pytest.raises(errors.UnsupportedType):
        next(flows.tokenize_many(CARD, COLUMN))
    with pytest.raises(ValueError, match="time zone"):
        next(flows.tokenize("45", {**COLUMN, "expires_at": datetime(2027, 1, 1)}))  # noqa: DTZ001
    with pytest.raises(ValueError, match="a UUID") as caught:
        next(flows.record(f"../{CARD}"))
    assert CARD not in str(caught.value)
    assert caught.value.__context__ is None
