"""Routes whose answers can't be computed again: what is sent again isn't carried out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse

from tokenkit.errors import InvalidRequest
from tokenkit.service.idempotent_route import IdempotentRoute

SENT = {"idempotency-key": "a1"}


@pytest.fixture
def made(service):
    """Add a route that makes things, and give what it made."""
    things: list[object] = []
    router = APIRouter(route_class=IdempotentRoute)

    @router.post("/v1/things")
    async def make(body: dict[str, int]) -> JSONResponse:
        if body.get("bad"):
            raise InvalidRequest("that is bad", reason="bad")
        things.append(body)
        return JSONResponse(
            {"shown": "only-once-5512"}, 201, {"location": f"/v1/things/{len(things)}"}
        )

    app = service.server.config.app
    assert isinstance(app, FastAPI)
    app.include_router(router)
    return things


def test_it_is_carried_out_once(service, made):
    """Sent again, the answer is 409 and says where what was made is."""
    key = service.caller(("allow", "tokenize", "*"))
    first = service.post("/v1/things", {"a": 1}, key, **SENT)
    assert (first.status_code, first.headers["location"]) == (201, "/v1/things/1")
    again = service.post("/v1/things", {"a": 1}, key, **SENT)
    assert (again.status_code, again.json()["reason"]) == (409, "carried_out")
    assert again.headers["location"] == "/v1/things/1"
    assert "only-once-5512" not in again.text
    other = service.post("/v1/things", {"a": 2}, key, **SENT)
    assert (other.status_code, other.json()["reason"]) == (422, "other_request")
    assert service.post("/v1/things", {"a": 1}, key).status_code == 201
    assert len(made) == 2


def test_what_failed_can_be_sent_again(service, made):
    """Whether it was refused by the handler or couldn't be read."""
    key = service.caller(("allow", "tokenize", "*"))
    bodies = [{"bad": 1}, {"a": "x"}, {"a": 1}]
    answers = [service.post("/v1/things", body, key, **SENT) for body in bodies]
    assert [answer.status_code for answer in answers] == [422, 422, 201]
    assert service.post("/v1/things", {"a": 1}, None, **SENT).status_code == 401
    assert len(made) == 1


def test_many_at_once_make_one(service, made):
    """The others are told that it is under way, or done."""
    key = service.caller(("allow", "tokenize", "*"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: service.post("/v1/things", {"a": 1}, key, **SENT), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(made) == 1
