"""``tokenkit keys`` from the command line, with the contract's own passphrase cost."""

import json
import os
import stat
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from tokenkit.cli.app import app
from tokenkit.keys import open_keyring

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def kek(monkeypatch):
    """Configure a KEK in the environment."""
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")


@pytest.fixture
def path(tmp_path):
    """Give the path of a keyring that isn't there yet."""
    return tmp_path / "keyring.json"


def run(*arguments: object) -> Result:
    """Run ``tokenkit keys`` in this process."""
    return RUNNER.invoke(app, ["keys", *map(str, arguments)])


def test_create_list_rotate(path):
    """What is created is listed, and what is rotated has a new primary version."""
    created = run("create", path, "--key", "payments", "--key", "people")
    assert created.exit_code == 0, created.output
    assert "2 keys: payments, people" in created.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rotated = run("rotate", path, "payments")
    assert rotated.exit_code == 0, rotated.output
    assert "version 2" in rotated.output
    listed = run("list", path, "--json")
    assert listed.exit_code == 0, listed.output
    rows = json.loads(listed.output)
    assert [(row["key"], row["version"], row["state"], row["primary"]) for row in rows] == [
        ("payments", 1, "enabled", False),
        ("payments", 2, "enabled", True),
        ("people", 1, "enabled", True),
    ]
    with open_keyring(path) as ring:
        versions = [version for name in ring for version in ring[name].versions]
        assert [row["id"] for row in rows] == [version.id for version in versions]
        assert [row["check_value"] for row in rows] == [
            version.check_value.hex() for version in versions
        ]
    table = run("list", path)
    assert table.exit_code == 0
    for row in rows:
        assert str(row["id"]) in table.output
        assert row["created"] in table.output


