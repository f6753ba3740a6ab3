"""Two workers on one database: what is taken away counts everywhere within five seconds."""

from __future__ import annotations

import time

import pytest

from tests.people import person
from tests.services import running

CARD = "4539578763621486"
BODY = {"policy": "orders", "column": "card", "value": CARD}


@pytest.fixture
def workers(database_url, tmp_path):
    """Run two workers on one database, one of which has nothing to do with the changes."""
    with (
        running(database_url, tmp_path / "a") as one,
        running(database_url, tmp_path / "b") as other,
    ):
        yield one, other


def refused_within_five_seconds(ask, statuses):
    until = time.monotonic() + 5
    while (answer := ask()).status_code not in statuses:
        assert time.monotonic() < until
        time.sleep(0.05)
    return answer


def test_what_is_revoked_is_refused_by_every_worker(workers):
    """A revoked key, session and grant, a role that is taken away, and a disabled user."""
    one, other = workers
    boss = person(one, "boss", ("allow", "*", "*"))

    def let_in(name):
        boss.ask("POST", "/v1/users", {"name": name, "kind": "service"})
        boss.ask("POST", "/v1/roles", {"name": name})
        grant = {"role": name, "action": "tokenize", "resource": "*"}
        number = boss.ask("POST", "/v1/grants", grant).json()["id"]
        assert boss.ask("PUT", f"/v1/roles/{name}/members/{name}").status_code == 204
        made = {"user": name, "name": name, "scopes": ["*"]}
        key = boss.ask("POST", "/v1/api-keys", made).json()
        until = time.monotonic() + 5
        while other.post("/v1/tokenize", BODY, key["key"]).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        return key, number

    for name, taking, statuses in (
        ("key", lambda key, _: boss.ask("DELETE", f"/v1/api-keys/{key['id']}"), {401}),
        ("grant", lambda _, number: boss.ask("DELETE", f"/v1/grants/{number}"), {403}),
        ("member", lambda *_: boss.ask("DELETE", "/v1/roles/member/members/member"), {403}),
        ("user", lambda *_: boss.ask("PATCH", "/v1/users/user", {"disabled": True}), {401}),
    ):
        key, number = let_in(name)
        assert taking(key, number).status_code in {200, 204}, name
        for worker in workers:
            refused_within_five_seconds(
                lambda at=worker, key=key: at.post("/v1/tokenize", BODY, key["key"]), statuses
            )

    ann = person(one, "ann", ("allow", "tokenize", "*"), second_factor=False)
    other.state.rights.refresh()
    assert other.post("/v1/tokenize", BODY, ann.token).status_code == 200
    (session,) = boss.ask("GET", "/v1/sessions", user="ann").json()["items"]
    assert boss.ask("DELETE", f"/v1/sessions/{session['id']}").status_code == 204
    for worker in workers:
        refused_within_five_seconds(
            lambda at=worker: at.post("/v1/tokenize", BODY, ann.token), {401}
        )


def test_a_token_from_before_a_step_up_is_refused_by_every_worker(workers):
    """The session goes on under the new token alone."""
    one, other = workers
    ann = person(one, "ann", ("allow", "tokenize", "*"), fresh=False)
    other.state.rights.refresh()
    assert other.post("/v1/tokenize", BODY, ann.token).status_code == 200
    stepped = ann.ask("POST", "/v1/sessions/current/step-up", {"code": ann.codes[0]})
    assert stepped.status_code == 200
    for worker in workers:
        refused_within_five_seconds(
            lambda at=worker: at.post("/v1/tokenize", BODY, ann.token), {401}
        )
        fresh = stepped.json()["token"]
        assert worker.post("/v1/tokenize", BODY, fresh).status_code == 200
