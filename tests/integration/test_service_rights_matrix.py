"""Roles x actions x resources: who gets which answer from every endpoint of administration.

Each row is a request, each column somebody who sends it; a cell is the status. Everybody sends it
to a service in which what it is about is there as it was at first.
"""

from __future__ import annotations

import contextlib
import itertools
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.people import Person, person, presets
from tests.services import POLICY, are_alike, running
from tokenkit.access.grants import Grant
from tokenkit.access.tables.api_keys import issue_api_key
from tokenkit.access.tables.changes import utc_now
from tokenkit.access.tables.grants import add_grant
from tokenkit.access.tables.roles import assign_role, create_role, delete_role, find_role
from tokenkit.access.tables.sessions import SessionLimits, open_session
from tokenkit.access.tables.users import create_user, enable_user, find_user
from tokenkit.errors import UnknownAccount
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.store.models.access import SessionRow

COLUMNS = {
    "admin": "has the preset role administrator",
    "officer": "has the preset role key-officer",
    "auditor": "has the preset role auditor",
    "tokenize": "has the preset role tokenizer",
    "some": "may do everything with user:app*, role:app*, key:pay* and policy:orders",
    "none": "has no role",
    "stale": "is an administrator who has shown a code eleven minutes ago",
    "key": "is an administrator's API key with the scope *",
    "denied": "is an administrator to whom user:app-user and role:app-role are denied",
}
# APP and OTHER stand for ids of what belongs to app-user or app-role, and to the other ones;
# NOTHING is nobody's id, OWN is whoever asks.
MATRIX = """
                                          admin officer auditor tokenize some none stale key denied
GET    /v1/users                            200     403     200      403  200  403   200 200    200
GET    /v1/users/app-user                   200     404     200      404  200  404   200 200    404
GET    /v1/users/other-user                 200     404     200      404  404  404   200 200    200
GET    /v1/users/nobody                     404     404     404      404  404  404   404 404    404
POST   /v1/users app-new                    201     403     403      403  201  403   403 403    201
POST   /v1/users new                        201     403     403      403  403  403   403 403    201
PATCH  /v1/users/app-user disabled          200     404     404      404  200  404   403 403    404
PATCH  /v1/users/other-user disabled        200     404     404      404  404  404   403 403    200
PATCH  /v1/users/nobody disabled            404     404     404      404  404  404   403 403    404
POST   /v1/users/app-user/password empty    200     404     404      404  200  404   403 403    404
POST   /v1/users/other-user/password empty  200     404     404      404  404  404   403 403    200
POST   /v1/users/app-user/unlock            204     404     404      404  204  404   403 403    404
POST   /v1/users/other-user/unlock          204     404     404      404  404  404   403 403    204
DELETE /v1/users/app-user/second-factor     204     404     404      404  204  404   403 403    404
DELETE /v1/users/other-user/second-factor   204     404     404      404  404  404   403 403    204
GET    /v1/roles                            200     403     200      403  200  403   200 200    200
GET    /v1/roles/app-role                   200     404     200      404  200  404   200 200    404
GET    /v1/roles/other-role                 200     404     200      404  404  404   200 200    200
GET    /v1/roles/nothing                    404     404     404      404  404  404   404 404    404
GET    /v1/roles/app-role/members           200     404     200      404  200  404   200 200    404
GET    /v1/roles/other-role/members         200     404     200      404  404  404   200 200    200
POST   /v1/roles app-fresh                  201     403     403      403  201  403   403 403    201
POST   /v1/roles fresh                      201     403     403      403  403  403   403 403    201
PATCH  /v1/roles/app-role mfa               200     404     404      404  200  404   403 403    404
PATCH  /v1/roles/other-role mfa             200     404     404      404  404  404   403 403    200
DELETE /v1/roles/app-role                   204     404     404      404  204  404   403 403    404
DELETE /v1/roles/other-role                 204     404     404      404  404  404   403 403    204
PUT    /v1/roles/app-role/members/app-user  204     404     404      404  204  404   403 403    404
PUT    /v1/roles/app-role/members/other-user 204    404     404      404  404  404   403 403    404
PUT    /v1/roles/other-role/members/app-user 204    404     404      404  404  404   403 403    404
DELETE /v1/roles/app-role/members/app-user  204     404     404      404  204  404   403 403    404
GET    /v1/grants                           200     403     200      403  200  403   200 200    200
GET    /v1/grants?role=app-role             200     404     200      404  200  404   200 200    404
GET    /v1/grants?role=other-role           200     404     200      404  404  404   200 200    200
GET    /v1/grants/APP                       200     404     200      404  200  404   200 200    404
GET    /v1/grants/OTHER                     200     404     200      404  404  404   200 200    200
GET    /v1/grants/987654                    404     404     404      404  404  404   404 404    404
POST   /v1/grants app-role                  201     404     404      404  201  404   403 403    404
POST   /v1/grants other-role                201     404     404      404  404  404   403 403    201
DELETE /v1/grants/APP                       204     404     404      404  204  404   403 403    404
DELETE /v1/grants/OTHER                     204     404     404      404  404  404   403 403    204
GET    /v1/api-keys                         200     403     200      403  200  403   200 200    200
GET    /v1/api-keys?user=app-user           200     404     200      404  200  404   200 200    404
GET    /v1/api-keys/APP                     200     404     200      404  200  404   200 200    404
GET    /v1/api-keys/OTHER                   200     404     200      404  404  404   200 200    200
GET    /v1/api-keys/NOTHING                 404     404     404      404  404  404   404 404    404
POST   /v1/api-keys app-user                201     404     404      404  201  404   403 403    404
POST   /v1/api-keys other-user              201     404     404      404  404  404   403 403    201
POST   /v1/api-keys OWN                     201     404     404      404  404  404   403 403    201
POST   /v1/api-keys/APP/rotate empty        201     404     404      404  201  404   403 403    404
POST   /v1/api-keys/OTHER/rotate empty      201     404     404      404  404  404   403 403    201
DELETE /v1/api-keys/APP                     204     404     404      404  204  404   403 403    404
DELETE /v1/api-keys/OTHER                   204     404     404      404  404  404   403 403    204
GET    /v1/sessions                         200     200     200      200  200  200   200 200    200
GET    /v1/sessions?user=app-user           200     404     200      404  200  404   200 200    404
GET    /v1/sessions?user=other-user         200     404     200      404  404  404   200 200    200
DELETE /v1/sessions/APP                     204     404     404      404  204  404   403 403    404
DELETE /v1/sessions/OTHER                   204     404     404      404  404  404   403 403    204
DELETE /v1/sessions/NOTHING                 404     404     404      404  404  404   403 403    404
GET    /v1/keys                             403     200     200      403  200  403   403 403    403
GET    /v1/keys/payments                    404     200     200      404  200  404   404 404    404
GET    /v1/keys/people                      404     200     200      404  404  404   404 404    404
GET    /v1/keys/nothing                     404     404     404      404  404  404   404 404    404
POST   /v1/keys/payments/rotate             404     201     404      404  201  404   404 404    404
POST   /v1/keys/people/rotate               404     201     404      404  404  404   404 404    404
GET    /v1/policies                         200     200     200      200  200  403   200 200    200
GET    /v1/policies/orders                  200     200     200      200  200  404   200 200    200
GET    /v1/policies/claims                  200     200     200      200  404  404   200 200    200
GET    /v1/policies/nothing                 404     404     404      404  404  404   404 404    404
GET    /v1/audit                            403     403     200      403  403  403   403 403    403
GET    /v1/account                          200     200     200      200  200  200   200 200    200
POST   /v1/account/recovery-codes           201     201     201      201  201  201   403 403    201
"""

