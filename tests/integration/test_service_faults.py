"""What isn't written down isn't answered; too much is refused; the end loses nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
from sqlalchemy import text

from tests.services import POLICY, running
from tokenkit.access.auditing import ChainedAuditor
from tokenkit.access.grants import Grant
from tokenkit.access.tables.api_keys import issue_api_key
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.grants import add_grant
from tokenkit.access.tables.roles import assign_role, create_role
from tokenkit.access.tables.users import create_user, find_user
from tokenkit.errors import StoreUnavailable
from tokenkit.keys import create_keyring
from tokenkit.store.audit import AuditLog, audit_key, tail, verify, verifying_keys
from tokenkit.store.database import Database, Limits

BODY = {"policy": "orders", "column": "card", "value": "4539578763621486"}
ALL = (("allow", "tokenize", "*"), ("allow", "detokenize", "*"))


def test_nothing_is_given_out_when_the_log_cannot_be_written(service):
    """With the log's table gone each answer is 503 and holds nothing; it is back with the table."""
    key = service.caller(*ALL)
    token = service.post("/v1/tokenize", BODY, key).json()["token"]
    with service.database.begin() as connection:
        connection.execute(text("ALTER TABLE audit_head RENAME TO audit_gone"))
    for path, body in (
        ("/v1/tokenize", BODY),
        ("/v1/detokenize", {**BODY, "value": token}),
        ("/v1/tokenize", {**BODY, "column": "nothing"}),
    ):
        answer = service.post(path, body, key)
        assert (answer.status_code, answer.json()["code"]) == (503, "TK904")
        assert answer.headers["retry-after"] == "1"
        assert token not in answer.text
        assert BODY["value"] not in answer.text
    with service.database.begin() as connection:
        connection.execute(text("ALTER TABLE audit_gone RENAME TO audit_head"))
    assert service.post("/v1/tokenize", BODY, key).json()["token"] == token


def test_a_log_that_is_locked_makes_no_request_hang(postgresql, tmp_path):
    """While another holds the log's head, requests end at their time-out; then all goes on."""
    with running(postgresql.url, tmp_path, audit_seconds=0.5, database_seconds=1.0) as service:
        key = service.caller(*ALL)
        assert service.post("/v1/tokenize", BODY, key).status_code == 200
        with service.database.begin() as connection:
            connection.execute(text("SELECT * FROM audit_head FOR UPDATE"))
            started = time.monotonic()
            assert service.post("/v1/tokenize", BODY, key).status_code == 503
            assert time.monotonic() - started < 5
        until = time.monotonic() + 10
        while service.post("/v1/tokenize", BODY, key).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert verify(service.database, verifying_keys(service.keyring)).holds


def test_a_silent_server_is_hung_up_on(postgresql):
    """A transaction beyond its limit is broken off from this side, and the next one works."""
    limits = Limits(connections=1, seconds=1.0)
    with Database.open(postgresql.url, limits=limits) as database:
        for _ in range(2):
            with pytest.raises(StoreUnavailable), database.begin() as connection:
                connection.execute(text("SELECT pg_sleep(60)"))
            with database.read() as connection:
                assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_many_at_once_are_written_in_groups_and_in_one_chain(service):
    """Requests at a time are all in the log, in fewer transactions than there are requests."""
    key = service.caller(*ALL)
    service.post("/v1/tokenize", BODY, key)
    before = service.state.audit.batches

    def send():
        with httpx.Client(base_url=service.url, timeout=30) as client:
            for _ in range(20):
                headers = {"authorization": f"Bearer {key}"}
                assert client.post("/v1/tokenize", json=BODY, headers=headers).status_code == 200

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.audited("tokenize")) == 161
    assert service.state.audit.batches - before < 160
    assert verify(service.database, verifying_keys(service.keyring)).holds


