"""The service as `tokenkit serve` runs it, killed in the middle of a batch and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx

from tests.integration.test_service_faults import free_port, prepared, ready
from tokenkit.jobs import Job, run
from tokenkit.keys import open_keyring
from tokenkit.lineage import Unrecorded, use_recorder
from tokenkit.policy import load_policy
from tokenkit.store.audit import tail
from tokenkit.store.database import Database

POLICY = "columns: {ssn: {scheme: us-ssn, key: people}}\nunlisted: keep\n"
ROWS = 3_000_000
"""Some seconds' work."""


@contextmanager
def serving(environment, *, killed=False):
    """Run the service; killed or told to end afterwards."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)],
        env=environment,
        stderr=subprocess.PIPE,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            ready(url, process)
            with httpx.Client(base_url=url, timeout=120) as client:
                yield client
        finally:
            process.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
            process.wait(60)


def waited(client, headers, batch, wanted):
    until = time.monotonic() + 150
    while not wanted(found := client.get(f"/v1/batches/{batch}", headers=headers).json()):
        assert found["state"] in {"queued", "running"}, found
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def test_a_batch_survives_the_service(database_url, tmp_path, monkeypatch):
    """Killed with -9 half-way, started again: the batch is done once, and as the command line
    does it."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(database_url, tmp_path)
    (tmp_path / "policies" / "orders.yaml").write_text(POLICY)
    environment["TOKENKIT_SERVICE_BATCHES"] = str(tmp_path / "batches")
    headers = {"authorization": f"Bearer {key}"}
    content = b"number,ssn\n" + b"".join(b"%09d,078-05-1120\n" % n for n in range(ROWS))
    asked = {"policy": "orders"}
    with serving(environment, killed=True) as client:
        made = client.post("/v1/batches", params=asked, content=content, headers=headers)
        assert made.status_code == 202, made.text
        batch = made.json()["id"]
        waited(client, headers, batch, lambda found: found["state"] == "running")
    with serving(environment) as client:
        done = waited(client, headers, batch, lambda found: found["state"] == "complete")
        assert (done["attempt"], done["rows_written"]) == (2, ROWS)
        found = client.get(f"/v1/batches/{batch}/result", headers=headers).content
    (tmp_path / "plain.csv").write_bytes(content)
    policy = load_policy(tmp_path / "policies" / "orders.yaml")
    with (
        open_keyring(tmp_path / "keyring.json", environment["TOKENKIT_KEK"]) as ring,
        use_recorder(Unrecorded()),
    ):
        source, target = tmp_path / "plain.csv", tmp_path / "plain.out.csv"
        run(Job(operation="tokenize", source=source, target=target, policy=policy, keyring=ring))
    assert found == target.read_bytes()
    with Database.open(database_url) as database:
        assert len(tail(database, 100, action="batch.tokenize")) == 1
