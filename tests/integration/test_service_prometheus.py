"""A real Prometheus over two processes of the service, and what dashboards and rules ask it for."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.test_service_faults import BODY, free_port, prepared, ready

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
PATIENCE = 60
DOCUMENTED = DEPLOY.parent / "docs" / "metrics.md"
SENT = (7, 12)
POLICY = "columns: {ssn: {scheme: us-ssn, key: people, on_invalid: null}}\nunlisted: keep\n"
FILE = b"ssn,age\n078-05-1120,1\n219-09-7731,2\nnonsense,3\n"


def program(name):
    """Find a program of Prometheus'."""
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: sudo apt-get install prometheus"
    return found


def expressions():
    """Give every expression of the rules and the dashboards."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    asked = [rule["expr"] for group in groups for rule in group["rules"]]
    for path in DASHBOARDS:
        panels = json.loads(path.read_text())["panels"]
        asked += [target["expr"] for panel in panels for target in panel["targets"]]
    return asked


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
)
def test_promtool_accepts_configuration_and_rules(arguments):
    """And the rules raise the alerts that they should, and no others."""
    checked = subprocess.run(
        [program("promtool"), *arguments],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def asked(url, expression):
    """Ask Prometheus, and give what it found."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["result"]


def send(port, key, count):
    """Tokenize values, turn one back, and upload two files of which one can't be read."""
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"}
    ) as client:
        tokens = [client.post("/v1/tokenize", json=BODY).json()["token"] for _ in range(count)]
        turned = client.post("/v1/detokenize", json={**BODY, "value": tokens[0]})
        assert turned.json()["value"] == BODY["value"]
        for form in ("csv", "parquet"):
            asked_for = {"policy": "files", "format": form}
            made = client.post("/v1/batches", params=asked_for, content=FILE)
            assert made.status_code == 202, made.text


def until_found(url, sums):
    """Wait until Prometheus finds these sums."""
    until = time.monotonic() + PATIENCE
    found: dict[str, float | None] = {}
    while found != sums:
        assert time.monotonic() < until, found
        time.sleep(0.2)
        with contextlib.suppress(httpx.TransportError):
            found = {
                one: float(rows[0]["value"][1]) if (rows := asked(url, one)) else None
                for one in sums
            }


@pytest.mark.slow
def test_prometheus_sums_what_two_processes_answered(postgresql, tmp_path, monkeypatch):
    """The sums are those of what was sent; every metric that is asked for somewhere is there."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(postgresql.url, tmp_path)
    environment["TOKENKIT_SERVICE_BATCHES"] = str(tmp_path / "batches")
    (tmp_path / "policies" / "files.yaml").write_text(POLICY)
    ports = [free_port(), free_port()]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for port in ports
    ]
    own = free_port()
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(RULES)]
    targets = [f"127.0.0.1:{port}" for port in ports]
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": targets}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    url = f"http://127.0.0.1:{own}"
    try:
        for port, process in zip(ports, processes, strict=True):
            ready(f"http://127.0.0.1:{port}", process)
        processes.append(
            subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={tmp_path / 'prometheus.yml'}",
                    f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{own}",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        for port, count in zip(ports, SENT, strict=True):
            send(port, key, count)
        values = 'tokenkit_batch_values_total{operation="tokenize",scheme="us-ssn",key="people"'
        sums = {
            'sum(tokenkit_values_total{operation="detokenize",outcome="done"})': len(SENT),
            'max(tokenkit_batches_total{outcome="complete"})': len(SENT),
            'max(tokenkit_batches_total{outcome="failed"})': len(SENT),
            'max(tokenkit_batch_rows_total{outcome="written"})': 3 * len(SENT),
            f'max({values},outcome="done"}})': 2 * len(SENT),
            f'max({values},outcome="failed"}})': len(SENT),
            "max(tokenkit_batch_queue_oldest_seconds)": 0,
            "sum(tokenkit_processes)": len(SENT),
            'sum(tokenkit_http_requests_total{route="/v1/tokenize",status="200"})': sum(SENT),
            'sum(tokenkit_values_total{operation="tokenize",outcome="done"})': sum(SENT),
            'sum(tokenkit_http_request_duration_seconds_count{route="/v1/tokenize"})': sum(SENT),
            'count(up{job="tokenkit"} == 1)': len(SENT),
        }
        until_found(url, sums)
        names = {name for one in expressions() for name in re.findall(r"\btokenkit_\w+", one)}
        assert len(names) > 15
        there = set(httpx.get(f"{url}/api/v1/label/__name__/values").json()["data"])
        assert names - there == set()
        documented = set(re.findall(r"`(tokenkit_\w+)`", DOCUMENTED.read_text()))
        there |= {name.removesuffix("_count") for name in there}
        assert documented - there == set()
        undocumented = {name for name in there - documented if name.startswith("tokenkit_")}
        endings = ("_bucket", "_count", "_sum", "_created")
        assert {name for name in undocumented if not name.endswith(endings)} == set()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(PATIENCE)
