"""Batches done by a real Dagster: the service killed, a run killed, each batch once and whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import create_engine, inspect, text

from tests.integration.canaries import forms
from tests.integration.dagster_processes import ROOT, deployed, until
from tests.integration.test_service_faults import free_port, prepared, ready
from tokenkit.batches.figures import Total
from tokenkit.batches.queue import Batches
from tokenkit.store.audit import tail
from tokenkit.store.database import Database

SSN, BAD_SSN, KEPT = "219-09-7731", "CANARY-SSN-771205", "KEPTNOTE-31337"
DAGSTER_TOKEN = "CANARY-dagster-token-4417730"
CANARIES = (SSN, BAD_SSN, KEPT, DAGSTER_TOKEN)
POLICY = """\
columns:
  ssn: {scheme: us-ssn, key: people, on_invalid: reject}
  note: {scheme: text, key: people}
  again: {scheme: text, key: payments}
unlisted: keep
rejects: {key: people}
"""
ROWS = 1_000_000
FILE = (
    b"number,ssn,note,again,kept\n"
    + f"0,{BAD_SSN},a note,again,{KEPT}\n".encode()
    + b"".join(b"%d,219-09-7731,note %d,again %d,KEPTNOTE-31337\n" % (n, n, n) for n in range(ROWS))
)
BROKEN = f"number,ssn,note,again\n1,{SSN},{KEPT}\n".encode()


@contextmanager
def serving(environment, key):
    """Run the service; gives its process, and a client. It is told to end if it is still there."""
    port = free_port()
    command = [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            ready(url, process)
            headers = {"authorization": f"Bearer {key}"}
            with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
                yield process, client
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def place(postgresql, empty_postgresql, tmp_path, monkeypatch):
    """Dagster and what the service needs, both on PostgreSQL."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(postgresql.url, tmp_path)
    (tmp_path / "policies" / "files.yaml").write_text(POLICY)
    environment["TOKENKIT_SERVICE_BATCHES"] = str(tmp_path / "batches")
    shutil.copytree(ROOT / "pipelines/jobs", tmp_path / "jobs")
    (tmp_path / "data" / "inbox").mkdir(parents=True)
    known = {
        "TOKENKIT_JOBS": str(tmp_path / "jobs"),
        "DAGSTER_POSTGRES_USER": "postgres",
        "DAGSTER_POSTGRES_PASSWORD": "",
        "DAGSTER_POSTGRES_HOST": "",
        "DAGSTER_POSTGRES_DB": empty_postgresql.name,
        "PGHOST": str(empty_postgresql.server.folder),
    }
    settings = ROOT / "deploy/dagster/dagster.yaml"
    with deployed(tmp_path / "home", settings, environment | known) as deployment:
        environment |= {
            "TOKENKIT_SERVICE_DAGSTER_URL": deployment.url,
            "TOKENKIT_SERVICE_DAGSTER_TOKEN": DAGSTER_TOKEN,
            "TOKENKIT_SERVICE_LOG_FOLDER": str(tmp_path / "logs"),
        }
        yield deployment, environment, key


def upload(client, content):
    made = client.post("/v1/batches", params={"policy": "files"}, content=content)
    assert made.status_code == 202, made.text
    return made.json()["id"]


def state(client, batch):
    return client.get(f"/v1/batches/{batch}").json()


def runs_of(deployment, batch):
    return deployment.runs(tags=[{"key": "tokenkit/batch", "value": batch}])


def begun(deployment, client, batch):
    """Wait until a batch is being worked on, and give the process of its run."""
    [run] = until(lambda: runs_of(deployment, batch), "its run")
    pid = until(lambda: deployment.pid(run["runId"]), "its process", 0.1)
    until(lambda: state(client, batch)["state"] == "running", "its beginning", 0.02)
    time.sleep(0.3)
    return pid


def over(client, batch):
    """Wait until a batch is over, and give it."""
    until(lambda: state(client, batch)["state"] not in {"queued", "running"}, "its end")
    return state(client, batch)


