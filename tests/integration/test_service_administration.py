"""Users, roles, grants, API keys, policies and the audit log over HTTP."""

from __future__ import annotations

import json

import pytest

from tests.people import PASSWORD, person, presets
from tests.services import are_alike

CARD = "4539578763621486"


@pytest.fixture
def boss(service):
    """Give an administrator of everything."""
    return person(service, "boss", ("allow", "*", "*"))


def everything(asking, path, limit, **query):
    """Walk through a list by its cursors."""
    items: list[dict[str, object]] = []
    cursor: dict[str, str] = {}
    while True:
        page = asking.ask("GET", path, limit=limit, **query, **cursor).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def test_an_application_is_let_in_and_out(service, boss):
    """From a service user with a role and a grant to a token, a rotation and a revocation."""
    made = boss.ask("POST", "/v1/users", {"name": "Billing", "kind": "service"})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/users/billing")
    assert made.json()["password"] is None
    assert boss.ask("POST", "/v1/roles", {"name": "app"}).status_code == 201
    grant = {"role": "app", "action": "tokenize", "resource": "column:orders/card"}
    number = boss.ask("POST", "/v1/grants", grant).json()["id"]
    assert boss.ask("PUT", "/v1/roles/app/members/billing").status_code == 204
    assert boss.ask("GET", "/v1/roles/app/members").json()["items"] == [{"user": "billing"}]
    assert boss.ask("GET", "/v1/users/billing").json()["roles"] == ["app"]
    issued = boss.ask(
        "POST",
        "/v1/api-keys",
        {"user": "billing", "name": "P", "scopes": ["tokenize"], "expires_after_days": 90},
    )
    assert issued.status_code == 201, issued.text
    body = {"policy": "orders", "column": "card", "value": CARD}
    key, key_id = issued.json()["key"], issued.json()["id"]
    token = service.post("/v1/tokenize", body, key).json()["token"]
    assert token != CARD
    rotated = boss.ask("POST", f"/v1/api-keys/{key_id}/rotate", {"overlap_hours": 1}).json()
    assert service.post("/v1/tokenize", body, key).json()["token"] == token
    assert service.post("/v1/tokenize", body, rotated["key"]).json()["token"] == token
    again = boss.ask("POST", f"/v1/api-keys/{key_id}/rotate", {})
    assert (again.status_code, again.json()["reason"]) == (422, "ended")
    listed = everything(boss, "/v1/api-keys", 1)
    assert [one["successor"] for one in listed] == [rotated["id"], None]
    assert key not in str(listed)
    assert boss.ask("DELETE", f"/v1/api-keys/{rotated['id']}").status_code == 204
    assert service.post("/v1/tokenize", body, rotated["key"]).status_code == 401
    assert boss.ask("DELETE", f"/v1/grants/{number}").status_code == 204
    assert service.post("/v1/tokenize", body, key).status_code == 403
    assert boss.ask("DELETE", "/v1/roles/app/members/billing").status_code == 204
    assert boss.ask("DELETE", "/v1/roles/app").status_code == 204
    assert boss.ask("PATCH", "/v1/users/billing", {"disabled": True}).json()["disabled"]
    assert service.post("/v1/tokenize", body, key).status_code == 401
    for action in (
        "user.create",
        "role.create",
        "grant.add",
        "role.assign",
        "api-key.issue",
        "api-key.rotate",
        "api-key.revoke",
        "grant.remove",
        "role.unassign",
        "role.delete",
        "user.disable",
    ):
        assert service.audited(action)[-1]["actor"] == "boss", action


def test_a_person_is_given_a_password_once(quick_service):
    """One that was made is shown; one that was chosen isn't; both have to be changed."""
    boss = person(quick_service, "boss", ("allow", "users.*", "*"))
    made = boss.ask("POST", "/v1/users", {"name": "ann"}).json()["password"]
    chosen = boss.ask("POST", "/v1/users", {"name": "bob", "password": PASSWORD})
    assert chosen.json()["password"] is None
    tokens = []
    for name, password in (("ann", made), ("bob", PASSWORD)):
        answer = quick_service.post("/v1/sessions", {"name": name, "password": password})
        assert answer.json()["must_change_password"] is True
        tokens.append(answer.json()["token"])
    another = boss.ask("POST", "/v1/users/bob/password", {}).json()["password"]
    ended = quick_service.client.get(
        "/v1/account", headers={"authorization": f"Bearer {tokens[1]}"}
    )
    assert ended.status_code == 401
    answer = quick_service.post("/v1/sessions", {"name": "bob", "password": another})
    assert answer.status_code == 201
    assert boss.ask("POST", "/v1/users/bob/unlock").status_code == 204
    weak = boss.ask("POST", "/v1/users/bob/password", {"password": "bobbobbobbobbob"})
    assert (weak.status_code, weak.json()["reason"]) == (422, "user_name")


