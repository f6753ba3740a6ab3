"""Passwords, codes, tokens and keys through every endpoint that takes or gives them: they are in no
log, problem, audit record, metric or database."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pyotp
from sqlalchemy import text

from tests.integration.canaries import forms
from tests.people import PASSWORD, person, presets

NEW = "walnut ladder gently fog"
WEAK = "annannannannann"
GIVEN = "lantern pebble orchid quilt"
TYPED = "my-mistyped-secret-password"
CODE = "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV"


def stored(database):
    """Give every cell of every table."""
    query = (
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        if database.is_postgresql
        else "SELECT name FROM sqlite_master WHERE type = 'table'"
    )
    with database.read() as connection:
        cells = []
        for name in connection.execute(text(query)).scalars().all():
            for row in connection.execute(text(f'SELECT * FROM "{name}"')):
                cells += [
                    bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
                    for cell in row
                ]
    return b"\n".join(cells)


class Walk:
    """Requests, the secrets in them, and everything that came out where no secret belongs."""

    def __init__(self, service):
        self.service = service
        self.heard = []
        self.secrets = {PASSWORD, NEW, WEAK, GIVEN, TYPED, CODE}

    def ask(self, asking, method, path, body=None, *, gives=()):
        """Send a request; ``gives`` names the fields of the answer that are secrets."""
        answer = asking.ask(method, path, body)
        self.heard.append(repr(dict(answer.headers)))
        if not gives or answer.status_code >= 300:
            self.heard.append(answer.text)
            return answer
        shown = answer.json()
        # The URI is there to hold the secret.
        shown.pop("uri", None)
        for field in gives:
            found = shown.pop(field)
            self.secrets.update(found if isinstance(found, list) else [found])
        self.heard.append(json.dumps(shown))
        return answer.json()

    def raw(self, path, content, bearer):
        """Send what is no JSON."""
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        answer = self.service.client.post(path, content=content, headers=headers)
        assert answer.status_code in {400, 401, 422}
        self.heard.append(answer.text)


def fail_to_sign_in(walk, root, nobody):
    for body in (
        {"name": "root", "password": TYPED},
        {"name": TYPED, "password": PASSWORD},
        {"name": TYPED, "password": TYPED, "code": TYPED},
        {"name": "root", "password": PASSWORD},
        {"name": "root", "password": PASSWORD, "code": CODE},
        {"name": "root", "password": PASSWORD, TYPED: 1},
        {"name": "root", "password": [PASSWORD]},
        {"name": [TYPED], "password": 7, "code": {CODE: CODE}},
    ):
        walk.ask(nobody, "POST", "/v1/sessions", body)
    for raw in (TYPED.encode(), b'{"password": "' + TYPED.encode(), TYPED.encode() + b"\xff"):
        for path in ("/v1/sessions", "/v1/account/password", "/v1/users"):
            walk.raw(path, raw, root.token)
    for shown in (TYPED, root.token[:-1] + "!", f"tkk_{TYPED}"):
        walk.raw("/v1/users", b"{}", shown)


def change_what_is_own(walk, nobody):
    signed = {"name": "nobody", "password": PASSWORD}
    nobody.token = walk.ask(nobody, "POST", "/v1/sessions", signed, gives=["token"])["token"]
    for old, new in ((TYPED, NEW), (PASSWORD, WEAK), (PASSWORD, NEW)):
        walk.ask(nobody, "POST", "/v1/account/password", {"old": old, "new": new})
    begun = walk.ask(nobody, "POST", "/v1/account/totp", gives=["secret"])
    path = "/v1/account/totp/confirmation"
    walk.ask(nobody, "POST", path, {"code": TYPED})
    code = {"code": pyotp.TOTP(begun["secret"]).at(datetime.now(UTC).timestamp() - 30)}
    codes = walk.ask(nobody, "POST", path, code, gives=["recovery_codes"])["recovery_codes"]
    path = "/v1/sessions/current/step-up"
    walk.ask(nobody, "POST", path, {"code": CODE})
    nobody.token = walk.ask(nobody, "POST", path, {"code": codes[0]}, gives=["token"])["token"]
    walk.ask(nobody, "POST", "/v1/account/recovery-codes", gives=["recovery_codes"])


def administer(walk, root, nobody):
    for body in (
        {"name": "ann", "password": WEAK},
        {"name": TYPED + "!", "password": GIVEN},
        {"name": "ann", "password": GIVEN},
    ):
        walk.ask(root, "POST", "/v1/users", body)
    walk.ask(root, "POST", "/v1/users", {"name": "bob"}, gives=["password"])
    walk.ask(root, "POST", "/v1/users/bob/password", {"password": WEAK})
    walk.ask(root, "POST", "/v1/users/bob/password", {}, gives=["password"])
    walk.ask(nobody, "POST", "/v1/users", {"name": TYPED, "password": GIVEN})
    for path in ("users", "roles", "keys", "policies", "sessions", "grants", "api-keys"):
        for asking in (root, nobody):
            walk.ask(asking, "GET", f"/v1/{path}/{TYPED}")
            walk.ask(asking, "GET", f"/v1/{path}?cursor={TYPED}&{TYPED}=1")
    asked = {"user": "bob", "name": "x", "scopes": ["tokenize"]}
    issued = walk.ask(root, "POST", "/v1/api-keys", asked, gives=["key"])
    walk.ask(root, "POST", f"/v1/api-keys/{issued['id']}/rotate", {}, gives=["key"])
    walk.ask(root, "GET", "/v1/api-keys")
    walk.ask(root, "GET", "/v1/sessions?user=nobody")


def test_no_secret_comes_out_where_it_does_not_belong(service, caplog):
    """Whatever is typed or made, rightly or wrongly, from sign-in to rotation."""
    caplog.set_level(logging.DEBUG)
    presets(service)
    walk = Walk(service)
    root = person(service, "root", there=True)
    nobody = person(service, "nobody", second_factor=False)
    assert root.app is not None
    walk.secrets |= {root.token, nobody.token, root.app.secret, *root.codes}
    fail_to_sign_in(walk, root, nobody)
    change_what_is_own(walk, nobody)
    administer(walk, root, nobody)
    walk.heard += [service.client.get("/metrics").text, repr(service.state)]
    # The client's own log has the addresses that it asked for.
    walk.heard += [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))
    ]
    assert len(walk.secrets) > 35
    tables, out = stored(service.database), "\n".join(walk.heard).encode()
    assert b"nobody" in tables
    for secret in walk.secrets:
        for form in forms(secret):
            assert form not in out, "in an answer, a metric or a log"
            assert form not in tables, "in a table"
