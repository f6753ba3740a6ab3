"""Signing in over HTTP, showing a second factor, and what is one's own."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

import pyotp
import pytest

from tests.people import PASSWORD, person
from tests.services import are_alike

NEW = "walnut ladder gently fog"


def sign_in(service, name, password=PASSWORD, token=None, **more):
    return service.post("/v1/sessions", {"name": name, "password": password, **more}, token)


def test_from_the_first_sign_in_to_a_second_factor_and_back(service):
    """A person signs in, changes the password, sets a second factor up, steps up and signs out."""
    ann = person(service, "ann", ("allow", "users.write", "*"), second_factor=False)
    answer = sign_in(service, "Ann")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.json()["user"], answer.json()["second_factor"]) == ("ann", False)
    ann.token = answer.json()["token"]
    assert ann.ask("GET", "/v1/account").json()["roles"] == ["role-of-ann"]
    made = ann.ask("POST", "/v1/users", {"name": "bob"})
    assert (made.status_code, made.json()["reason"]) == (403, "step_up_required")

    changed = ann.ask("POST", "/v1/account/password", {"old": PASSWORD, "new": NEW})
    assert changed.status_code == 204, changed.text
    assert sign_in(service, "ann").status_code == 401

    begun = ann.ask("POST", "/v1/account/totp").json()
    assert begun["uri"].startswith("otpauth://totp/tokenkit:ann?")
    app = pyotp.TOTP(begun["secret"])
    wrong = ann.ask("POST", "/v1/account/totp/confirmation", {"code": "000000"})
    assert (wrong.status_code, wrong.json()["reason"]) == (401, "code")
    now = datetime.now(UTC).timestamp()
    confirmed = ann.ask("POST", "/v1/account/totp/confirmation", {"code": app.at(now - 30)})
    codes = confirmed.json()["recovery_codes"]
    assert len(codes) == 10

    asked = sign_in(service, "ann", NEW)
    assert (asked.status_code, asked.json()["code"]) == (401, "TK802")
    assert sign_in(service, "ann", NEW, code=codes[0]).json()["second_factor"] is True
    assert sign_in(service, "ann", NEW, code=codes[0]).status_code == 401

    old = ann.token
    stepped = ann.ask("POST", "/v1/sessions/current/step-up", {"code": app.at(now)})
    assert stepped.status_code == 200, stepped.text
    assert ann.ask("GET", "/v1/account").status_code == 401, "the old token has ended"
    ann.token = stepped.json()["token"]
    assert ann.token != old
    again = ann.ask("POST", "/v1/sessions/current/step-up", {"code": app.at(now)})
    assert again.status_code == 401, "no code works twice"
    assert ann.ask("POST", "/v1/users", {"name": "bob"}).status_code == 201
    fresh = ann.ask("POST", "/v1/account/recovery-codes")
    assert fresh.status_code == 201
    assert sign_in(service, "ann", NEW, code=codes[1]).status_code == 401
    assert ann.ask("DELETE", "/v1/sessions/current").status_code == 204
    assert ann.ask("GET", "/v1/account").status_code == 401
    for action in ("session.open", "session.step-up", "second-factor.confirm", "session.revoke"):
        assert service.audited(action), action


def test_a_session_that_is_shown_at_sign_in_ends(quick_service):
    """A token that was there before the sign-in isn't worth anything after it."""
    ann = person(quick_service, "ann", second_factor=False)
    fresh = sign_in(quick_service, "ann", token=ann.token)
    assert fresh.status_code == 201
    assert ann.ask("GET", "/v1/account").status_code == 401
    bob = person(quick_service, "bob", second_factor=False)
    assert sign_in(quick_service, "ann", token=bob.token).status_code == 201
    assert bob.ask("GET", "/v1/account").status_code == 200, "nobody else's session ends"


