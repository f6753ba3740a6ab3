"""``tokenkit audit`` from the command line."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from tokenkit.cli.app import app
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.database import Database

RUNNER = CliRunner()
START = datetime(2026, 1, 30, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def log(tmp_path, monkeypatch, database_url):
    """A log of four records, in January and in February."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "KEYRING_PASSPHRASE": "correct horse",
        "TOKENKIT_KEK": "passphrase:env:KEYRING_PASSPHRASE",
        "TOKENKIT_KEYRING": "keyring.json",
        "TOKENKIT_DATABASE_URL": database_url,
        "TOKENKIT_AUDIT_CHECKPOINTS": str(tmp_path / "checkpoints.jsonl"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(name, value)
    provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    records = [
        AuditRecord(
            at=START + timedelta(days=number),
            actor="ada\x1b[2J",
            action="tokenize" if number else "rekey",
            outcome="complete",
            count=number * 1_000,
        )
        for number in range(4)
    ]
    with (
        create_keyring("keyring.json", ["audit"], provider) as ring,
        Database.open(database_url) as database,
        database.begin() as connection,
    ):
        AuditLog(database).append(connection, records, audit_key(ring))
    return database_url


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return RUNNER.invoke(app, ["audit", *map(str, arguments)])


def test_tail_shows_the_last_records():
    """The newest last, as a table that no record takes over, or as JSON."""
    shown = run("tail", "-n", 2)
    assert shown.exit_code == 0, shown.output
    assert "3,000" in shown.output
    assert "rekey" not in shown.output
    assert "\x1b" not in shown.output
    records = json.loads(run("tail", "--json", "--action", "rekey").output)
    assert [(one["batch"], one["position"], one["at"]) for one in records] == [
        (1, 1, START.isoformat())
    ]
    assert json.loads(run("tail", "--json", "--run", "none").output) == []


def test_verify_says_what_holds_and_what_is_unprotected():
    """Until a checkpoint is signed, the end could be cut off."""
    found = run("verify")
    assert found.exit_code == 0, found.output
    assert "no checkpoint" in found.output
    assert "The log holds" in found.output
    assert "4 records in 2 batches" in run("checkpoint").output
    found = run("verify", "--json")
    shown = json.loads(found.output)
    assert (shown["holds"], shown["records"], shown["unprotected_records"]) == (True, 4, 0)
    assert run("verify", "--quiet").output == ""
    wrong = run("verify", "--checkpoints", "none.jsonl")
    assert wrong.exit_code == 1


def test_verify_names_the_first_bad_record(log):
    """By batch, place and time; no content is shown. It ends with 3."""
    with Database.open(log) as database, database.begin() as connection:
        if database.is_postgresql:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            connection.exec_driver_sql("DROP TRIGGER audit_records_no_update")
        connection.exec_driver_sql(
            "UPDATE audit_records SET actor = 'mallory' WHERE batch = 2 AND \"position\" = 1"
        )
    found = run("verify")
    assert found.exit_code == 3
    words = re.sub(r"\s+", " ", found.output)
    assert "batch 2, record 1 (2026-02-01 12:00:00.000000 UTC): isn't the record" in words
    assert "mallory" not in found.output
    assert json.loads(run("verify", "--json").output)["fault"] == {
        "what": "edited",
        "batch": 2,
        "position": 1,
        "at": "2026-02-01T12:00:00+00:00",
    }
    refused = run("retain", "--before", "2026-02", "--yes")
    assert (refused.exit_code, "TK704" in refused.output or "altered" in refused.output) == (
        1,
        True,
    )


def test_export_writes_a_span(tmp_path):
    """Times without a zone are UTC; what isn't a time is wrong usage."""
    written = run("export", "-o", "audit.parquet", "--since", "2026-02-01", "--until", "2026-02-02")
    assert written.exit_code == 0, written.output
    assert "Wrote 1 records" in written.output
    assert pl.read_parquet(tmp_path / "audit.parquet")["count"].to_list() == [2_000]
    assert run("export", "-o", "audit.parquet").exit_code == 1
    assert run("export", "-o", "audit.parquet", "--force", "--quiet").output == ""
    assert run("export", "-o", "other.parquet", "--since", "yesterday").exit_code == 2


def test_retain_removes_old_months_when_it_is_told_to():
    """It asks first, and verify tells what went."""
    assert run("retain", "--before", "2026-02").exit_code == 1
    assert run("retain", "--before", "February", "--yes").exit_code == 2
    done = run("retain", "--before", "2026-02", "--yes")
    assert "Removed 2 records" in done.output
    found = run("verify")
    assert found.exit_code == 0
    assert "2 of them, in 1 batches, were removed by retention" in found.output
