"""`tokenkit policy`: tables, JSON and exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tokenkit.cli.app import app
from tokenkit.policy.schema import policy_schema

RUNNER = CliRunner()
POLICY = """\
columns:
  card: {scheme: credit-card, key: payments, keep: {last: 4}}
  "tel_*": {scheme: digits, key: people, domain: phone, normalize: [trim]}
  note: {action: drop}
"""
OTHER = """\
columns:
  card: {scheme: credit-card, key: staff}
  phone: {scheme: digits, key: people, domain: phone, normalize: [trim]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with two policies."""
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY)
    Path("other.yaml").write_text(OTHER)


def test_a_table_of_the_policy():
    """Every column has its line with scheme, key, domain and size; warnings follow."""
    result = RUNNER.invoke(app, ["policy", "check", "policy.yaml"])
    assert result.exit_code == 0
    for shown in ("credit-card", "payments", "10,000,000", "phone", "as normalized", "dropped"):
        assert shown in result.output
    assert "warning: tel_*: trim" in result.output


def test_json_has_the_same():
    """One object, with joins between the two policies and what keeps others apart."""
    result = RUNNER.invoke(app, ["policy", "check", "policy.yaml", "other.yaml", "--json"])
    found = json.loads(result.output)
    assert [column["column"] for column in found["columns"]] == ["card", "tel_*", "note"]
    assert found["joins"][0]["columns"] == [
        {"policy": 0, "column": "tel_*"},
        {"policy": 1, "column": "phone"},
    ]
    assert found["apart"][0]["reasons"] == ["the key (payments and staff)", "keep"]
    assert len(found["digest"]) == 64


def test_two_policies_in_words():
    """The lines name the files."""
    result = RUNNER.invoke(app, ["policy", "check", "policy.yaml", "other.yaml"])
    assert "joins: policy.yaml: tel_*, other.yaml: phone" in result.output
    assert "apart: policy.yaml: card and other.yaml: card differ in the key" in result.output
    Path("third.yaml").write_text("columns: {a: {scheme: text, key: k}}")
    result = RUNNER.invoke(app, ["policy", "check", "policy.yaml", "third.yaml"])
    assert "No column of one policy joins" in result.output


def test_an_input_is_looked_at():
    """Patterns become columns, and a sorted column is warned of."""
    rows = [f"{4000000000000000 + n * 7 % 1000},{n:06}" for n in range(200)]
    Path("in.csv").write_text("card,tel_home,note\n" + ",n\n".join(rows) + ",n\n")
    result = RUNNER.invoke(app, ["policy", "check", "policy.yaml", "--input", "in.csv", "--json"])
    found = json.loads(result.output)
    assert [column["column"] for column in found["columns"]] == ["card", "tel_home", "note"]
    assert [warning["kind"] for warning in found["warnings"]] == ["normalize", "sorted"]


def test_the_input_is_read_as_jobs_read_it():
    """Delimiter, names and types are those of the job to come."""
    Path("ids.yaml").write_text("columns: {id: {scheme: digits, key: k}, b: {action: keep}}")
    Path("in.csv").write_text("1;x\n2;y\n")
    command = ["policy", "check", "ids.yaml", "--input", "in.csv", "--json"]
    command += ["--delimiter", ";", "--no-header", "--names", "id,b"]
    assert json.loads(RUNNER.invoke(app, command).output)["warnings"] == []
    found = json.loads(RUNNER.invoke(app, [*command, "--type", "id=int64"]).output)
    assert [warning["kind"] for warning in found["warnings"]] == ["type"]


def test_a_broken_input_shows_no_value():
    """What Polars says of it, values included, stays hidden."""
    Path("one.yaml").write_text("columns: {a: {scheme: digits, key: k}}")
    Path("in.csv").write_bytes(b"a\nCANARY\xff\xfe\nCANARY,CANARY\n" * 50)
    result = RUNNER.invoke(app, ["policy", "check", "one.yaml", "--input", "in.csv"])
    assert result.exit_code == 1
    assert "CANARY" not in result.output
    assert "error:" in result.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["policy.yaml"], 0),
        (["policy.yaml", "--strict"], 1),
        (["other.yaml", "--input", "in.csv"], 1),
        (["policy.yaml", "--input", "missing.csv"], 1),
        (["missing.yaml"], 1),
        (["policy.yaml", "missing.yaml"], 1),
        ([], 2),
    ],
)
def test_exit_codes(arguments, code):
    """0 for a sound policy, 1 for a refused one or, strictly, for warnings, 2 for wrong usage."""
    Path("in.csv").write_text("card\n1\n")
    assert RUNNER.invoke(app, ["policy", "check", *arguments]).exit_code == code


def test_the_schema_is_json():
    """What is printed is the schema."""
    assert json.loads(RUNNER.invoke(app, ["policy", "schema"]).output) == policy_schema()


def test_names_cannot_take_over_the_terminal():
    """Control characters in a column's name are escaped."""
    Path("odd.yaml").write_text('columns: {"a\\e[31m": {action: keep}}')
    result = RUNNER.invoke(app, ["policy", "check", "odd.yaml"])
    assert "\x1b" not in result.output
    assert "a\\x1b[31m" in result.output