def test_whoever_cannot_sign_in_gets_one_answer(quick_service):
    """Unknown, disabled, service, wrong password, wrong code: one body and one status."""
    ann = person(quick_service, "ann", ("allow", "users.*", "*"))
    person(quick_service, "bob")
    person(quick_service, "carl")
    assert ann.ask("PATCH", "/v1/users/bob", {"disabled": True}).status_code == 200
    assert ann.ask("POST", "/v1/users", {"name": "robot", "kind": "service"}).status_code == 201
    answers = [
        sign_in(quick_service, "nobody"),
        sign_in(quick_service, "no name at all"),
        sign_in(quick_service, "bob"),
        sign_in(quick_service, "robot"),
        sign_in(quick_service, "carl", "something else entirely"),
        sign_in(quick_service, "carl", code="000000"),
        sign_in(quick_service, "carl", "x" * 1000),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert are_alike(answers)
    rows = quick_service.audited("session.open")
    assert len(rows) == len(answers)
    assert "nobody" not in str(rows)


def test_too_many_attempts_are_told_when_to_come_again(service):
    """After five failures the answer is 429 with the seconds to wait, for known and unknown."""
    person(service, "ann", second_factor=False)
    for name in ("ann", "nobody"):
        statuses = [sign_in(service, name, "wrong " * 4).status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        answer = sign_in(service, name)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 2
        assert answer.json()["reason"] == "too_many_attempts"


def test_unknown_names_take_as_long_as_known_ones(quick_service):
    """The medians of interleaved failures differ by less than the spread of a single one."""
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(12):
        person(quick_service, f"ann{number}", second_factor=False)
    for number in range(12):
        # Each name once, so that no wait is counted; in turns, so that drift hits both.
        for kind, name in (("known", f"ann{number}"), ("unknown", f"bob{number}")):
            started = time.perf_counter()
            answer = sign_in(quick_service, name, "a password that is wrong")
            times[kind].append(time.perf_counter() - started)
            assert answer.status_code == 401
    known, unknown = (statistics.median(times[kind]) for kind in ("known", "unknown"))
    # A login without hashing would take a tenth.
    assert 0.6 < known / unknown < 1.6, times


def test_sessions_are_listed_and_ended(service):
    """One's own are listed, the latest first; another's aren't there for who has no right."""
    ann = person(service, "ann", second_factor=False)
    bob = person(service, "bob", second_factor=False)
    tokens = [sign_in(service, "ann").json()["token"] for _ in range(2)]
    first = ann.ask("GET", "/v1/sessions", limit=2).json()
    second = ann.ask("GET", "/v1/sessions", limit=2, cursor=first["next"]).json()
    items = first["items"] + second["items"]
    assert (len(items), second["next"]) == (3, None)
    assert [one["current"] for one in items] == [False, False, True]
    assert tokens[0] not in str(items)
    unseen = bob.ask("DELETE", f"/v1/sessions/{items[0]['id']}")
    nothing = bob.ask("DELETE", "/v1/sessions/00000000-0000-4000-8000-000000000000")
    assert unseen.status_code == nothing.status_code == 404
    assert are_alike([unseen, nothing])
    assert bob.ask("GET", "/v1/sessions", user="ann").status_code == 404
    assert ann.ask("DELETE", f"/v1/sessions/{items[0]['id']}").status_code == 204
    assert len(ann.ask("GET", "/v1/sessions").json()["items"]) == 2
    boss = person(service, "boss", ("allow", "sessions.*", "user:a*"))
    theirs = boss.ask("GET", "/v1/sessions", user="ann").json()["items"]
    assert boss.ask("DELETE", f"/v1/sessions/{theirs[0]['id']}").status_code == 204
    assert boss.ask("GET", "/v1/sessions", user="bob").status_code == 404


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("otter moss", "too_short"),
        ("passwordpassword", "breached"),
        ("annannannannann", "user_name"),
    ],
)
def test_a_new_password_is_checked(quick_service, new, reason):
    """A password that is easy to guess is refused with its reason, and isn't quoted."""
    ann = person(quick_service, "ann", second_factor=False)
    answer = ann.ask("POST", "/v1/account/password", {"old": PASSWORD, "new": new})
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)
    assert new not in answer.text
    assert quick_service.audited("user.password")[-1]["reason"] == reason


def test_a_password_that_somebody_else_chose_comes_first(quick_service):
    """Nothing is allowed before it is changed, and then it is."""
    ann = person(
        quick_service, "ann", ("allow", "users.read", "*"), second_factor=False, must_change=True
    )
    assert sign_in(quick_service, "ann").json()["must_change_password"] is True
    refused = ann.ask("GET", "/v1/users")
    assert (refused.status_code, refused.json()["reason"]) == (403, "password_change_required")
    assert ann.ask("POST", "/v1/account/password", {"old": PASSWORD, "new": NEW}).status_code == 204
    assert ann.ask("GET", "/v1/users").status_code == 200


def test_an_api_key_changes_nothing_of_its_owner(quick_service):
    """What is one's own is a session's business."""
    key = quick_service.caller(("allow", "*", "*"))
    for path, body in (
        ("/v1/account/password", {"old": PASSWORD, "new": NEW}),
        ("/v1/account/totp", None),
        ("/v1/account/recovery-codes", None),
        ("/v1/sessions/current/step-up", {"code": "123456"}),
    ):
        answer = quick_service.post(path, body, key)
        assert (answer.status_code, answer.json()["reason"]) == (403, "person_required"), path


def test_the_old_password_is_not_guessed_in_an_open_session(quick_service):
    """After five wrong ones the right one has to wait too."""
    ann = person(quick_service, "ann", second_factor=False)
    statuses = [
        ann.ask("POST", "/v1/account/password", {"old": f"wrong {n}", "new": NEW}).status_code
        for n in range(5)
    ]
    assert statuses == [401] * 5
    answer = ann.ask("POST", "/v1/account/password", {"old": PASSWORD, "new": NEW})
    assert (answer.status_code, answer.json()["reason"]) == (429, "too_many_attempts")
    assert int(answer.headers["retry-after"]) in range(1, 31)
    assert quick_service.audited("user.password")[-1]["reason"] == "too_many_attempts"


def test_what_is_sent_twice_under_one_key_is_done_once(quick_service):
    """A user that was made isn't made again; the answer says where it is."""
    boss = person(quick_service, "boss", ("allow", "*", "*"))
    sent = [
        quick_service.post("/v1/users", {"name": "ann"}, boss.token, **{"idempotency-key": "k1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in sent] == [201, 409]
    assert sent[1].json()["reason"] == "carried_out"
    assert sent[1].headers["location"] == "/v1/users/ann"