def by_command_line(folder, environment):
    """Do the same as a job from the command line, and give what it wrote."""
    (folder / "plain.csv").write_bytes(FILE)
    command = [
        *(sys.executable, "-m", "tokenkit.cli.app", "tokenize", str(folder / "plain.csv")),
        *("-o", str(folder / "plain.out.csv")),
        *("--policy", str(folder / "policies" / "files.yaml")),
    ]
    store = f"sqlite:///{folder / 'plain.db'}"
    environment = environment | {"TOKENKIT_DATABASE_URL": store}
    ended = subprocess.run(command, check=False, env=environment, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
    return (folder / "plain.out.csv").read_bytes()


@pytest.mark.slow
def test_each_batch_is_done_once_whoever_is_killed(place, postgresql, empty_postgresql, tmp_path):
    """A million rows by upload, poll and download, three times: the service killed with -9
    half-way and started again, a run killed with -9 half-way, one cancelled half-way; and a file
    that is broken. What is complete is what the command line makes, to the byte; state, audit log
    and totals have each once; no value and no token is in what Dagster keeps."""
    deployment, environment, key = place
    with serving(environment, key) as (process, client):
        broken, first = upload(client, BROKEN), upload(client, FILE)
        begun(deployment, client, first)
        assert state(client, first)["state"] == "running"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    with serving(environment, key) as (_, client):
        second, third = upload(client, FILE), upload(client, FILE)
        os.kill(begun(deployment, client, second), signal.SIGKILL)
        assert state(client, second)["state"] == "running"
        until(lambda: state(client, third)["state"] == "running", "the third begins", 0.02)
        assert client.post(f"/v1/batches/{third}/cancel").status_code in {200, 202}
        until(lambda: state(client, third)["state"] == "cancelled", "it is cancelled")
        expected = by_command_line(tmp_path, environment)
        for batch, attempt in ((first, 1), (second, 2)):
            done = over(client, batch)
            assert (done["state"], done["attempt"]) == ("complete", attempt)
            assert (done["rows_written"], done["rows_rejected"]) == (ROWS, 1)
            assert client.get(f"/v1/batches/{batch}/result").content == expected
            assert len(runs_of(deployment, batch)) == attempt
        failed = over(client, broken)
        assert (failed["state"], failed["attempt"]) == ("failed", 1)
    runs = [run for batch in (broken, first, second, third) for run in runs_of(deployment, batch)]
    until(
        lambda: {one["status"] for one in runs_of(deployment, second)} == {"FAILURE", "SUCCESS"},
        "Dagster notices",
    )
    assert runs_of(deployment, broken)[0]["status"] == "FAILURE"
    assert [run["status"] for run in runs_of(deployment, third)] == ["SUCCESS"]
    check_store(postgresql.url, {"complete": [first, second], "failed": [broken, third]})
    check_dagster(deployment, runs, empty_postgresql.url, tmp_path)


def check_store(url, ended):
    """The audit log has each end once, and so have the totals."""
    with Database.open(url) as database:
        rows = tail(database, 100, action="batch.tokenize")
        found = sorted((row["outcome"], row["object"]) for row in rows)
        wanted = [(how, f"batch:{batch}") for how, batches in ended.items() for batch in batches]
        assert found == sorted(wanted)
        totals = Batches(database).totals()
        for outcome, count in (("complete", 2), ("failed", 1), ("cancelled", 1)):
            assert totals[Total(measure="batches", outcome=outcome)] == count
        assert totals[Total(measure="rows", outcome="written")] == 2 * ROWS
        assert totals[Total(measure="rows", outcome="rejected")] == 2


def check_dagster(deployment, runs, url, folder):
    """Neither its database nor its files, nor the service's logs, hold a value or the token."""
    seen = [json.dumps(runs), *(deployment.messages(run["runId"]) for run in runs)]
    engine = create_engine(url)
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            seen += [str(row) for row in connection.execute(text(f'SELECT * FROM "{table}"'))]
    engine.dispose()
    content = "\n".join(seen).encode()
    for place in ("home", "logs"):
        files = [path for path in (folder / place).rglob("*") if path.is_file()]
        content += b"".join(path.read_bytes() for path in files)
    assert b"work_on_batch" in content
    for canary in CANARIES:
        assert [form for form in forms(canary) if form in content] == [], canary
