"""``tokenkit tokenize``, ``detokenize`` and ``schemes`` from the command line."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from tokenkit.cli.app import app
from tokenkit.keys import create_keyring, edit_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.testing.customers import write_customers

RUNNER = CliRunner()
CANARY = "CANARY4111111111111112"
POLICY = """\
columns:
  card: {scheme: credit-card, key: payments, keep: {last: 4}, on_invalid: null}
  ssn: {scheme: us-ssn, key: people, on_invalid: null}
  account: {scheme: alphanumeric, key: people, on_invalid: null}
  email: {scheme: text, key: people}
unlisted: keep
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with a keyring and a policy; the passphrase's cost is at its lowest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", "keyring.json")
    provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    create_keyring("keyring.json", ["payments", "people"], provider).close()
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return RUNNER.invoke(app, [*map(str, arguments)])


def test_csv_to_parquet_to_csv(folder):
    """Customers come back equal, cell by cell, without telling anything twice."""
    write_customers("a.csv", 5_000, dirty=0)
    done = run("tokenize", "a.csv", "-o", "b.parquet", "--policy", "policy.yaml")
    assert done.exit_code == 0, done.output
    assert "5,000 rows read" in done.output
    assert re.search(r"card\W+credit-card\W+4,\d\d\d", done.output)
    done = run("detokenize", "b.parquet", "-o", "c.csv")
    assert done.exit_code == 0, done.output
    before = pl.read_csv("a.csv", infer_schema=False)
    tokens = pl.read_parquet("b.parquet")
    kept = [name for name in before.columns if name not in {"card", "ssn", "account", "email"}]
    assert tokens.select(kept).equals(before.select(kept))
    assert (
        not tokens["card"]
        .drop_nulls()
        .filter(tokens["card"].drop_nulls() != "")
        .is_in(before["card"].drop_nulls().implode())
        .any()
    )
    assert pl.read_csv("c.csv", infer_schema=False).equals(before)
    assert (folder / "c.csv").read_bytes() == (folder / "a.csv").read_bytes()


def test_dirty_values_become_null_and_are_counted():
    """The report counts what didn't fit, by column and reason."""
    write_customers("a.csv", 5_000, dirty=0.1)
    done = run("tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    column = report["columns"]["card"]
    assert sum(column["invalid"].values()) > 100
    assert (
        column["done"] + column["null"] + column["empty"] + sum(column["invalid"].values()) == 5_000
    )
    assert report["rows_read"] == report["rows_written"] == 5_000
    before, after = (pl.read_csv(name, infer_schema=False)["card"] for name in ("a.csv", "b.csv"))
    assert after.null_count() - before.null_count() == sum(column["invalid"].values())


def test_error_deletes_the_output_and_shows_the_counts(folder):
    """Exit code 3, one line and a hint, the table before it, and no value anywhere."""
    (folder / "strict.yaml").write_text(POLICY.replace(", on_invalid: null", ""))
    write_customers("a.csv", 1_000, dirty=0.2)
    rows = (folder / "a.csv").read_text().replace(",(", f",{CANARY}(", 5)
    (folder / "a.csv").write_text(rows)
    before = sorted(folder.iterdir())
    done = run("tokenize", "a.csv", "-o", "b.csv", "-p", "strict.yaml")
    assert done.exit_code == 3
    assert "check_digit" in done.output
    assert done.stderr.startswith("error: values that do not fit, in 1,000 rows: ")
    assert "hint: correct the input" in done.stderr
    assert CANARY not in done.output
    assert sorted(folder.iterdir()) == before
    done = run("tokenize", "a.csv", "-o", "b.csv", "-p", "strict.yaml", "--json")
    assert json.loads(done.stdout)["rows_written"] == 0
    done = run("tokenize", "a.csv", "-o", "b.csv", "-p", "strict.yaml", "--quiet")
    assert done.stdout == ""
    assert done.exit_code == 3


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (f"{CANARY},2\n{CANARY},4\n", "csv"),
        (f"card,ssn\n{CANARY},2,3\n", "csv"),
        (f'card,ssn\n"{CANARY},2\n3,4\n', "csv"),
        (f"card,ssn\n{CANARY},2\n", "csv"),
        (f"card,card\n{CANARY},2\n", "csv"),
        (CANARY, "parquet"),
        ("PAR1" + CANARY + "PAR1", "parquet"),
    ],
)
def test_no_value_shows_in_any_error(folder, content, suffix):
    """Whatever is wrong with a file, no error quotes it, and no file stays."""
    (folder / f"a.{suffix}").write_text(content)
    (folder / "p.yaml").write_text(
        "columns: {card: {scheme: credit-card, key: payments}, ssn: {action: keep}}\n"
    )
    before = sorted(folder.iterdir())
    done = run("tokenize", f"a.{suffix}", "-o", "b.csv", "-p", "p.yaml")
    assert done.exit_code in (1, 3)
    assert done.stderr.startswith("error: ")
    assert "unforeseen" not in done.stderr
    assert CANARY not in done.output
    assert "Traceback" not in done.output
    assert sorted(folder.iterdir()) == before


