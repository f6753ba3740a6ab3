"""``tokenkit rekey`` from the command line."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from tokenkit.cli.app import app
from tokenkit.keys import create_keyring, edit_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider

RUNNER = CliRunner()
POLICY = "columns:\n  id: {scheme: digits, key: people}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with tokens of a key that was rotated since."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", "keyring.json")
    provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    create_keyring("keyring.json", ["people"], provider).close()
    (tmp_path / "policy.yaml").write_text(POLICY)
    pl.DataFrame({"id": [f"{n:09}" for n in range(100)]}).write_csv("rows.csv")
    assert run("tokenize", "rows.csv", "-o", "old.csv", "-p", "policy.yaml").exit_code == 0
    with edit_keyring("keyring.json") as ring:
        ring.rotate("people")
    return tmp_path


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return RUNNER.invoke(app, [*map(str, arguments)])


def test_rekey_to_a_new_file_and_verify(folder):
    """The report says what was done, --verify holds, and the values come back."""
    done = run("rekey", "old.csv", "-o", "new.csv")
    assert done.exit_code == 0, done.output
    assert "1 to 2" in done.output
    assert "100 rows in 1 files rekeyed" in done.output
    assert "passed over" in run("rekey", "old.csv", "-o", "new.csv").output
    verified = run("rekey", "--verify", "old.csv", "new.csv")
    assert verified.exit_code == 0
    assert "Every value is there" in verified.output
    assert run("verify", "rows.csv", "new.csv").exit_code == 0


def test_in_place_with_a_record(folder):
    """A file replaced in place is proved by the record of its rekey, until a token changes."""
    done = run("rekey", "old.csv", "--in-place", "--json")
    assert done.exit_code == 0
    (folder / "record.json").write_text(done.stdout)
    assert json.loads(done.stdout)["files"][0]["columns"]["id"]["value"] == 100
    assert run("rekey", "--verify", "old.csv", "--record", "record.json", "--json").exit_code == 0
    lines = (folder / "old.csv").read_text().splitlines(keepends=True)
    lines[3], lines[4] = lines[4], lines[3]
    (folder / "old.csv").write_text("".join(lines))
    failed = run("rekey", "--verify", "old.csv", "--record", "record.json")
    assert failed.exit_code == 3
    assert "does not hold" in failed.output


def test_back_to_an_older_version(folder):
    """--to N makes the tokens that version N made; a number that isn't there is an error."""
    assert run("rekey", "old.csv", "--in-place").exit_code == 0
    assert run("rekey", "old.csv", "-o", "first.csv", "--to", 1).exit_code == 0
    old = run("rekey", "--verify", "old.csv", "first.csv", "--quiet")
    assert (old.exit_code, old.output) == (0, "")
    assert run("rekey", "old.csv", "-o", "x.csv", "--to", 7).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["old.csv"],
        ["old.csv", "rows.csv", "--in-place"],
        ["old.csv", "-o", "new.csv", "--in-place"],
        ["old.csv", "--verify"],
        ["old.csv", "new.csv", "--verify", "-o", "x"],
        ["old.csv", "--in-place", "--record", "x"],
        ["old.csv", "--in-place", "--to", "newest"],
    ],
)
def test_wrong_usage(arguments):
    """What contradicts itself is wrong usage, and nothing is done."""
    assert run("rekey", *arguments).exit_code == 2
