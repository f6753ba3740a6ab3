"""Metrics: what they count, over several workers too, and that they name nobody."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from tests.integration.test_service_faults import BODY, free_port, prepared, ready
from tokenkit.access.tables.changes import utc_now
from tokenkit.store.models.access import ApiKeyRow

TOKENIZE = ("allow", "tokenize", "*")
PATIENCE = 60


def samples(text):
    """Give every sample by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_and_values_are_counted(service):
    """By route, status, scheme and key; what there isn't has no route of its own."""
    key = service.caller(TOKENIZE)
    column = {"policy": "orders", "column": "card"}
    service.post("/v1/tokenize", BODY, key)
    service.post("/v1/tokenize", {**column, "values": [BODY["value"], "12", None]}, key)
    service.post("/v1/tokenize", BODY)
    secret = f"/v1/tokens/{uuid4()}"
    service.client.get(secret)
    service.client.get(f"/{uuid4()}/{uuid4()}")
    text = service.client.get("/metrics").text
    found = samples(text)
    requests = "tokenkit_http_requests_total"
    assert found[requests, "/v1/tokenize", "200", "POST"] == 2
    assert found[requests, "/v1/tokenize", "401", "POST"] == 1
    assert found[requests, "/v1/tokens/{record_id}", "401", "GET"] == 1
    assert found[requests, "404", "GET", "unmatched"] == 1
    assert found["tokenkit_values_total", "credit-card", "done", "payments", "tokenize"] == 3
    assert found["tokenkit_values_total", "credit-card", "failed", "payments", "tokenize"] == 1
    assert found["tokenkit_http_request_duration_seconds_count", "/v1/tokenize", "POST"] == 3
    assert found["tokenkit_audit_records_total", "written"] >= 2
    assert found["tokenkit_cache_requests_total", "columns", "hit"] == 1
    assert found["tokenkit_cache_capacity_entries", "token_records"] == 100_000
    assert found[("tokenkit_http_requests_in_flight",)] == 1
    for named in (secret, "caller1", key, BODY["value"], "127.0.0.1"):
        assert named not in text


def test_names_and_units_follow_the_conventions(service):
    """As promtool checks them, and the host, the process and the business are there."""
    promtool = shutil.which("promtool")
    assert promtool is not None, "promtool is missing: sudo apt-get install prometheus"
    key = service.caller(TOKENIZE)
    service.post("/v1/tokenize", BODY, key)
    text = service.client.get("/metrics").text
    found = samples(text)
    assert (
        found["tokenkit_host_memory_bytes", "total"] > found["tokenkit_host_memory_bytes", "free"]
    )
    assert found[("tokenkit_processes",)] == 1
    assert found[("tokenkit_process_resident_memory_bytes",)] > 2**20
    assert found["tokenkit_process_cpu_seconds_total", "user"] > 0
    assert found[("tokenkit_valid_api_keys",)] == 1
    for name in ("cpu_seconds_total", "disk_bytes", "network_bytes_total"):
        assert f"tokenkit_host_{name}" in text
    command = [promtool, "check", "metrics"]
    checked = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_active_users_are_counted_once(service):
    """By the last use of their sessions and API keys, however many of those they have."""
    service.issued(TOKENIZE)
    service.issued(TOKENIZE)
    with service.database.begin() as connection:
        used = {"last_used": utc_now() - timedelta(minutes=30)}
        connection.execute(update(ApiKeyRow).values(used))
    found = samples(service.client.get("/metrics").text)
    assert [found["tokenkit_active_users", window] for window in ("5m", "1h", "1d")] == [0, 2, 2]
    assert [found["tokenkit_used_api_keys", window] for window in ("5m", "1h", "1d")] == [0, 2, 2]


def test_a_method_that_is_made_up_is_no_label(quick_service):
    """Nor is anything else that a caller chooses."""
    for number in range(3):
        quick_service.client.request(f"MADEUP{number}", f"/path{number}")
    text = quick_service.client.get("/metrics").text
    assert "MADEUP" not in text
    assert "path1" not in text


def test_a_locked_log_shows_as_lag(postgresql, tmp_path):
    """While another holds the chain's head, records wait, and the metric says for how long."""
    from tests.services import running

    with running(postgresql.url, tmp_path) as service:
        key = service.caller(TOKENIZE)
        with (
            service.database.begin() as connection,
            ThreadPoolExecutor(1) as pool,
        ):
            connection.exec_driver_sql("SELECT * FROM audit_head FOR UPDATE")
            waiting = pool.submit(service.post, "/v1/tokenize", BODY, key)
            until = time.monotonic() + PATIENCE
            while True:
                found = samples(service.client.get("/metrics").text)
                if found[("tokenkit_audit_lag_seconds",)] > 0.2:
                    break
                assert time.monotonic() < until
            connection.rollback()
            assert waiting.result().status_code == 200


@pytest.mark.slow
def test_several_workers_count_together(database_url, tmp_path, monkeypatch):
    """Whichever is asked gives the sum of all; a worker that died keeps what it counted."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(database_url, tmp_path)
    environment["TOKENKIT_SERVICE_WORKERS"] = "2"
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)],
        env=environment,
        stderr=subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        ready(url, process)
        headers = {"authorization": f"Bearer {key}", "connection": "close"}
        for _ in range(40):
            assert httpx.post(f"{url}/v1/tokenize", json=BODY, headers=headers).status_code == 200
        until = time.monotonic() + PATIENCE
        while True:
            # What is sampled comes every second; each answer may be another worker's.
            found = [samples(httpx.get(f"{url}/metrics").text) for _ in range(6)]
            done = {
                one["tokenkit_http_requests_total", "/v1/tokenize", "200", "POST"] for one in found
            }
            written = {one["tokenkit_audit_records_total", "written"] for one in found}
            assert done == {40}
            if written == {40}:
                break
            assert time.monotonic() < until
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
