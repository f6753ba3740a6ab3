"""Tokens to search with: one for each version that may have made them."""

import polars as pl
import pytest
from typer.testing import CliRunner

import tokenkit as tk
from tokenkit.cli.app import app
from tokenkit.errors import InvalidValues, KeyVersionDisabled, PolicyError, SchemeError
from tokenkit.keys import Keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider

SSN = "078-05-1120"
POLICY = {
    "columns": {
        "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "reject"},
        "id": {"scheme": "digits", "key": "people", "width": 8},
        "code": {"scheme": "digits", "key": "people", "domain": "code", "tweak": "tenant"},
        "tenant": {"action": "keep"},
    }
}


@pytest.fixture
def ring():
    """Give a keyring in memory."""
    with Keyring.from_secrets({"people": bytes(range(32))}) as opened:
        yield opened


def test_old_and_new_tokens_are_found(ring):
    """After a rotation a search finds the rows of both versions."""
    old = tk.tokenize(pl.Series("ssn", [SSN]), "us-ssn", key="people", keyring=ring)
    ring.rotate("people")
    new = tk.tokenize(pl.Series("ssn", [SSN]), "us-ssn", key="people", keyring=ring)
    found = tk.search_tokens(SSN, policy=POLICY, column="ssn", keyring=ring)
    assert found == {1: old[0], 2: new[0]}
    assert found == tk.search_tokens(SSN, "us-ssn", key=ring["people"])
    ring.disable("people", 1)
    assert list(tk.search_tokens(SSN, policy=POLICY, column="ssn", keyring=ring)) == [2]
    with pytest.raises(KeyVersionDisabled):
        tk.detokenize(old, "us-ssn", key="people", keyring=ring, version=1)


def test_integers_and_tweaks(ring):
    """A search is for what the column holds."""
    frame = pl.DataFrame({"ssn": [SSN], "id": [42], "code": ["123456"], "tenant": ["a"]})
    tokens = tk.apply(frame, POLICY, keyring=ring).frame
    found = tk.search_tokens(42, policy=POLICY, column="id", keyring=ring)
    assert found == {1: tokens["id"][0]}
    found = tk.search_tokens("123456", policy=POLICY, column="code", tweak="a", keyring=ring)
    assert found == {1: tokens["code"][0]}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"value": "CANARY", "policy": POLICY, "column": "ssn"}, InvalidValues),
        ({"value": SSN, "policy": POLICY, "column": "absent"}, PolicyError),
        ({"value": SSN, "policy": POLICY, "column": "tenant"}, PolicyError),
        ({"value": SSN, "policy": POLICY, "column": "ssn", "tweak": "a"}, PolicyError),
        ({"value": "123456", "policy": POLICY, "column": "code"}, PolicyError),
        ({"value": SSN}, SchemeError),
    ],
)
def test_refusals_quote_no_value(ring, arguments, error):
    """Each says what to give instead."""
    with pytest.raises(error) as caught:
        tk.search_tokens(**arguments, keyring=ring)
    assert "CANARY" not in str(caught.value)
    assert SSN not in str(caught.value)


def test_the_command_reads_the_value_from_standard_input(tmp_path, monkeypatch):
    """It prints one token a version, and no value."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHRASE", "a passphrase for this test")
    provider = PassphraseProvider("env:PHRASE", cost=2**10)
    with tk.create_keyring("keyring.json", ["people"], provider) as made:
        expected = tk.search_tokens(SSN, "us-ssn", key="people", keyring=made)
    (tmp_path / "p.yaml").write_text("columns: {ssn: {scheme: us-ssn, key: people}}\n")
    command = ["search-tokens", "-p", "p.yaml", "--column", "ssn", "--keyring", "keyring.json"]
    done = CliRunner().invoke(app, [*command, "--kek", "passphrase:env:PHRASE"], input=f"{SSN}\n")
    assert done.stdout.split() == [expected[1]]
    assert SSN not in done.output
