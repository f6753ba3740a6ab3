"""Commands record what they do in the database that the environment names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.integration.stored import Stored
from tokenkit.cli.app import app
from tokenkit.keys import create_keyring, edit_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.store.audit import tail
from tokenkit.store.database import Database

ROOT = Path(__file__).parents[2]
RUNNER = CliRunner()
POLICY = """\
columns:
  ssn: {scheme: us-ssn, key: people, on_invalid: reject}
unlisted: keep
"""
CORRECTED = """\
columns:
  ssn: {scheme: text, key: people}
unlisted: keep
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with a keyring, a policy and a database of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", "keyring.json")
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", f"sqlite:///{tmp_path}/store/tokenkit.db")
    provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    create_keyring("keyring.json", ["people"], provider).close()
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "corrected.yaml").write_text(CORRECTED)
    (tmp_path / "a.csv").write_text("ssn,city\n078-05-1120,Oslo\nnone,Rome\n")
    return tmp_path


def run(*arguments):
    """Run a command that succeeds."""
    done = RUNNER.invoke(app, [*arguments])
    assert done.exit_code == 0, done.output


def commands(*more):
    """Give one command of each kind that records."""
    run("tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml", *more)
    run("detokenize", "b.csv", "-o", "c.csv", *more)
    rejects = "b.csv.rejects.parquet"
    run("rejects", "replay", rejects, "-o", "d.csv", "-p", "corrected.yaml", *more)
    with edit_keyring("keyring.json") as ring:
        ring.rotate("people")
    run("rekey", "b.csv", "--in-place", *more)
    run("rekey", "d.csv", "-o", "e.csv", *more)


def test_every_command_records(folder):
    """Tokenize, detokenize, replay and rekey are runs, in their order."""
    commands()
    with Database.open() as database:
        runs = Stored(database).runs
    assert [record.operation for record in runs] == [
        "tokenize",
        "detokenize",
        "tokenize",
        "rekey",
        "rekey",
    ]
    assert {record.status for record in runs} == {"complete"}
    names = [record.outputs[0].dataset.name.rpartition("/")[2] for record in runs]
    assert names == ["b.csv", "c.csv", "d.csv", "b.csv", "e.csv"]


def test_no_lineage(folder):
    """With --no-lineage none of them records, and no database is made."""
    commands("--no-lineage")
    assert not (folder / "store").exists()


def test_commands_that_write_nothing(folder):
    """A dry run, and what only looks, need no database."""
    run("tokenize", "a.csv", "-p", "policy.yaml", "--dry-run")
    run("tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml", "--no-lineage")
    run("inspect", "b.csv")
    run("rejects", "show", "b.csv.rejects.parquet")
    assert not (folder / "store").exists()


def test_what_reveals_is_audited(folder):
    """Opening rejected rows and searching tokens: before it is done, and how it ended; by nothing
    that was typed."""
    run("tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml")
    run("rejects", "open", "b.csv.rejects.parquet", "-o", "opened.parquet")
    refused = ["rejects", "open", "b.csv.rejects.parquet", "-o", "opened.parquet"]
    assert RUNNER.invoke(app, refused).exit_code == 1
    search = ["search-tokens", "-p", "policy.yaml", "--column", "ssn"]
    assert RUNNER.invoke(app, search, input="078-05-1120\n").exit_code == 0
    unknown = ["search-tokens", "-p", "policy.yaml", "--column", "078-05-1120"]
    assert RUNNER.invoke(app, unknown, input="078-05-1120\n").exit_code == 1
    with Database.open() as database:
        opened, searched = (
            tail(database, 100, action=action) for action in ("rejects.open", "tokens.search")
        )
    assert [(row["outcome"], row["count"]) for row in opened] == [
        ("prepared", None),
        ("complete", 1),
        ("prepared", None),
        ("failed", None),
    ]
    assert {row["object"] for row in opened} == {f"file:{folder}/b.csv.rejects.parquet"}
    assert [(row["outcome"], row["count"]) for row in searched] == [
        ("prepared", None),
        ("complete", 1),
        ("prepared", None),
        ("failed", None),
    ]
    assert "078-05-1120" not in str(opened + searched)
    run("audit", "verify")


def test_what_cannot_be_audited_is_not_done(folder, monkeypatch):
    """Without a store rejected rows stay sealed, unless nothing is to be recorded."""
    run("tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml", "--no-lineage")
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", f"postgresql://ann:secret@/x?host={folder}")
    command = ["rejects", "open", "b.csv.rejects.parquet", "-o", "opened.parquet"]
    assert RUNNER.invoke(app, command).exit_code == 1
    assert not (folder / "opened.parquet").exists()
    run(*command, "--no-lineage")


def test_a_store_that_is_not_there(folder, monkeypatch):
    """Without a store a command fails before it reads, and says what to do."""
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", f"postgresql://ann:secret@/x?host={folder}")
    command = ["tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml"]
    done = RUNNER.invoke(app, command)
    assert done.exit_code == 1
    assert "can't be reached" in done.stderr
    assert "hint: " in done.stderr
    assert "secret" not in done.output
    assert sorted(path.name for path in folder.glob("*b.csv*")) == []
    run(*command, "--no-lineage")


def test_a_lost_event_is_one_line(folder):
    """A warning of ours is a line, without a place in the code."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TOKENKIT_OPENLINEAGE_FILE": str(folder / "nowhere" / "events.jsonl"),
    }
    arguments = ["tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "tokenkit.cli.app", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == (
        "warning: OpenLineage events were not delivered: No such file or directory; "
        "the run itself is recorded\n"
    )