def test_too_many_at_a_time_are_refused_at_once(tmp_path, caplog):
    """Beyond the limit the answer is 503 with Retry-After, and health is still answered.

    Those that go away before they have sent their bodies leave room, and no error in the log.
    """
    url = f"sqlite:///{tmp_path / 'tokenkit.db'}"
    with running(url, tmp_path, most_in_flight=2) as service:
        key = service.caller(*ALL)
        host, port = service.url.removeprefix("http://").split(":")
        head = (
            f"POST /v1/tokenize HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        )
        held = [socket.create_connection((host, int(port))) for _ in range(2)]
        for one in held:
            one.sendall(head.encode())
        time.sleep(0.3)
        answer = service.post("/v1/tokenize", BODY, key)
        assert (answer.status_code, answer.json()["code"]) == (503, "TK903")
        assert answer.headers["retry-after"] == "1"
        assert service.client.get("/health/live").status_code == 200
        for one in held:
            one.close()
        time.sleep(0.3)
        assert service.post("/v1/tokenize", BODY, key).status_code == 200
    assert "unforeseen" not in caplog.text


def prepared(database_url, folder):
    """Make a keyring, policies and an API key for processes, and their environment."""
    environment = {
        **os.environ,
        "TOKENKIT_DATABASE_URL": database_url,
        "TOKENKIT_KEYRING": str(folder / "keyring.json"),
        "TOKENKIT_KEK": "passphrase:env:TEST_PASSPHRASE",
        "TEST_PASSPHRASE": "kettle paper otter moss",
        "TOKENKIT_POLICIES": str(folder / "policies"),
    }
    (folder / "policies").mkdir()
    (folder / "policies" / "orders.yaml").write_text(POLICY)
    os.environ["TEST_PASSPHRASE"] = environment["TEST_PASSPHRASE"]
    names = ["payments", "people", "audit", "access"]
    with (
        create_keyring(folder / "keyring.json", names, environment["TOKENKIT_KEK"]) as ring,
        Database.open(database_url) as database,
        database.begin() as connection,
    ):
        auditor = ChainedAuditor(AuditLog(database), audit_key(ring))
        work = Work(connection=connection, actor="root", auditor=auditor)
        role = create_role(work, "app")
        for grant in ALL:
            add_grant(work, role, Grant.build(*grant))
        create_user(work, "app", kind="service")
        user = find_user(connection, "app")
        assign_role(work, role, user)
        _, bearer = issue_api_key(work, user, "app", ["*", "detokenize"])
    return environment, bearer.text


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_loses_no_accepted_request(database_url, tmp_path, monkeypatch, workers):
    """`tokenkit serve` told to end answers all that it took, and each answer is in the log."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(database_url, tmp_path)
    environment["TOKENKIT_SERVICE_WORKERS"] = str(workers)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)],
        env=environment,
        stderr=subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    headers = {"authorization": f"Bearer {key}"}
    ready(url, process)
    answered, lost, stop = [], [], threading.Event()

    def send():
        with httpx.Client(base_url=url, timeout=30) as client:
            while not stop.is_set():
                try:
                    answered.append(client.post("/v1/tokenize", json=BODY, headers=headers))
                except httpx.ConnectError:
                    return
                except httpx.HTTPError as exc:
                    lost.append(type(exc).__name__)
                    return

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    stop.set()
    for thread in threads:
        thread.join()
    assert process.returncode == 0, said.decode()
    assert lost == []
    assert {answer.status_code for answer in answered} == {200}
    with Database.open(database_url) as database:
        assert len(tail(database, 100_000, action="tokenize")) == len(answered)


def ready(url, process):
    until = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < until
        try:
            if httpx.get(f"{url}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)


def test_a_service_that_is_to_end_says_so(quick_service):
    """Told to stop, it says that it isn't ready."""
    quick_service.state.stopping = True
    assert quick_service.client.get("/health/ready").status_code == 503
    assert quick_service.client.get("/health/live").status_code == 200
