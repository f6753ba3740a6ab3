"""``tokenkit lineage`` from the command line, on both back ends."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from tests.integration.lineage_records import edge, file, log, record, store, with_policy
from tokenkit.cli.app import app
from tokenkit.cli.lineage.group import short
from tokenkit.store.database import Database

RUNNER = CliRunner()
HOSTILE = "/data/a\x1b]0;owned\x07[bold red]b\n\u202ecsv.exe"


@pytest.fixture
def recorded(database_url, database, monkeypatch, tmp_path):
    """Three runs, of which the second came to nothing, in the store that the environment names."""
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.chdir(tmp_path)
    raw, tokens, clear = (file(str(tmp_path / name)) for name in ("raw.csv", "tokens.csv", "c.csv"))
    ways = [edge(raw, "card", tokens), edge(raw, "id", tokens, action="keep")]
    back = edge(tokens, "card", clear, action="detokenize")
    records = [
        record(1, *ways, **with_policy(), proofs={"tokens.csv": {"card": "ab" * 32}}),
        record(2, *ways, status="failed", error_code="TK301", rows_written=0, actor="bob"),
        record(3, back, operation="detokenize", rows_read=98, rows_rejected=0),
    ]
    with database.begin() as connection:
        store(connection, *records)
    return records


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return RUNNER.invoke(app, ["lineage", *map(str, arguments)])


def test_runs(recorded):
    """Runs are listed the newest first, with counts, codes and paths from the working folder."""
    done = run("runs")
    assert done.exit_code == 0, done.output
    places = [done.output.index(short(one.id)) for one in reversed(recorded)]
    assert places == sorted(places)
    for shown in ("failed TK301", "tokens.csv", "2026-11-01 02:03:00", "bob", "98"):
        assert shown in done.output
    assert str(recorded[0].outputs[0].dataset) not in done.output


def test_runs_filtered_and_paged(recorded):
    """Filters and pages choose runs; what is wrong with them is wrong usage."""
    read = json.loads(run("runs", "--status", "complete", "--json").stdout)
    assert [one["id"] for one in read] == [str(recorded[2].id), str(recorded[0].id)]
    first = run("runs", "--limit", 1)
    assert f"--after {recorded[2].id}" in first.output
    second = json.loads(run("runs", "--after", recorded[2].id, "--limit", 1, "--json").stdout)
    assert [one["id"] for one in second] == [str(recorded[1].id)]
    third = json.loads(run("runs", "--dataset", "c.csv", "--json").stdout)
    assert [one["outputs"] for one in third] == [[str(recorded[2].outputs[0].dataset)]]
    since = json.loads(run("runs", "--since", "2026-11-01T03:02+01:00", "--json").stdout)
    assert len(since) == 2
    assert json.loads(run("runs", "--until", "2026-11-01", "--json").stdout) == []
    days = (datetime.now(UTC) - recorded[0].started).days + 2
    assert len(json.loads(run("runs", "--since", f"{max(days, 0)}d", "--json").stdout)) == 3
    assert "No run is recorded that fits" in run("runs", "--actor", "nobody").output
    for wrong in (["--since", "yesterday"], ["--status", "done"], ["--until", "999999w"]):
        assert run("runs", *wrong).exit_code == 2


def test_show(recorded):
    """A run is explained: rows, inputs, outputs, columns with key and counts, policy, proofs."""
    done = run("show", recorded[0].id)
    assert done.exit_code == 0, done.output
    for shown in (
        "tokenize, complete", "by ann", "100 rows read, 98 written, 2 rejected", "raw.csv",
        "tokens.csv", "2.0 KiB", "credit-card", "payments version 1", "length 2", '"scheme"',
        recorded[0].policy_digest, "Proof of tokens.csv, card: abab",
        "The audit log holds no digest of this record",
    ):  # fmt: skip
        assert shown in done.output


def test_show_as_json(recorded):
    """JSON holds all of it, and the id of the job does as well as the run's."""
    read = json.loads(run("show", recorded[0].job_run, "--json").stdout)
    assert read["policy"] == recorded[0].policy
    assert {way["scheme"] for way in read["columns"]} == {"credit-card", None}
    assert read["inputs"][0]["fields"] == [
        {"name": "card", "type": "String"},
        {"name": "id", "type": "String"},
    ]
    assert read["integrity"]["verdict"] == "unknown"
    assert len(read["integrity"]["digest"]) == 64


def test_show_compares_with_the_audit_log(recorded, database):
    """A record that is what the audit log says is called so; one that was changed ends with 1."""
    with database.begin() as connection:
        log(connection, recorded[0], "prepared", number=1)
        log(connection, recorded[0], "complete", number=2)
    done = run("show", recorded[0].id)
    assert done.exit_code == 0
    assert "The record is what the audit log holds since 2026-11-01 02:01:00" in done.output
    with database.begin() as connection:
        connection.execute(text("UPDATE run_outputs SET rows = rows + 1"))
    done = run("show", recorded[0].id)
    assert done.exit_code == 1
    assert "ALTERED: its record is not what was recorded" in done.output
    assert "its record was altered" in done.stderr
    assert json.loads(run("show", recorded[0].id, "--json").stdout)["integrity"]["altered"]


