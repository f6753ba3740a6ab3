"""Traces: spans over OTLP to a receiver, and marked values that are nowhere in what is watched."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.integration.canaries import forms
from tests.integration.test_service_faults import BODY, free_port, prepared, ready
from tests.integration.trace_receiver import attributes, receiving
from tokenkit.errors import InvalidRequest
from tokenkit.service.traces import NO_TRACES, tracing

CARD = "4539578763621486"
BAD_CARD = "4539578763621487"
SSN = "219-09-7731"
BAD_SSN = "CANARY-SSN-771205"
KEPT = "KEPTNOTE-31337"
NAME = "canary-name-4417730"
CANARIES = (CARD, BAD_CARD, SSN, BAD_SSN, KEPT, NAME)
POLICY = """\
columns:
  card: {scheme: credit-card, key: payments, on_invalid: reject}
  ssn: {scheme: us-ssn, key: people, on_invalid: reject}
  note: {action: keep}
rejects: {key: people, max_fraction: 1.0}
"""
FILE = f"card,ssn,note\n{CARD},{SSN},{KEPT}\n{BAD_CARD},{SSN},{KEPT}\n{CARD},{BAD_SSN},{KEPT}\n"
STREAMS = ("access", "error", "debug", "performance")
PATIENCE = 60


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Run a service, with all that watches it turned on, in processes of its own."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(f"sqlite:///{tmp_path / 'tokenkit.db'}", tmp_path)
    (tmp_path / "policies" / "files.yaml").write_text(POLICY)
    with receiving() as received:
        environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "TOKENKIT_SERVICE_LOG_FOLDER": str(tmp_path / "logs"),
            "TOKENKIT_SERVICE_LOG_LEVEL": "debug",
            "TOKENKIT_SERVICE_TRUSTED_PROXIES": "127.0.0.1",
            "TOKENKIT_SERVICE_SLOW_SECONDS": "0.000001",
            "TOKENKIT_SERVICE_PERFORMANCE_SECONDS": "0.2",
            "TOKENKIT_SERVICE_BATCHES": str(tmp_path / "batches"),
        }
        port = free_port()
        command = [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)]
        out = (tmp_path / "output.log").open("wb")
        with out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
            try:
                ready(f"http://127.0.0.1:{port}", process)
                with httpx.Client(
                    base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"}
                ) as client:
                    yield client, received, tmp_path, process
            finally:
                process.terminate()
                process.wait(PATIENCE)


def until(look):
    """Wait until something is there, and give it."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def done(client, **asked):
    """Upload a file, and wait until it is over."""
    made = client.post("/v1/batches", params={"policy": "files", **asked}, content=FILE.encode())
    assert made.status_code == 202, made.text
    url = made.headers["location"]
    return until(
        lambda: (now := client.get(url).json())["state"] not in {"queued", "running"} and now
    )


@pytest.mark.slow
def test_marked_values_are_in_no_log_trace_or_metric(watched):
    """Nor in a file that is left behind: not of one value, of a file, of an error, of a header."""
    client, received, folder, process = watched
    hostile = {
        "x-request-id": NAME,
        "tracestate": f"vendor={NAME}",
        "baggage": f"card={CARD}",
        "user-agent": NAME,
        "x-forwarded-for": NAME,
        "referer": f"http://{NAME}.example",
    }
    for value in (CARD, BAD_CARD, NAME):
        client.post("/v1/tokenize", json={**BODY, "value": value}, headers=hostile)
        client.post("/v1/detokenize", json={**BODY, "value": value}, headers=hostile)
        client.post("/v1/tokenize", json={**BODY, "values": [value, value]})
        client.post("/v1/tokenize", json={**BODY, "column": value})
        client.post("/v1/tokenize", content=value.encode())
        client.get(f"/v1/tokens/{value}", params={"limit": value}, headers=hostile)
        client.get(f"/{value}", headers={**hostile, "authorization": f"Bearer {value}"})
        client.post("/v1/batches", params={"policy": value, "format": value}, content=FILE)
        client.post("/v1/batches", params={"policy": "files", "delimiter": "||"}, content=FILE)
    batch = done(client)
    assert (batch["state"], batch["rows_written"], batch["rows_rejected"]) == ("complete", 1, 2)
    broken = done(client, format="parquet")
    assert broken["state"] == "failed"
    result = client.get(f"/v1/batches/{batch['id']}/result")
    assert KEPT in result.text
    assert client.get(f"/v1/batches/{uuid4()}/result", headers=hostile).status_code == 404
    metrics = client.get("/metrics").content
    until(lambda: len(received.named("batch tokenize")) == 2)
    until(lambda: received.named("GET /metrics"))
    for child in psutil.Process(process.pid).children():
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()
    until((folder / "logs" / "error.log").exists)
    left = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    logged = {path.stem.partition(".")[0] for path in left if path.parent.name == "logs"}
    assert logged == set(STREAMS)
    left |= {Path("traces"): bytes(received.sent), Path("metrics"): metrics}
    found = {
        (str(path), canary)
        for path, content in left.items()
        for canary in CANARIES
        for form in forms(canary)
        if form in content
    }
    assert found == set()
    assert (folder / "output.log").read_bytes() == b""


@pytest.mark.slow
def test_spans_say_where_the_time_goes(watched):
    """A request's, within it the operation's and the audit's, as a part of the caller's trace."""
    client, received, *_ = watched
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    answer = client.post(
        "/v1/tokenize", json=BODY, headers={"traceparent": f"00-{trace}-{parent}-01"}
    )
    batch = done(client)
    (request,) = until(lambda: received.named("POST /v1/tokenize"))
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (trace, parent)
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/v1/tokenize",
        "http.response.status_code": 200,
        "tokenkit.request_id": answer.headers["x-request-id"],
    }
    inner = {span.name: span for span in received.spans if span.parent_span_id == request.span_id}
    assert set(inner) == {"tokenize", "audit"}
    assert attributes(inner["tokenize"]) == {
        "tokenkit.scheme": "credit-card",
        "tokenkit.key": "payments",
        "tokenkit.values": 1,
    }
    (work,) = until(lambda: received.named("batch tokenize"))
    told = attributes(work)
    assert (told["tokenkit.batch_id"], told["tokenkit.outcome"]) == (batch["id"], "complete")


def test_without_an_endpoint_there_are_none():
    """Nor where OpenTelemetry is turned off."""
    off = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}
    for environment in ({}, off):
        with tracing(environment) as traces:
            assert traces is NO_TRACES


def test_what_is_missing_is_named(monkeypatch):
    """Asked for without the extra: the service doesn't start as if all were well."""
    monkeypatch.setitem(sys.modules, "tokenkit.service.traces.exporting", None)
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with pytest.raises(InvalidRequest) as caught, tracing(asked):
        pass
    assert "tokenkit-vaultless[telemetry]" in str(caught.value.hint)