def test_a_lost_second_factor_is_taken_away(quick_service):
    """It goes with the sessions, and the password is enough until another one is set up."""
    boss = person(quick_service, "boss", ("allow", "users.*", "*"))
    ann = person(quick_service, "ann")
    assert boss.ask("DELETE", "/v1/users/ann/second-factor").status_code == 204
    assert ann.ask("GET", "/v1/account").status_code == 401
    answer = quick_service.post("/v1/sessions", {"name": "ann", "password": PASSWORD})
    assert (answer.status_code, answer.json()["second_factor"]) == (201, False)


def test_what_contradicts_what_is_there_is_refused_and_recorded(quick_service):
    """A second user, role or grant of a kind is 409; the last administrator stays."""
    presets(quick_service)
    root = person(quick_service, "root", there=True)
    for path, body in (
        ("/v1/users", {"name": "root"}),
        ("/v1/roles", {"name": "auditor"}),
        ("/v1/grants", {"role": "auditor", "action": "audit.read", "resource": "*"}),
    ):
        answer = root.ask("POST", path, body)
        assert answer.status_code == 409, (path, answer.text)
    for method, path in (
        ("PATCH", "/v1/users/root"),
        ("DELETE", "/v1/roles/administrator/members/root"),
        ("DELETE", "/v1/roles/administrator"),
    ):
        answer = root.ask(method, path, {"disabled": True} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["reason"]) == (422, "last_administrator"), path
    refused = [row for row in quick_service.audited("users.write") if row["outcome"] == "refused"]
    assert [row["reason"] for row in refused] == ["user", "last_administrator"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/users", {"name": "ann", "admin": True}),
        ("/v1/users", {"name": 7}),
        ("/v1/users", {"name": "Ann Smith 4539578763621486"}),
        ("/v1/users", {"name": "robot", "kind": "service", "password": PASSWORD}),
        ("/v1/roles", {"name": "app", "requires_mfa": "yes"}),
        ("/v1/roles", {"name": "App"}),
        ("/v1/grants", {"role": "support", "action": "fly", "resource": "*"}),
        ("/v1/grants", {"role": "support", "action": "tokenize", "resource": "moon:x"}),
        ("/v1/grants", {"role": "support", "action": "*", "resource": "*", "purposes": ["A B"]}),
        ("/v1/api-keys", {"user": "root", "name": "x", "scopes": []}),
        ("/v1/api-keys", {"user": "root", "name": "x", "scopes": ["fly"]}),
        ("/v1/api-keys", {"user": "root", "name": "x", "scopes": ["*"], "expires_after_days": 0}),
        ("/v1/sessions", {"name": "ann"}),
        ("/v1/sessions", {"name": "ann\x00", "password": "x"}),
        ("/v1/sessions", {"name": "ann", "password": PASSWORD, "remember": True}),
    ],
)
def test_bodies_are_strict(quick_service, path, body):
    """What isn't meant is refused, and nothing of it is quoted."""
    presets(quick_service)
    root = person(quick_service, "root", there=True)
    answer = root.ask("POST", path, body)
    assert answer.status_code == 422, answer.text
    for typed in (PASSWORD, CARD, "fly", "moon", "A B", "remember"):
        assert typed not in answer.text


def test_lists_go_on_where_they_were(service, boss):
    """Cursors give each entry once, whatever is added or removed between the pages."""
    for number in range(7):
        boss.ask("POST", "/v1/roles", {"name": f"r{number}"})
        boss.ask("POST", "/v1/users", {"name": f"u{number}", "kind": "service"})
        boss.ask("POST", "/v1/grants", {"role": f"r{number}", "action": "*", "resource": "*"})
        boss.ask("PUT", f"/v1/roles/r0/members/u{number}")
    for path, field, count in (
        ("/v1/users", "name", 8),
        ("/v1/roles", "name", 8),
        ("/v1/grants", "id", 8),
        ("/v1/roles/r0/members", "user", 7),
        ("/v1/keys", "name", 4),
    ):
        names = [one[field] for one in everything(boss, path, 2)]
        assert len(names) == len(set(names)) == count, path
        assert names == [one[field] for one in everything(boss, path, 200)]
    first = boss.ask("GET", "/v1/users", limit=3).json()
    boss.ask("POST", "/v1/users", {"name": "aaa", "kind": "service"})
    second = boss.ask("GET", "/v1/users", limit=3, cursor=first["next"]).json()
    assert [one["name"] for one in second["items"]] == ["u2", "u3", "u4"]
    few = person(service, "few", ("allow", "users.read", "user:u*6"))
    assert [one["name"] for one in everything(few, "/v1/users", 1)] == ["u6"]