def test_old_files_detokenize_after_rotation(folder):
    """Nothing says which version made a file but the file itself."""
    write_customers("a.csv", 200, dirty=0)
    assert run("tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml", "-q").exit_code == 0
    with edit_keyring("keyring.json") as ring:
        ring.rotate("payments")
        ring.rotate("people")
    done = run("detokenize", "b.csv", "-o", "c.csv")
    assert done.exit_code == 0, done.output
    assert (folder / "c.csv").read_bytes() == (folder / "a.csv").read_bytes()
    (folder / "b.csv.tokenkit.json").unlink()
    done = run("detokenize", "b.csv", "-o", "d.csv", "-p", "policy.yaml")
    assert done.exit_code == 1
    assert "nothing says which one made the tokens" in done.stderr


def test_an_output_is_replaced_only_when_asked():
    """The same run is skipped; another one's output is replaced with --force."""
    write_customers("a.csv", 10, dirty=0)
    command = ["tokenize", "a.csv", "-o", "b.parquet", "-p", "policy.yaml"]
    assert run(*command).exit_code == 0
    done = run(*command)
    assert done.exit_code == 0
    assert "nothing to do" in done.stdout
    write_customers("a.csv", 20, dirty=0)
    done = run(*command)
    assert done.exit_code == 1
    assert "--force" in done.stderr
    assert run(*command, "--force").exit_code == 0


def test_a_long_job_shows_its_progress(monkeypatch):
    """On a terminal, a bar counts rows, and says when their number is an estimate."""
    monkeypatch.setattr("tokenkit.cli.progress_bar._PATIENCE", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    write_customers("a.csv", 100, dirty=0)
    done = run("tokenize", "a.csv", "-o", "b.csv", "-p", "policy.yaml")
    assert done.exit_code == 0, done.output
    assert "Tokenizing" in done.stderr
    assert "of about" in done.stderr
    done = run("tokenize", "a.csv", "-o", "c.csv", "-p", "policy.yaml", "--quiet")
    assert done.output == ""
    monkeypatch.delenv("FORCE_COLOR")
    done = run("tokenize", "a.csv", "-o", "d.csv", "-p", "policy.yaml")
    assert done.stderr == ""


def test_usage_errors_are_2():
    """A missing option, or one that isn't there."""
    assert run("tokenize", "a.csv").exit_code == 2
    assert run("tokenize", "a.csv", "-o", "b.csv").exit_code == 2
    assert run("detokenize", "a.csv", "-o", "b.csv", "--fast").exit_code == 2


def test_schemes_are_shown():
    """The table and the JSON hold every scheme."""
    shown = run("schemes")
    listed = run("schemes", "--json")
    assert shown.exit_code == listed.exit_code == 0
    for scheme in json.loads(listed.stdout):
        assert scheme["name"] in shown.stdout


@pytest.fixture
def big(folder):
    """Give a file that takes a second or two."""
    rows = pl.int_range(10**15, 10**15 + 2_000_000, eager=True).alias("id")
    rows.to_frame().select(pl.col("id").cast(pl.String), other="id").write_parquet("big.parquet")
    (folder / "big.yaml").write_text(
        "columns: {id: {scheme: digits, key: people}}\nunlisted: keep\n"
    )


def started(target: str) -> subprocess.Popen[bytes]:
    """Start the job in a process of its own, and wait until it writes."""
    command = [sys.executable, "-m", "tokenkit.cli.app", "tokenize", "big.parquet"]
    command += ["-o", target, "-p", "big.yaml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(Path().glob(".*.tmp")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


@pytest.mark.slow
@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(folder, number):
    """Ctrl-C and SIGTERM end the job soon, and remove its temporary file."""
    before = sorted(folder.iterdir())
    process = started("out.parquet")
    time.sleep(0.2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert b"Traceback" not in errors
    assert sorted(folder.iterdir()) == before


@pytest.mark.slow
@pytest.mark.usefixtures("big")
def test_a_killed_job_leaves_no_output(folder):
    """Killed at any moment, there is no file under the final name, or a complete one."""
    for moment in (0.0, 0.1, 0.3, 0.6, 0.9):
        process = started("out.csv")
        time.sleep(moment)
        process.kill()
        process.communicate()
        if (folder / "out.csv").exists():
            assert pl.scan_csv("out.csv").select(pl.len()).collect().item() == 2_000_000
            assert (folder / "out.csv.tokenkit.json").exists()
            (folder / "out.csv").unlink()
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink()
    assert run("tokenize", "big.parquet", "-o", "out.csv", "-p", "big.yaml", "-q").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["tokenize", "a.csv", "-o", "b.csv", "--policy", "reject.yaml", "--no-lineage"],
        ["detokenize", "tokens.csv", "-o", "c.csv", "--no-lineage"],
    ],
)
def test_csv_loads_no_pyarrow(folder, arguments):
    """A CSV job, rejected rows and all, loads neither pyarrow nor the numpy that comes with it.

    Recording it does: the audit log's chain takes Arrow columns.
    """
    (folder / "a.csv").write_text("ssn\n078-05-1120\nunknown\n")
    column = "columns:\n  ssn: {scheme: us-ssn, key: people, on_invalid: reject}\n"
    (folder / "reject.yaml").write_text(column)
    assert run("tokenize", "a.csv", "-o", "tokens.csv", "--policy", "reject.yaml").exit_code == 0
    code = (
        "import sys\n"
        "from tokenkit.cli.app import main\n"
        f"sys.argv = {['tokenkit', *arguments]}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "loaded = {'pyarrow', 'numpy', 'pandas'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
