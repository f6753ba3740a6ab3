"""Searches at their edges: sealed and odd values, and versions that are out of use."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

import tokenkit as tk
from tokenkit.cli import search
from tokenkit.cli.app import app
from tokenkit.errors import InvalidValues, KeyVersionDisabled, SchemeError, UnsupportedType
from tokenkit.keys import Keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ring() -> Iterator[Keyring]:
    """Open a keyring whose key has three versions."""
    with Keyring.from_secrets({"payments": bytes(range(32))}) as opened:
        opened.rotate("payments")
        opened.rotate("payments")
        yield opened


def columns(value: Any, ring: Keyring, scheme: str, **options: Any) -> dict[int, Any]:
    """Tokenize a column that holds nothing but the value, under each version."""
    tweak = options.pop("tweak", None)
    dtype = pl.UInt64 if isinstance(value, int) else pl.String
    frame = pl.DataFrame({"v": [value], "t": [tweak]}, schema={"v": dtype, "t": pl.String})
    if tweak is not None:
        options["tweak"] = "t"
    return {
        version.number: frame.select(
            tk.expr.tokenize("v", scheme, key=ring["payments"], version=version.number, **options)
        ).item()
        for version in ring["payments"].versions
    }


@pytest.mark.parametrize(
    ("value", "scheme", "options"),
    [
        ("4111 1111-1111 1111", "credit-card", {"keep": {"last": 4}}),
        ("", "digits", {}),
        ("a note", "text", {}),
        ("N/A", "digits", {"literals": ["N/A"]}),
        ("  0042-719365 ", "digits", {"normalize": ["trim", "strip-separators"]}),
        ("0042719365", "digits", {"tweak": "tenant-1"}),
        (9_500_000_000_000_000_000, "digits", {"width": 19}),
        (0, "digits", {"width": 9, "output": "string"}),
        ("no digits", "digits", {"on_invalid": "seal"}),
    ],
)
def test_tokens_are_the_columns(
    ring: Keyring, value: Any, scheme: str, options: dict[str, Any]
) -> None:
    """A search gives what a column would hold under each version, in value and type."""
    found = tk.search_tokens(value, scheme, key="payments", keyring=ring, **options)
    assert found == columns(value, ring, scheme, **options)
    assert list(found) == [1, 2, 3]


def test_no_enabled_version(ring: Keyring) -> None:
    """Where no version is enabled the error says so: an empty answer would pass for no rows."""
    ring.disable("payments", 1)
    ring.destroy("payments", 2)
    assert list(tk.search_tokens("0042719365", "digits", key=ring["payments"])) == [3]
    ring.disable("payments", 3)
    with pytest.raises(KeyVersionDisabled, match="version 3"):
        tk.search_tokens("0042719365", "digits", key=ring["payments"])


@pytest.mark.parametrize(
    ("value", "options", "reason"),
    [
        ("canary 8071", {}, "character"),
        ("8", {}, "too_short"),
        (-8071, {"width": 9}, "range"),
        (80_710_000_000, {"width": 9}, "range"),
        (8071 * 2**64, {"width": 9}, "range"),
        ("8071\udc80", {}, "encoding"),
    ],
)
def test_values_without_a_token(
    ring: Keyring, value: Any, options: dict[str, Any], reason: str
) -> None:
    """A value that has no token is tokenkit's own error, with a reason and nothing of the value."""
    for on_invalid in ("error", "null"):
        with pytest.raises(InvalidValues) as caught:
            tk.search_tokens(
                value, "digits", key=ring["payments"], on_invalid=on_invalid, **options
            )
        assert caught.value.reason == reason
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
        assert "8071" not in shown


@pytest.mark.parametrize("value", [None, True, 8071.5, b"8071", ["8071"]])
def test_values_of_other_types(ring: Keyring, value: Any) -> None:
    """What is neither text nor a whole number is refused, and not shown."""
    with pytest.raises(UnsupportedType) as caught:
        tk.search_tokens(value, "digits", key=ring["payments"])
    assert "8071" not in str(caught.value)


@pytest.mark.parametrize("on_invalid", ["bogus", "reject", "", None, [], 1])
def test_fates_that_there_are_not(ring: Keyring, on_invalid: Any) -> None:
    """What a misfit becomes is named by a known word, or refused."""
    with pytest.raises(SchemeError):
        tk.search_tokens("0042719365", "digits", key=ring["payments"], on_invalid=on_invalid)


def test_without_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that was started with its input closed says that no value was given."""
    monkeypatch.setattr(search, "sys", SimpleNamespace(stdin=None))
    with pytest.raises(typer.BadParameter, match="no value"):
        search.search_tokens(Path("p.yaml"), "id")


def test_no_expression_is_built(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Polars expression, frame or series is built from the value."""
    built: list[str] = []
    for name in ("lit", "Series", "DataFrame", "LazyFrame"):
        monkeypatch.setattr(pl, name, lambda *_, name=name, **__: built.append(name))
    assert len(tk.search_tokens("a note", "text", key=ring["payments"])) == 3
    assert built == []


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command searches columns of numbers, and refuses what is no value without showing it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHRASE", "a passphrase for this test")
    with tk.create_keyring("k.json", ["p"], PassphraseProvider("env:PHRASE", cost=2)) as made:
        expected = tk.search_tokens(42, "digits", width=9, key=made["p"])
    (tmp_path / "p.yaml").write_text("columns: {id: {scheme: digits, key: p, width: 9}}\n")
    command = ["search-tokens", "-p", "p.yaml", "--column", "id", "--keyring", "k.json"]
    command += ["--kek", "passphrase:env:PHRASE"]
    for given, options, code, output in (
        (b"42\r\n", ["--integer"], 0, f"{expected[1]}\n"),
        (b"8071.5", ["--integer"], 3, None),
        (b"9" * 5000, ["--integer"], 3, None),
        (b"8071\xff", [], 3, None),
        (b"80719365", [], 3, None),
        (b"\n", [], 2, None),
    ):
        done = CliRunner().invoke(app, [*command, *options], input=given)
        assert done.exit_code == code, done.output
        assert output is None or done.stdout == output
        assert "8071" not in done.output + repr(done.exception)
