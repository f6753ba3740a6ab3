"""PostgreSQL cut off and silent: nothing is given out, nobody waits for ever, and it passes by
itself."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.services import running
from tests.tcp_proxy import proxied
from tokenkit.store.audit import verify, verifying_keys
from tokenkit.store.database import Database

CARD = "4539578763621486"
COLUMN = {"policy": "orders", "column": "card"}
RIGHTS = [("allow", "tokenize", "*"), ("allow", "detokenize", "*"), ("allow", "tokens.*", "*")]
PATIENCE = 60
SECONDS = 2.0
"""What the service is told a transaction, and writing a record, may take."""


@pytest.fixture(params=["cut", "silence"])
def outage(request, postgresql, tmp_path):
    """Run a service that reaches its database through a proxy, and give what breaks it."""
    socket = str(postgresql.server.folder / ".s.PGSQL.5432")
    with proxied(socket) as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{postgresql.name}"
        settings: dict[str, Any] = {
            "audit_seconds": SECONDS,
            "database_seconds": SECONDS,
            "drain_seconds": 5.0,
        }
        with running(url, tmp_path, **settings) as service:
            try:
                yield service, getattr(proxy, request.param), proxy.restore
            finally:
                proxy.restore()


def bodies(token):
    """Give every kind of token operation."""
    return [
        ("/v1/tokenize", {**COLUMN, "value": CARD}),
        ("/v1/tokenize", {**COLUMN, "values": [CARD] * 50}),
        ("/v1/tokenize", {**COLUMN, "value": CARD, "store": True}),
        ("/v1/detokenize", {**COLUMN, "value": token}),
        ("/v1/detokenize", {**COLUMN, "values": [token, None]}),
        ("/v1/tokens/validate", {**COLUMN, "value": token}),
    ]


@pytest.mark.slow
def test_not_one_operation_succeeds_and_none_hangs(outage, postgresql):
    """While the database is away each answer is a problem that holds nothing; then all goes on, and
    whatever was answered is in the log, whose chain holds."""
    service, breaks, restore = outage
    key = service.caller(*RIGHTS)
    kept = service.post("/v1/tokenize", {**COLUMN, "value": CARD, "store": True}, key).json()
    token, answered = kept["token"], 1
    for path, body in bodies(token):
        assert service.post(path, body, key).status_code == 200
    answered += 5
    breaks()
    stop = threading.Event()

    def send(number):
        found = []
        # A client gives up long after the service must have.
        with httpx.Client(base_url=service.url, timeout=PATIENCE) as client:
            while not stop.is_set():
                path, body = bodies(token)[number]
                sent = {"authorization": f"Bearer {key}"}
                if number % 2:
                    sent["idempotency-key"] = f"outage-{number}"
                found.append(client.post(path, json=body, headers=sent))
        return found

    with ThreadPoolExecutor(6) as pool:
        sending = [pool.submit(send, number) for number in range(6)]
        # Longer than what is held of the rights may serve.
        time.sleep(8)
        stop.set()
        answers = [answer for one in sending for answer in one.result()]
    assert len(answers) >= 6
    assert {answer.status_code for answer in answers} == {503}
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        assert token not in answer.text
        assert CARD not in answer.text
    assert service.client.get("/health/live").status_code == 200
    assert service.client.get("/health/ready").status_code == 503
    assert service.client.get("/metrics").status_code == 200
    restore()
    until = time.monotonic() + PATIENCE
    while service.post("/v1/tokenize", {**COLUMN, "value": CARD}, key).status_code != 200:
        assert time.monotonic() < until, "the service doesn't recover"
        time.sleep(0.2)
    for path, body in bodies(token):
        assert service.post(path, body, key).status_code == 200
    assert service.client.get("/health/ready").status_code == 200
    with Database.open(postgresql.url) as database:
        assert verify(database, verifying_keys(service.keyring)).fault is None
    done = [
        row
        for action in ("tokenize", "detokenize", "tokens.validate")
        for row in service.audited(action)
        if row["outcome"] == "complete"
    ]
    assert len(done) >= answered + 7