NOTHING = "00000000-0000-4000-8000-000000000000"
NUMBERS = itertools.count()
ROWS = []
for line in MATRIX.strip().splitlines()[1:]:
    words, cells = line.split()[: -len(COLUMNS)], line.split()[-len(COLUMNS) :]
    ROWS.append((tuple(words), dict(zip(COLUMNS, map(int, cells), strict=True))))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Run a service with everybody in it."""
    folder = tmp_path_factory.mktemp("matrix")
    kek_file = folder / "kek"
    kek_file.write_text("correct horse battery staple")
    kek = PassphraseProvider(f"file:{kek_file}", cost=2**10)
    ring = create_keyring(folder / "keys.json", ["payments", "people", "audit", "access"], kek)
    (folder / "policies").mkdir()
    claims = "columns:\n  name: {scheme: text, key: people}\n"
    (folder / "policies" / "claims.yaml").write_text(claims)
    url = f"sqlite:///{folder / 'tokenkit.db'}"
    with running(url, folder, policy=POLICY, keyring=ring) as service:
        presets(service)
        everybody = {
            "admin": person(service, "admin", roles=["administrator"]),
            "officer": person(service, "officer", roles=["key-officer"]),
            "auditor": person(service, "auditor", roles=["auditor"]),
            "tokenize": person(service, "tokenize", roles=["tokenizer"]),
            "some": person(
                service,
                "some",
                *(
                    ("allow", "*", resource)
                    for resource in ("user:app*", "role:app*", "key:pay*", "policy:orders")
                ),
            ),
            "none": person(service, "none"),
            "stale": person(service, "stale", roles=["administrator"]),
            "denied": person(
                service,
                "denied",
                ("deny", "*", "user:app-user"),
                ("deny", "*", "role:app-role"),
                roles=["administrator"],
            ),
        }
        with service.work() as work:
            stale = find_user(work.connection, "stale")
            work.connection.execute(
                update(SessionRow)
                .where(SessionRow.user_id == stale.id)
                .values(stepped_up=utc_now() - timedelta(minutes=11))
            )
            work.begin_change()
            admin = find_user(work.connection, "admin")
            _, made = issue_api_key(work, admin, "whole", ["*"])
            for name in ("app-user", "other-user"):
                create_user(work, name)
        everybody["key"] = Person(service, "admin", made.text, None, [])
        yield service, everybody


def make_anew(service):
    """Put the users, roles, grants, API keys and sessions of the matrix back as they were."""
    ids = {}
    with service.work() as work:
        for side in ("app", "other"):
            user = find_user(work.connection, f"{side}-user")
            enable_user(work, user)
            with contextlib.suppress(UnknownAccount):
                delete_role(work, find_role(work.connection, f"{side}-role"))
            role = create_role(work, f"{side}-role")
            assign_role(work, role, user)
            key_id, _ = issue_api_key(work, user, side, ["*"])
            session_id, _ = open_session(work, user.id, SessionLimits(), second_factor=False)
            ids[side.upper()] = {
                "grants": add_grant(work, role, Grant.build("allow", "tokens.read", "*")),
                "api-keys": key_id,
                "sessions": session_id,
            }
    service.state.rights.refresh()
    return ids


def body_of(path, word, who):
    """Give the body that a word of the matrix stands for."""
    if word in {"app-new", "new", "app-fresh", "fresh"}:
        return {"name": f"{word}{next(NUMBERS)}"}
    if path == "/v1/grants":
        return {"role": word, "action": "tokenize", "resource": "*"}
    if path == "/v1/api-keys":
        return {"user": who.name if word == "OWN" else word, "name": "made", "scopes": ["*"]}
    return {"disabled": {"disabled": True}, "mfa": {"requires_mfa": True}, "empty": {}}.get(word)


@pytest.mark.parametrize(("request_", "cells"), ROWS, ids=[" ".join(row[0]) for row in ROWS])
def test_each_cell(place, request_, cells):
    """Everybody gets the answer of the cell; what may not be seen looks like what isn't there."""
    service, everybody = place
    method, path, word = (*request_, "")[:3]
    answers, unseen = {}, []
    ids = make_anew(service)
    for column in COLUMNS:
        area = path.split("/")[2].partition("?")[0]
        target = path
        for side in ("APP", "OTHER"):
            target = target.replace(side, str(ids[side].get(area)))
        target = target.replace("NOTHING", NOTHING)
        who = everybody[column]
        answer = who.ask(method, target, body_of(path, word, who))
        answers[column] = answer.status_code
        if answer.status_code == 404:
            unseen.append(answer)
        elif answer.status_code < 300 and method != "GET":
            ids = make_anew(service)
    assert answers == cells
    nothing = everybody["admin"].ask("GET", "/v1/users/nobody")
    assert are_alike([nothing, *unseen])


def test_no_endpoint_is_left_out(place):
    """Every operation of administration that the document has stands in the matrix."""
    service, _ = place
    document = service.client.get("/v1/openapi.json").json()
    rows = {
        (words[0], tuple(part.partition("?")[0] for part in words[1].split("/")))
        for words, _ in ROWS
    }
    own = {"/v1/sessions/current", "/v1/sessions/current/step-up", "/v1/account/password"}
    own |= {"/v1/account/totp", "/v1/account/totp/confirmation"}
    lacking = []
    for path, methods in document["paths"].items():
        tags = {tag for operation in methods.values() for tag in operation.get("tags", ())}
        if path in own or not tags & {
            *("sessions", "account", "users", "roles", "grants"),
            *("api-keys", "keys", "policies", "audit"),
        }:
            continue
        for method in methods:
            if (method, path) == ("post", "/v1/sessions"):
                continue
            parts = path.split("/")
            if not any(
                verb == method.upper()
                and len(found) == len(parts)
                and all(
                    one == other or one.startswith("{")
                    for one, other in zip(parts, found, strict=True)
                )
                for verb, found in rows
            ):
                lacking.append((method, path))
    assert lacking == []
