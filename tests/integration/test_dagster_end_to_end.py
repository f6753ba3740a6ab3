"""Files dropped into the inbox of pipelines/, done by a webserver and a daemon, one run killed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tokenkit as tk
from tests.integration.dagster_processes import ROOT, Deployment, deployed, until
from tests.integration.stored import Stored
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.lineage.naming import of_file
from tokenkit.store.database import Database
from tokenkit.testing import write_customers

PARTITION = "dagster/partition"
FILES = {"clean": (500, 0.0), "dirty": (2_000, 0.05), "large": (600_000, 0.0)}
DAYS = ("2026-01-01", "2026-01-02")
CHECKS = ("every_row_accounted_for", "rejects_within_limit", "output_proved")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path, monkeypatch):
    """Give a copy of the job files, with a keyring and a store, and Dagster's settings."""
    shutil.copytree(ROOT / "pipelines/jobs", tmp_path / "jobs")
    for folder in ("inbox", "orders", "support", "lake/customers", "lake/orders"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    settings, store = ROOT / "dagster.yaml", f"sqlite:///{tmp_path / 'tokenkit.db'}"
    known = {}
    if request.param == "postgresql":
        settings = ROOT / "deploy/dagster/dagster.yaml"
        store = request.getfixturevalue("postgresql").url
        own = request.getfixturevalue("empty_postgresql")
        known = {
            "DAGSTER_POSTGRES_USER": "postgres",
            "DAGSTER_POSTGRES_PASSWORD": "",
            "DAGSTER_POSTGRES_HOST": "",
            "DAGSTER_POSTGRES_DB": own.name,
            "PGHOST": str(own.server.folder),
        }
    monkeypatch.setenv("PASSPHRASE", "tokens keep their form")
    provider = PassphraseProvider("env:PASSPHRASE", cost=2**10)
    create_keyring(tmp_path / "keyring.json", ["people", "payments"], provider).close()
    known |= {
        "TOKENKIT_JOBS": str(tmp_path / "jobs"),
        "TOKENKIT_KEYRING": str(tmp_path / "keyring.json"),
        "TOKENKIT_KEK": "passphrase:env:PASSPHRASE",
        "TOKENKIT_DATABASE_URL": store,
    }
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    with deployed(tmp_path / "home", settings, known) as deployment:
        yield tmp_path, deployment


def drop(folder: Path) -> dict[str, Path]:
    """Put three files into the inbox: written elsewhere and renamed, as senders should."""
    dropped = {}
    for name, (rows, dirty) in FILES.items():
        aside = folder / f"{name}.csv"
        write_customers(aside, rows, dirty=dirty)
        dropped[name] = aside.rename(folder / "data/inbox" / aside.name)
    return dropped


def runs_of(deployment: Deployment, name: str) -> list[dict[str, Any]]:
    """Give the runs of a file, the newest first."""
    runs = deployment.runs(pipelineName="customers_job")
    return [run for run in runs if run["tags"].get(PARTITION, "").startswith(f"{name}.csv@")]


def kill_while_writing(deployment: Deployment, lake: Path) -> str:
    """Wait until the large file's run is writing, kill it with signal 9, and give the run."""
    [begun] = until(lambda: runs_of(deployment, "large"), "the large run")
    run: str = begun["runId"]
    pid = until(lambda: deployment.pid(run) or 0, "its process", 0.05)

    def is_writing():
        return any(path.name.startswith(".large.csv@") for path in lake.iterdir())

    until(is_writing, "its output", 0.001)
    os.kill(pid, signal.SIGKILL)
    assert not [path for path in lake.iterdir() if path.name.startswith("large.csv@")]
    return run


@pytest.mark.slow
def test_each_file_is_done_once_though_a_run_is_killed(place):
    """Three files, one dirty and one large, whose run is killed: each is done once, and whole.

    Meanwhile two days are filled in.
    """
    folder, deployment = place
    lake = folder / "data/lake/customers"
    for day in DAYS:
        write_customers(folder / f"data/orders/{day}.csv", 50, dirty=0)
    backfill = deployment.backfill("orders", *DAYS)
    dropped = drop(folder)
    killed = kill_while_writing(deployment, lake)

    def ended():
        runs = deployment.runs(pipelineName="customers_job")
        done = [run for run in runs if run["status"] == "SUCCESS"]
        return runs if len(done) == len(FILES) else None

    runs = until(ended, "all files are done")
    by_id = {run["runId"]: run for run in runs}
    assert by_id[killed]["status"] == "FAILURE"
    [retry] = [run for run in runs if run["parentRunId"] == killed]
    assert retry["status"] == "SUCCESS"
    assert len(runs) == len(FILES) + 1
    keys = {name: runs_of(deployment, name)[0]["tags"][PARTITION] for name in FILES}

    support = deployment.launch("support_job")
    until(lambda: deployment.runs(runIds=[support])[0]["status"] == "SUCCESS", "the support job")

    tags = [{"key": "dagster/backfill", "value": backfill}]

    def filled():
        days = [run for run in deployment.runs(tags=tags) if run["status"] == "SUCCESS"]
        return {run["tags"][PARTITION] for run in days} == set(DAYS)

    until(filled, "the backfill")
    for day in DAYS:
        assert pl.read_parquet(folder / f"data/lake/orders/{day}.parquet").height == 50

    check_files(lake, keys, dropped, folder / "data/support/customers.csv")
    dirty = pl.read_csv(dropped["dirty"], infer_schema=False)
    tokens = pl.read_parquet(lake / f"{keys['dirty']}.parquet")
    cards = [*dirty["card"].drop_nulls(), *tokens["card"].drop_nulls()]
    # Shorter ones might stand anywhere.
    values = [card for card in cards if len(card) > 8][::10]
    check_dagster(deployment, keys, [*by_id, support], values)
    check_files_of_dagster(folder / "home", values)
    check_store(lake, keys, os.environ["TOKENKIT_DATABASE_URL"])


def check_files(lake: Path, keys, dropped, support: Path) -> None:
    """Every row is in one output or among the rejected; nothing else lies there."""
    rejects = lake / f"{keys['dirty']}.parquet.rejects.parquet"
    expected = {f"{key}.parquet" for key in keys.values()} | {rejects.name}
    assert {path.name for path in lake.iterdir()} == expected
    total = 0
    for name, (rows, dirty) in FILES.items():
        source = pl.read_csv(dropped[name], infer_schema=False).drop("note")
        back = tk.scan(lake / f"{keys[name]}.parquet").collect()
        total += back.height
        if dirty:
            rejected = tk.open_rejects(rejects).drop("note")
            assert rejected.height > 0
            back = pl.concat([back, rejected.select(back.columns)]).sort("customer_id")
            source = source.sort("customer_id")
        assert back.height == rows
        assert back.select(source.columns).equals(source)
    assert pl.scan_csv(support).select(pl.len()).collect().item() == total


def check_files_of_dagster(home: Path, values) -> None:
    """No value and no token is in Dagster's logs or in its database, if that is a file."""
    content = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"customers" in content
    assert [value for value in values if value.encode() in content] == []


def check_dagster(deployment: Deployment, keys, runs, values) -> None:
    """Dagster shows each partition once, with its counts and passed checks, and no value."""
    shown = {one["partition"]: one for one in deployment.materializations("customers")}
    assert set(shown) == set(keys.values())
    assert len(deployment.materializations("customers")) == len(FILES)
    for name, (rows, dirty) in FILES.items():
        found = shown[keys[name]]["metadata"]
        assert found["rows_read"] == rows == found["rows_written"] + found["rows_rejected"]
        assert (found["rows_rejected"] > 0) == (dirty > 0)
    done = [one["runId"] for one in shown.values()]
    for check in CHECKS:
        found = {one["runId"]: one["status"] for one in deployment.checks("customers", check)}
        assert {run: found[run] for run in done} == dict.fromkeys(done, "SUCCEEDED")
    logs = "".join(deployment.messages(run) for run in runs)
    assert [value for value in values if value in logs] == []


def check_store(lake: Path, keys, url: str) -> None:
    """Lineage has one complete run for each output, and the audit log holds."""
    with Database.open(url) as database:
        stored = Stored(database)
        complete = [run for run in stored.runs if run.status == "complete"]
        outputs = [run.outputs[0].dataset for run in complete if run.operation == "tokenize"]
        wanted = [of_file(lake / f"{key}.parquet") for key in keys.values()]
        wanted += [of_file(lake.parent / f"orders/{day}.parquet") for day in DAYS]
        assert sorted(outputs) == sorted(wanted)
        for run in complete:
            assert stored.outcomes(run)[-1] == "complete"
    command = [sys.executable, "-m", "tokenkit.cli.app", "audit", "verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
