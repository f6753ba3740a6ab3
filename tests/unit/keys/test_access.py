"""A keyring opened for tokenizing only turns nothing back, whoever asks."""

from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import tokenkit as tk
from tokenkit.cli.app import app
from tokenkit.errors import AccessDenied, KeyringError
from tokenkit.keys import create_keyring, current_keyring, forget_keyrings, open_keyring

VALUES = pl.DataFrame({"v": ["123456789", "987654321"]})


@pytest.fixture(autouse=True)
def made(path, kek):
    """Make a keyring."""
    create_keyring(path, ["a"], kek).close()


def test_tokenizing_works_and_turning_back_is_refused(path, kek):
    """Expressions, frames and outcomes say so when they are built, before any value is read."""
    with open_keyring(path, kek) as full:
        expected = VALUES.select(tk.expr.tokenize("v", "digits", key=full["a"]))
    with open_keyring(path, kek, access="tokenize") as ring:
        assert ring.access == "tokenize"
        tokens = VALUES.select(tk.expr.tokenize("v", "digits", key=ring["a"]))
        assert tokens.equals(expected)
        with pytest.raises(AccessDenied, match="tokenizing only"):
            tk.expr.detokenize("v", "digits", key=ring["a"])
        ring.rotate("a")
        with pytest.raises(AccessDenied):
            ring.save()


def test_a_plan_from_elsewhere_is_refused_by_the_native_module(path, kek):
    """A plan that was built with full access doesn't run where there is only this one."""
    with open_keyring(path, kek) as full:
        frame = VALUES.lazy().select(tk.expr.tokenize("v", "digits", key=full["a"]))
        plan = frame.select(tk.expr.detokenize("v", "digits", key=full["a"]))
        assert plan.collect().equals(VALUES)
    with (
        open_keyring(path, kek, access="tokenize"),
        pytest.raises(AccessDenied, match="tokenizing only"),
        tk.errors.translated(),
    ):
        plan.collect()


def test_a_second_keyring_of_full_access_keeps_it(path, kek):
    """Closing the one that may turn back takes that right away from the process."""
    with open_keyring(path, kek, access="tokenize") as ring, open_keyring(path, kek) as full:
        tk.expr.detokenize("v", "digits", key=full["a"])
        with pytest.raises(AccessDenied):
            tk.expr.detokenize("v", "digits", key=ring["a"])


def test_a_misspelt_access_grants_nothing(path, kek):
    """Only the two words are taken."""
    wrongs: list[Any] = ["", "Tokenize", "none", None]
    for wrong in wrongs:
        with pytest.raises(KeyringError, match="no access"):
            open_keyring(path, kek, access=wrong)


def test_the_environment_and_the_command_line(path, tmp_path, monkeypatch):
    """TOKENKIT_ACCESS and --access hold for the keyring that a process finds by itself."""
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", str(path))
    monkeypatch.setenv("TOKENKIT_ACCESS", "tokenize")
    forget_keyrings()
    with pytest.raises(AccessDenied):
        tk.expr.detokenize("v", "digits", key="a")
    assert current_keyring().access == "tokenize"
    forget_keyrings()
    monkeypatch.setenv("TOKENKIT_ACCESS", "all")
    (tmp_path / "policy.yaml").write_text("columns: {v: {scheme: digits, key: a}}\n")
    VALUES.write_csv(tmp_path / "in.csv")
    policy, tokens = str(tmp_path / "policy.yaml"), str(tmp_path / "tokens.csv")
    source, back = str(tmp_path / "in.csv"), str(tmp_path / "back.csv")
    restricted = ["--access", "tokenize"]
    made = CliRunner().invoke(app, [*restricted, "tokenize", source, "-o", tokens, "-p", policy])
    assert made.exit_code == 0, made.output
    forget_keyrings()
    refused = CliRunner().invoke(app, [*restricted, "detokenize", tokens, "-o", back])
    assert refused.exit_code == 1
    assert "tokenizing only" in refused.output
    forget_keyrings()
