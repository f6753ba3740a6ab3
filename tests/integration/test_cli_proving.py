"""``tokenkit jobs check``, and ``--prove`` of ``tokenize``, from the command line."""

import json

import pytest
from typer.testing import CliRunner, Result

from tokenkit.cli.app import app
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider

RUNNER = CliRunner()
JOB = """\
source: in/${NAME}.csv
policy: {columns: {ssn: {scheme: us-ssn, key: people}}, unlisted: keep}
sink: out/${NAME}.csv
options: {prove: true}
"""
ROWS = [f"{number:03d}-05-1120" for number in range(100, 200)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with a keyring, a job file and what it reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", "keyring.json")
    create_keyring(
        "keyring.json", ["people"], PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    ).close()
    (tmp_path / "job.yaml").write_text(JOB)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in/a.csv").write_text("\n".join(["ssn,n", *(f"{row},1" for row in ROWS), ""]))
    return tmp_path


def told(*arguments: object) -> Result:
    """Run a command in this process."""
    return RUNNER.invoke(app, [*map(str, arguments)])


def test_a_job_is_checked_by_its_record(folder):
    """It ends with 0; after one value was put back in clear with 3, and names its row."""
    done = told("run", "job.yaml", "--set", "NAME=a", "--json")
    assert done.exit_code == 0, done.output
    checked = told("jobs", "check", "job.yaml", "--set", "NAME=a")
    assert checked.exit_code == 0, checked.output
    assert "stands for what was read" in checked.output
    lines = (folder / "out/a.csv").read_text().splitlines()
    lines[42] = f"{ROWS[41]},1"
    (folder / "out/a.csv").write_text("\n".join([*lines, ""]))
    checked = told("jobs", "check", "job.yaml", "--set", "NAME=a")
    assert checked.exit_code == 3, checked.output
    assert "ssn: row 41 of a.csv, made of row 41 of a.csv" in checked.output
    assert ROWS[41] not in checked.output
    run = json.loads(done.stdout)["run"]
    checked = told("jobs", "check", "job.yaml", "--set", "NAME=a", "--run", run, "--json")
    found = json.loads(checked.stdout)
    assert (checked.exit_code, found["holds"], found["run"]) == (3, False, run)
    assert [(row["column"], row["row"]) for row in found["differing"]] == [("ssn", 41)]
    (folder / "in/a.csv").unlink()
    checked = told("jobs", "check", "job.yaml", "--set", "NAME=a", "--run", run)
    assert checked.exit_code == 3, checked.output
    assert "not what was read any more" in checked.output


def test_what_was_not_proved_cannot_be_checked(folder):
    """Neither is it taken for right."""
    (folder / "job.yaml").write_text(JOB.replace("true", "false"))
    assert told("run", "job.yaml", "--set", "NAME=a").exit_code == 0
    checked = told("jobs", "check", "job.yaml", "--set", "NAME=a")
    assert checked.exit_code == 1
    assert "no digest of what the run read is recorded" in checked.output


def test_tokenizing_can_be_proved(folder):
    """The report has the digests."""
    (folder / "policy.yaml").write_text(
        "columns: {ssn: {scheme: us-ssn, key: people}}\nunlisted: keep\n"
    )
    done = told("tokenize", "in/a.csv", "-o", "b.parquet", "-p", "policy.yaml", "--prove", "--json")
    assert done.exit_code == 0, done.output
    proofs = json.loads(done.stdout)["proofs"]
    assert list(proofs) == ["ssn"]
    assert len(bytes.fromhex(proofs["ssn"])) == 32