def test_trace(recorded):
    """A dataset is traced by its runs, a column by its ways; failed runs made nothing."""
    done = run("trace", "tokens.csv")
    assert done.exit_code == 0, done.output
    assert "Where tokens.csv comes from" in done.output
    assert "What became of tokens.csv" in done.output
    assert short(recorded[0].id) in done.output
    assert short(recorded[1].id) not in done.output
    column = run("trace", "tokens.csv.card", "--upstream")
    assert "Where tokens.csv, column card comes from" in column.output
    assert "tokenize credit-card" in column.output
    assert "What became" not in column.output
    assert "No run that is recorded wrote raw.csv" in run("trace", "raw.csv").output
    read = json.loads(run("trace", "c.csv", "--column", "card", "--json").stdout)
    assert [way["distance"] for way in read["upstream"]] == [1, 2]
    assert read["upstream"][1]["run"]["rows_rejected"] == 2
    near = json.loads(run("trace", "c.csv.card", "--depth", 1, "--json").stdout)
    assert len(near["upstream"]) == 1
    assert "There is more" in run("trace", "c.csv.card", "--limit", 1).output


def test_what_is_not_recorded_is_one_line(recorded):
    """An unknown dataset, column or run ends with 1, one line and a hint."""
    for command in (["trace", "nothing.csv"], ["trace", "tokens.csv.cadr"], ["show", "ffffffff"]):
        done = run(*command)
        assert done.exit_code == 1
        assert done.stderr.count("\n") == 2
        assert "hint: " in done.stderr


def test_graph(recorded, tmp_path):
    """The graph is Mermaid text, JSON, or a page that isn't written over what is there."""
    done = run("graph")
    assert done.output.startswith("flowchart LR\n")
    assert done.output.count("-->|") == 2
    assert done.output.count("-.->|") == 1
    assert run("graph", "tokens.csv.card", "--mermaid").output.count("-->|") == 2
    assert len(json.loads(run("graph", "tokens.csv", "--json").stdout)["ways"]) == 3
    page = tmp_path / "page.html"
    done = run("graph", "tokens.csv", "--html", page)
    assert "3 ways of columns" in done.output
    assert page.read_text().startswith("<!DOCTYPE html>")
    again = run("graph", "tokens.csv", "--html", page)
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert run("graph", "--html", page, "--force").exit_code == 0
    for wrong in (["--depth", 2], ["--mermaid", "--json"], ["--upstream"], ["--column", "a"]):
        assert run("graph", *wrong).exit_code == 2


def test_hostile_names_do_nothing(recorded, database, tmp_path):
    """Names that hold terminal codes, markup or line ends are shown escaped, in every output."""
    ways = [edge(file(HOSTILE), HOSTILE, file("/d.csv"), HOSTILE, scheme="[red]s", key="\x1bk")]
    hostile = record(
        9, *ways, actor=f"eve{HOSTILE}", rejects=HOSTILE, proofs={HOSTILE: {"c": "\x1b"}}
    )
    with database.begin() as connection:
        store(connection, hostile)
    page = tmp_path / "page.html"
    for command in (
        ["runs"],
        ["show", hostile.id],
        ["trace", "/d.csv"],
        ["trace", "/d.csv", "--column", HOSTILE],
        ["trace", HOSTILE + "x"],
        ["graph"],
        ["graph", "--html", page],
        ["runs", "--json"],
        ["show", hostile.id, "--json"],
    ):
        done = run(*command)
        for char in ("\x1b", "\x07", "\u202e"):
            assert char not in done.output, command
    assert "[bold red]b" in run("runs").output
    assert not set("\x1b\x07\u202e") & set(page.read_text(encoding="utf-8"))


def test_an_empty_store(tmp_path, monkeypatch):
    """With nothing recorded, every command says so."""
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert "No run" in run("runs").output
    assert run("graph").output == "flowchart LR\n"
    assert run("trace", "x").exit_code == 1
    assert run("show", "abcd").exit_code == 1


def test_who_may_only_read_may_ask(postgresql, monkeypatch):
    """On PostgreSQL the role of readers is enough for every command."""
    records = [record(1, edge(file("/a.csv"), "x", file("/b.csv")))]
    with Database.open(postgresql.url) as owned, owned.begin() as connection:
        store(connection, *records)
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", postgresql.reader_url)
    for command in (["runs"], ["show", records[0].id], ["trace", "/b.csv.x"], ["graph"]):
        done = run(*command)
        assert done.exit_code == 0, done.output
