"""``tokenkit keys export`` and ``import``, for partners and for Tink."""

import json
import stat

import pytest
from typer.testing import CliRunner, Result

import tokenkit as tk
from tokenkit.cli.app import app
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.testing.key_pairs import key_pairs

RUNNER = CliRunner()
TERMS = ["--purpose", "claims 2027"]
SENDING = [*TERMS, "--recipient", "recipient.pub", "--identity", "sender.pem"]
KEYSET = ["--tink", "--domain", "text"]
RECEIVING = [*TERMS, "--sender", "sender.pub", "--private", "recipient.pem"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Make two keyrings and the partners' key pairs in an empty folder."""
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    monkeypatch.chdir(tmp_path)
    kek = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    with tk.create_keyring("ours.json", ["claims", "members"], kek) as ring:
        ring.rotate("claims")
        ring.save()
    tk.create_keyring("theirs.json", [], kek).close()
    key_pairs(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run ``tokenkit keys`` in this process."""
    return RUNNER.invoke(app, ["keys", *arguments])


def listed(file: str) -> list[tuple[str, int, str]]:
    """List the versions of a keyring."""
    rows = json.loads(run("list", file, "--json").output)
    return [(row["key"], row["version"], row["kind"]) for row in rows]


def test_exchange(place):
    """What is exported is imported once, whole keys or single versions."""
    made = run("export", "ours.json", "claims@2", "members", "-o", "out.json", *SENDING)
    assert made.exit_code == 0, made.output
    assert 'claims@2, members@1 for "claims 2027"' in made.output
    assert stat.S_IMODE((place / "out.json").stat().st_mode) == 0o600
    taken = run("import", "theirs.json", "out.json", *RECEIVING)
    assert taken.exit_code == 0, taken.output
    assert "Imported claims@2, members@1" in taken.output
    assert listed("theirs.json") == [("claims", 2, "tokenkit"), ("members", 1, "tokenkit")]
    again = run("import", "theirs.json", "out.json", *RECEIVING)
    assert again.exit_code == 1
    assert "imported into this keyring before" in again.output
    private = (place / "sender.pem").read_text().splitlines()[1]
    assert private not in made.output + taken.output + again.output


def test_merging(place):
    """A key of the same name is left alone, unless it's said to be the same."""
    run("add", "theirs.json", "claims")
    made = run("export", "ours.json", "claims@2", "claims", "claims@1", "-o", "all.json", *SENDING)
    assert "claims@1, claims@2" in made.output
    run("export", "ours.json", "claims@2", "-o", "out.json", *SENDING)
    refused = run("import", "theirs.json", "out.json", *RECEIVING)
    assert refused.exit_code == 1
    assert "--merge" in refused.output
    merged = run("import", "theirs.json", "out.json", *RECEIVING, "--merge", "--take-primary")
    assert merged.exit_code == 0, merged.output
    rows = json.loads(run("list", "theirs.json", "--json").output)
    assert [(row["version"], row["primary"]) for row in rows] == [(1, False), (2, True)]


def test_tink(place):
    """A keyset goes out in clear for one domain, and comes in as raw versions."""
    made = run("export", "ours.json", "claims", "--tink", "--domain", "text", "-o", "keyset.json")
    assert made.exit_code == 0, made.output
    assert "in clear" in made.output
    keyset = json.loads((place / "keyset.json").read_text())
    assert len(keyset["key"]) == 2
    assert stat.S_IMODE((place / "keyset.json").stat().st_mode) == 0o600
    assert all(key["keyData"]["value"] not in made.output for key in keyset["key"])
    taken = run("import", "theirs.json", "keyset.json", "--tink", "--name", "raw")
    assert taken.exit_code == 0, taken.output
    assert listed("theirs.json") == [("raw", 1, "raw:aes-siv"), ("raw", 2, "raw:aes-siv")]
    tags = run(
        "export", "ours.json", "claims", "--tink", "--domain", "d", "--algorithm", "hmac",
        "-o", "tags.json",
    )  # fmt: skip
    assert tags.exit_code == 0, tags.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["export", "ours.json", "claims", "-o", "x"], 2),
        (["export", "ours.json", "claims", "-o", "x", *SENDING[:-2]], 2),
        (["export", "ours.json", "claims", "-o", "x", *SENDING, "--domain", "text"], 2),
        (["export", "ours.json", "claims@x", "-o", "x", *SENDING], 2),
        (["export", "ours.json", f"claims@{'9' * 5000}", "-o", "x", *SENDING], 2),
        (["export", "ours.json", "claims", "-o", ".", *SENDING], 1),
        (["export", "ours.json", "claims", "-o", "/", *SENDING], 1),
        (["export", "ours.json", "claims", "-o", "", *SENDING], 1),
        (["export", "ours.json", "claims", "-o", "x", *SENDING, "--algorithm", "hmac"], 2),
        (["export", "ours.json", "claims", "-o", "x", *KEYSET, "--days", "1"], 2),
        (["export", "ours.json", "claims", "-o", "x", *KEYSET, "--passphrase", "env:NOPE"], 2),
        (["import", "theirs.json", "x", "--tink", "--name", "a", "--merge"], 2),
        (["import", "theirs.json", "x", "--tink", "--name", "a", "--passphrase", "env:P"], 2),
        (["disable", "ours.json", f"claims@{'9' * 5000}"], 2),
        (["export", "ours.json", "claims@9", "-o", "x", *SENDING], 1),
        (["export", "ours.json", "claims", "-o", "ours.json", *SENDING], 1),
        (["export", "ours.json", "claims", "-o", "x", "--tink"], 2),
        (["export", "ours.json", "claims@1", "-o", "x", "--tink", "--domain", "text"], 2),
        (["export", "ours.json", "claims", "-o", "x", "--tink", "--domain", "A"], 1),
        (["export", "ours.json", "claims", "-o", "x", "--tink", "--domain", "a", *TERMS], 2),
        (["import", "theirs.json", "ours.json"], 2),
        (["import", "theirs.json", "ours.json", *RECEIVING], 1),
        (["import", "theirs.json", "ours.json", "--tink"], 2),
        (["import", "theirs.json", "ours.json", "--tink", "--name", "a"], 1),
    ],
)
def test_refusals(place, arguments, code):
    """Wrong usage ends with 2, what is refused with 1; no file is made."""
    before = (place / "ours.json").read_bytes(), (place / "theirs.json").read_bytes()
    refused = run(*arguments)
    assert refused.exit_code == code, refused.output
    assert not (place / "x").exists()
    assert ((place / "ours.json").read_bytes(), (place / "theirs.json").read_bytes()) == before
    assert listed("theirs.json") == []


def test_access(place, monkeypatch):
    """A command that may only tokenize exports nothing."""
    monkeypatch.setenv("TOKENKIT_ACCESS", "tokenize")
    for arguments in (SENDING, ["--tink", "--domain", "text"]):
        refused = run("export", "ours.json", "claims", "-o", "x", *arguments)
        assert refused.exit_code == 1
        assert "tokenizing only" in refused.output
        assert not (place / "x").exists()
