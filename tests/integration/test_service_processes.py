"""Two processes of the service on one PostgreSQL agree on who may do what, and on what was done."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import select

from tests.integration.test_service_faults import BODY, free_port, prepared, ready
from tokenkit.access.auditing import ChainedAuditor
from tokenkit.access.grants import Grant
from tokenkit.access.tables.api_keys import issue_api_key, list_api_keys, revoke_api_key
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.grants import add_grant, list_grants, remove_grant
from tokenkit.access.tables.roles import assign_role, create_role, find_role
from tokenkit.access.tables.sessions import SessionLimits, open_session, revoke_session
from tokenkit.access.tables.users import create_user, find_user
from tokenkit.keys import open_keyring
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.database import Database
from tokenkit.store.models.service import QuotaUseRow

COLUMN = {"policy": "orders", "column": "card"}
FIVE_SECONDS = 5.0
"""After that every worker must know of a change."""


class Pair:
    """Two processes, and the database that they share."""

    def __init__(self, urls, database, keyring, key):
        self.clients = [httpx.Client(base_url=url, timeout=60) for url in urls]
        self.database = database
        self.key = key
        self._keyring = keyring

    @contextmanager
    def work(self):
        """Begin a change of access."""
        auditor = ChainedAuditor(AuditLog(self.database), audit_key(self._keyring))
        with self.database.begin() as connection:
            yield Work(connection=connection, actor="root", auditor=auditor)

    def post(self, number, path, body, key=None, **headers):
        """Ask one of them."""
        sent = {"authorization": f"Bearer {key or self.key}", **headers}
        return self.clients[number].post(path, json=body, headers=sent)

    def statuses(self, key=None):
        """Ask both for a token."""
        return [self.post(number, "/v1/tokenize", BODY, key).status_code for number in (0, 1)]


@pytest.fixture
def pair(postgresql, tmp_path, monkeypatch, request):
    """Run two processes on one database."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(postgresql.url, tmp_path)
    environment |= getattr(request, "param", {})
    ports = [free_port(), free_port()]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)],
            env=environment,
            stderr=subprocess.PIPE,
        )
        for port in ports
    ]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        for url, process in zip(urls, processes, strict=True):
            ready(url, process)
        keyring = open_keyring(tmp_path / "keyring.json", environment["TOKENKIT_KEK"])
        with keyring as ring, Database.open(postgresql.url) as database:
            made = Pair(urls, database, ring, key)
            yield made
            for client in made.clients:
                client.close()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]


@pytest.mark.slow
def test_a_revocation_is_known_to_both_within_five_seconds(pair):
    """Of an API key, a session and a grant; each was good at both before."""
    with pair.work() as work:
        role = create_role(work, "second")
        add_grant(work, role, Grant.build("allow", "tokenize", "*"))
        create_user(work, "second", kind="service")
        user = find_user(work.connection, "second")
        assign_role(work, role, user)
        _, granted = issue_api_key(work, user, "second", ["*"])
        create_user(work, "ann")
        ann = find_user(work.connection, "ann")
        app = find_role(work.connection, "app")
        assign_role(work, app, ann)
        session_id, session = open_session(work, ann.id, SessionLimits(), second_factor=True)
    time.sleep(FIVE_SECONDS)
    for key in (pair.key, granted.text, session.text):
        assert pair.statuses(key) == [200, 200]
    with pair.work() as work:
        for found in list_api_keys(work.connection, find_user(work.connection, "app")):
            revoke_api_key(work, found.id)
        revoke_session(work, session_id)
        for grant in list_grants(work.connection, find_role(work.connection, "second")):
            remove_grant(work, grant.id)
    time.sleep(FIVE_SECONDS)
    assert pair.statuses(pair.key) == [401, 401]
    assert pair.statuses(session.text) == [401, 401]
    assert pair.statuses(granted.text) == [403, 403]


@pytest.mark.slow
def test_an_idempotency_key_is_one_for_both(pair):
    """Sent to both at the same time, a request is carried out once; another one is refused."""
    for number in range(8):
        body = {**BODY, "store": True, "metadata": {"round": number}}
        sent = {"idempotency-key": f"round-{number}"}
        with ThreadPoolExecutor(4) as pool:
            asked = [
                pool.submit(pair.post, each % 2, "/v1/tokenize", body, **sent) for each in range(4)
            ]
            answers = [each.result() for each in asked]
        assert {answer.status_code for answer in answers} <= {200, 409}
        good = [answer.json() for answer in answers if answer.status_code == 200]
        assert {answer["record"]["version"] for answer in good} == {number + 1}
        for each in (0, 1):
            assert pair.post(each, "/v1/tokenize", body, **sent).status_code == 200
            other = pair.post(each, "/v1/tokenize", {**body, "metadata": {}}, **sent)
            assert other.json()["reason"] == "other_request"


@pytest.mark.slow
def test_a_token_that_one_revokes_the_other_refuses(pair):
    """Within five seconds, whatever it held of it."""
    with pair.work() as work:
        add_grant(work, find_role(work.connection, "app"), Grant.build("allow", "tokens.*", "*"))
    time.sleep(FIVE_SECONDS)
    made = pair.post(0, "/v1/tokenize", {**BODY, "store": True}).json()
    body = {**COLUMN, "value": made["token"]}
    assert [pair.post(n, "/v1/detokenize", body).status_code for n in (0, 1)] == [200, 200]
    pair.post(0, f"/v1/tokens/{made['record']['id']}/revoke", None)
    time.sleep(FIVE_SECONDS)
    answers = [pair.post(number, "/v1/detokenize", body) for number in (0, 1)]
    assert [answer.json()["reason"] for answer in answers] == ["revoked", "revoked"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "pair", [{"TOKENKIT_SERVICE_DAILY_VALUES": "100"}], indirect=True, ids=["quota"]
)
def test_a_quota_is_one_for_both(pair):
    """Together they turn no more values than it allows, and nearly as many."""
    body = {**COLUMN, "values": [BODY["value"]] * 3}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: pair.post(n % 2, "/v1/tokenize", body), range(60)))
    done = [answer for answer in answers if answer.status_code == 200]
    assert 90 <= 3 * len(done) <= 100
    assert {answer.status_code for answer in answers} == {200, 429}
    with pair.database.read() as connection:
        (used,) = connection.execute(select(QuotaUseRow.used)).scalars()
    assert 3 * len(done) <= used <= 100