@pytest.mark.parametrize(
    "cursor", ["x", "W10", "e30", "WyJyb2xlcyIsImEiXQ", "WyJ1c2VycyIsN10", "ä", "[" * 300]
)
def test_a_cursor_that_is_none_is_refused(quick_service, cursor):
    """Whatever is made up, or of another list, is 422."""
    boss = person(quick_service, "boss", ("allow", "*", "*"))
    paths = ("users", "grants", "api-keys", "sessions", "keys", "policies", "audit")
    for path in paths:
        answer = boss.ask("GET", f"/v1/{path}", cursor=cursor)
        assert (answer.status_code, answer.json()["reason"]) == (422, "cursor"), path


def test_policies_are_shown_as_far_as_they_may_be_read(quick_service):
    """Who may read the policy sees all of it; who may read a column, or a key, sees that."""
    whole = person(quick_service, "whole", ("allow", "policies.read", "policy:orders"))
    part = person(quick_service, "part", ("allow", "policies.read", "key:payments"))
    none = person(quick_service, "none", ("allow", "policies.read", "policy:else"))
    (policy,) = whole.ask("GET", "/v1/policies").json()["items"]
    assert policy == whole.ask("GET", "/v1/policies/orders").json()
    assert len(policy["columns"]) == 6
    assert policy["digest"] == quick_service.state.policies["orders"].digest
    (seen,) = part.ask("GET", "/v1/policies").json()["items"]
    assert [(one["name"], one["scheme"], one["domain"]) for one in seen["columns"]] == [
        ("card", "credit-card", "credit-card")
    ]
    assert none.ask("GET", "/v1/policies").status_code == 403
    answers = [none.ask("GET", f"/v1/policies/{name}") for name in ("orders", "nothing")]
    assert are_alike(answers)


def test_the_audit_log_is_read_by_filters(service, boss):
    """The latest first, each record once, by who did what to what; without the right, 403."""
    for number in range(5):
        boss.ask("POST", "/v1/roles", {"name": f"r{number}"})
    boss.ask("POST", "/v1/roles", {"name": "r0"})
    made = everything(boss, "/v1/audit", 2, action="role.create", actor="boss")
    assert [one["object"] for one in made] == [f"role:r{number}" for number in (4, 3, 2, 1, 0)]
    assert made[0]["detail"] == {"requires_mfa": False}
    (refused,) = everything(boss, "/v1/audit", 10, outcome="refused", actor="boss")
    assert (refused["action"], refused["reason"]) == ("roles.write", "role")
    whole = everything(boss, "/v1/audit", 3)
    assert len({(one["batch"], one["position"]) for one in whole}) == len(whole)
    at = made[2]["at"]
    later = everything(boss, "/v1/audit", 50, action="role.create", actor="boss", since=at)
    before = everything(boss, "/v1/audit", 50, action="role.create", actor="boss", until=at)
    assert [len(later), len(before)] == [3, 2]
    nobody = person(service, "nobody", ("allow", "users.read", "*"))
    assert nobody.ask("GET", "/v1/audit").status_code == 403
    assert service.audited("audit.read")[-1]["reason"] == "not_granted"


def test_a_filter_that_fits_little_is_looked_for_piece_by_piece(quick_service, monkeypatch):
    """A page looks at a bounded number of records; cursors go on, and nothing is left out."""
    monkeypatch.setattr("tokenkit.store.audit.pages.MOST_LOOKED_AT", 3)
    boss = person(quick_service, "boss", ("allow", "*", "*"))
    for number in range(4):
        boss.ask("POST", "/v1/roles", {"name": f"r{number}"})
    found = everything(boss, "/v1/audit", 50, object="role:r1")
    assert [one["action"] for one in found] == ["role.create"]
    assert len(everything(boss, "/v1/audit", 50)) == len(quick_service.audited_all())


def test_refusals_name_nothing_that_was_made_up(quick_service):
    """A name that there isn't, which may be a value, is in no problem and in no record."""
    boss = person(quick_service, "boss", ("allow", "*", "*"))
    nobody = person(quick_service, "nobody", ("allow", "tokenize", "*"))
    for asking in (boss, nobody):
        for method, path, body in (
            ("GET", f"/v1/users/{CARD}", None),
            ("PATCH", f"/v1/users/{CARD}", {"disabled": True}),
            ("GET", f"/v1/roles/{CARD}", None),
            ("DELETE", f"/v1/roles/{CARD}", None),
            ("GET", f"/v1/keys/{CARD}", None),
            ("POST", f"/v1/keys/{CARD}/rotate", None),
            ("GET", f"/v1/policies/{CARD}", None),
            ("GET", f"/v1/grants?role={CARD}", None),
            ("GET", f"/v1/api-keys?user={CARD}", None),
            ("POST", "/v1/grants", {"role": CARD, "action": "*", "resource": "*"}),
            ("POST", "/v1/api-keys", {"user": CARD, "name": "x", "scopes": ["*"]}),
        ):
            answer = asking.ask(method, path, body)
            assert answer.status_code == 404, (path, answer.text)
            assert CARD not in answer.text
    assert nobody.ask("POST", "/v1/users", {"name": CARD}).status_code == 403
    assert CARD not in json.dumps(quick_service.audited_all(), default=str)