def test_kek_option_goes_before_the_environment(path, tmp_path):
    """--kek names another passphrase than TOKENKIT_KEK."""
    secret = tmp_path / "passphrase"
    secret.write_text("another\n")
    assert run("create", path, "--key", "a", "--kek", f"passphrase:file:{secret}").exit_code == 0
    wrong = run("list", path)
    assert wrong.exit_code == 1
    assert "doesn't open the keyring" in wrong.output
    assert run("list", path, "--kek", f"passphrase:file:{secret}").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "missing.json"], "tokenkit keys create"),
        (["rotate", "missing.json", "a"], "tokenkit keys create"),
        (["create", "x.json", "--key", "A B"], "a-z"),
        (["create", "x.json", "--key", "a", "--kek", "hsm:1"], "passphrase:env:NAME"),
        (["create", "x.json", "--key", "a", "--kek", ""], "export TOKENKIT_KEK="),
        (["create", "x.json", "--key", "a", "--kek", "passphrase:env:NOPE"], "export NOPE="),
        (["create", "x.json", "--key", "a", "--kek", "passphrase:prompt"], "no terminal"),
    ],
)
def test_errors_say_what_to_type(tmp_path, monkeypatch, arguments, said):
    """Each error is two lines, the second of which says what to do; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOKENKIT_KEK")
    if "--kek" not in arguments:
        arguments = [*arguments, "--kek", "passphrase:env:KEYRING_PASSPHRASE"]
    result = run(*arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert len(result.output.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


def test_more_errors_say_what_to_type(path):
    """An existing file and an unknown key are refused, and nothing changes."""
    run("create", path, "--key", "a")
    content = path.read_bytes()
    again = run("create", path, "--key", "a")
    assert again.exit_code == 1
    assert "already there" in again.output
    unknown = run("rotate", path, "b")
    assert unknown.exit_code == 1
    assert "its keys are: a" in unknown.output
    assert path.read_bytes() == content
    path.write_bytes(content[:-20])
    damaged = run("list", path)
    assert damaged.exit_code == 1
    assert "damaged" in damaged.output


def test_life_cycle(path):
    """Added, disabled, enabled and destroyed as typed; what is listed says since when."""
    run("create", path, "--key", "a", "--rotate-after", 1)
    assert run("add", path, "b").exit_code == 0
    assert "rotate" in run("disable", path, "b@1").stderr
    assert "disabled 20" in run("list", path).output
    assert run("enable", path, "b@1").exit_code == 0
    assert run("rotate", path, "a", "--rotate-after", 365).exit_code == 0
    path.with_name("keyring.json.bak").write_bytes(path.read_bytes())
    for wrong in ([], ["--yes", "a@2"], ["--yes", "y"]):
        refused = run("destroy", path, "a@1", *wrong)
        assert refused.exit_code == 2
        assert "nothing was destroyed" in refused.output
    done = run("destroy", path, "a@1", "--yes", "a@1")
    assert done.exit_code == 0, done.output
    assert list(path.parent.iterdir()) == [path]
    rows = json.loads(run("list", path, "--json").stdout)
    assert [(row["key"], row["version"], row["state"]) for row in rows] == [
        ("a", 1, "destroyed"),
        ("a", 2, "enabled"),
        ("b", 1, "enabled"),
    ]
    assert rows[0]["destroyed"]
    assert rows[1]["rotation_due"]
    assert run("enable", path, "a").exit_code == 2


def test_overdue_keys_are_warned_of(path, monkeypatch):
    """Once the cryptoperiod is over, listing says which key to rotate and how."""
    run("create", path, "--key", "a", "--rotate-after", 1)
    assert "warning" not in run("list", path).stderr

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=2)

    monkeypatch.setattr("tokenkit.cli.keyrings.datetime", Later)
    assert f"tokenkit keys rotate {path} a" in run("list", path).stderr


def test_rewrap_inspect_and_going_back(path, tmp_path):
    """KEKs are exchanged, shown without any KEK, and an older file needs a word."""
    secret = tmp_path / "spare"
    secret.write_text("another")
    spare = f"passphrase:file:{secret}"
    run("create", path, "--key", "a", "--other-kek", spare)
    old = path.read_bytes()
    short = run("rotate", path, "a")
    assert short.exit_code == 1
    assert "--other-kek" in short.output
    assert run("rotate", path, "a", "--other-kek", spare).exit_code == 0
    assert run("rewrap", path, "--new-kek", spare).exit_code == 0
    assert run("list", path).exit_code == 1
    pins = tmp_path / "pins.json"
    shown = run("inspect", path, "--json", "--kek", spare, "--write-pins", pins)
    assert shown.exit_code == 0, shown.output
    assert [kek["provider"] for kek in json.loads(shown.stdout)["keks"]] == ["passphrase"]
    assert json.loads(pins.read_text())["generation"] == 3
    path.write_bytes(old)
    assert "was here before" in run("list", path).output
    assert run("inspect", path, "--accept-older").exit_code == 0
    assert run("list", path).exit_code == 0
    assert run("inspect", path, "--kek", "").exit_code == 0


def test_usage(path):
    """A keyring without keys isn't made by accident: that is wrong usage."""
    assert run("create", path).exit_code == 2
    assert not path.exists()


def command(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
    """Start ``tokenkit keys`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tokenkit.cli.app", "keys", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for a process; give its exit code and what it said."""
    out, err = process.communicate()
    return process.returncode, out, err


def test_real_processes(path):
    """As real commands: created, then rotated by two at once without loss, then listed."""
    assert ended(command("create", path, "--key", "a"))[::2] == (0, "")
    both = [command("rotate", path, "a") for _ in range(2)]
    assert [ended(process)[::2] for process in both] == [(0, ""), (0, "")]
    code, out, err = ended(command("list", path, "--json"))
    assert (code, err) == (0, "")
    assert [row["version"] for row in json.loads(out)] == [1, 2, 3]
    code, out, err = ended(command("list", path, KEYRING_PASSPHRASE="no"))
    assert (code, out) == (1, "")
    assert err.startswith("error: the passphrase")
    assert "Traceback" not in err
