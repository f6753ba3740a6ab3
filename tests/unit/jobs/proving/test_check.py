"""What a job wrote is checked against what it read, and rows that differ are named."""

from dataclasses import replace

import polars as pl
import pytest

from tests.unit.jobs.proving.conftest import shown
from tokenkit import _native
from tokenkit.errors import InputNotFound, JobError, MetadataError
from tokenkit.jobs import Job, TextOptions, run
from tokenkit.jobs.outcomes import Part
from tokenkit.jobs.proving import DifferingRow, check_output


def test_what_was_written_holds(proved, write, people):
    """Every tokenized column is checked, and no other."""
    write("a.parquet", people)
    found = proved("a.parquet").check()
    assert found.holds
    assert (list(found.columns), found.rows, found.differing) == (["ssn", "card", "note"], 300, ())


@pytest.mark.parametrize("kernel", ["auto", "portable"])
def test_a_value_left_in_clear_is_found(proved, write, people, kernel):
    """Though it may be a token of another value: the check says row and column, not the value."""
    write("a.parquet", people)
    job = proved("a.parquet")
    clear = people["ssn"][123]

    def change(rows):
        tokens = rows["ssn"].to_list()
        tokens[123] = clear
        return rows.with_columns(pl.Series("ssn", tokens))

    job.rewrite(change)
    previous = _native.select_kernel(kernel)
    try:
        found = job.check()
    finally:
        _native.select_kernel(previous)
    assert not found.holds
    assert [name for name, column in found.columns.items() if not column.holds] == ["ssn"]
    assert (found.columns["ssn"].differing, found.located) == (1, True)
    assert found.differing == (
        DifferingRow(
            column="ssn", file="b.parquet", row=123, source_file="a.parquet", source_row=123
        ),
    )
    assert clear not in shown(found)


def test_a_value_that_is_no_token_is_found_without_the_source(proved, write, people, tmp_path):
    """A card number in clear has another check digit than any token."""
    write("a.parquet", people)
    job = proved("a.parquet")
    job.rewrite(lambda rows: pl.concat([rows[:7], people[7:8].select(rows.columns), rows[8:]]))
    (tmp_path / "a.parquet").unlink()
    found = job.check()
    assert not found.holds
    assert not found.located
    assert found.columns["card"].not_tokens == 1
    assert DifferingRow(column="card", file="b.parquet", row=7) in found.differing
    assert people["card"][7] not in shown(found)


def test_a_source_that_has_changed_names_no_rows(proved, write, people, tmp_path):
    """Rows of another source would be the wrong ones."""
    write("a.parquet", people)
    job = proved("a.parquet")
    job.rewrite(lambda rows: rows.reverse().head(299))
    write("a.parquet", people.head(200))
    found = job.check()
    assert (found.holds, found.located, found.differing) == (False, False, ())
    write("a.parquet", people)
    assert job.check().located


CHANGES = {
    "lost": lambda rows: pl.concat([rows[:50], rows[51:]]),
    "doubled": lambda rows: pl.concat([rows[:51], rows[50:]]),
    "doubled for another": lambda rows: pl.concat([rows[:50], rows[49:50], rows[51:]]),
    "made null": lambda rows: rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 50).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("ssn", "card", "note")
    ),
    "made empty": lambda rows: rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 50).then(pl.lit("")).otherwise(pl.col(name)).alias(name)
        for name in ("ssn", "card", "note")
    ),
    "of another row": lambda rows: rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 50)
        .then(pl.col(name).shift(2))
        .otherwise(name)
        .alias(name)
        for name in ("ssn", "card", "note")
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_lost_doubled_or_changed_shows(proved, write, people, change):
    """In every column, and the first row that differs is named."""
    write("a.parquet", people.with_columns(note=pl.format("note {}", "id")))
    job = proved("a.parquet")
    job.rewrite(CHANGES[change])
    found = job.check(most_rows=3)
    assert [column.holds for column in found.columns.values()] == [False] * 3
    first = {row.column: row.row for row in reversed(found.differing)}
    assert first == dict.fromkeys(("ssn", "card", "note"), 51 if change == "doubled" else 50)
    assert len(found.differing) <= 9


def test_columns_that_were_swapped_show(proved, write):
    """Tokens of one scheme and domain, in the other column's place."""
    frame = pl.DataFrame({"a": ["078-05-1120"] * 2, "b": ["219-09-9999"] * 2})
    write("a.parquet", frame)
    rule = {"scheme": "us-ssn", "key": "people"}
    job = proved("a.parquet", columns={"a": rule, "b": rule})
    job.rewrite(lambda rows: rows.select(a="b", b="a"))
    found = job.check()
    assert {name: column.holds for name, column in found.columns.items()} == {
        "a": False,
        "b": False,
    }


def test_the_order_of_rows_is_not_asked_for(proved, write, people):
    """Tables have none."""
    write("a.parquet", people)
    job = proved("a.parquet")
    job.rewrite(lambda rows: rows.sample(fraction=1, shuffle=True, seed=7))
    assert job.check().holds


def test_kinds_of_values_are_told_apart(proved, write):
    """Null, empty, a literal, a value and a sealed one: each is what it was, or it shows."""
    values = [None, "", "N/A", "123456789", "none", None, "", "N/A", "999999999", "nil"]
    write("a.parquet", pl.DataFrame({"id": values}))
    rule = {"scheme": "digits", "key": "people", "on_invalid": "seal", "literals": ["N/A"]}
    job = proved("a.parquet", columns={"id": rule})
    assert job.check().holds
    tokens = pl.read_parquet(job.job.target)["id"].to_list()
    for place, other in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (4, 9), (3, 8)]:
        changed = list(tokens)
        changed[place] = tokens[other]
        job.rewrite(lambda rows, changed=changed: rows.with_columns(pl.Series("id", changed)))
        found = job.check()
        assert not found.holds
        assert [row.row for row in found.differing] == [place]


def test_values_are_proved_as_they_come_back(proved, write):
    """Normalized, or null where the policy makes them so; as they were where it seals them."""
    values = [" 078-05-1120 ", "078051120", "x", None, " ", "N/A ", "N/A"]
    write("a.parquet", pl.DataFrame({"null": values, "seal": values}))
    rule = {
        "scheme": "us-ssn",
        "key": "people",
        "normalize": ["trim", "strip-separators"],
        "literals": ["N/A"],
    }
    job = proved(
        "a.parquet",
        columns={
            "null": {**rule, "on_invalid": "null"},
            "seal": {**rule, "on_invalid": "seal", "domain": "other"},
        },
    )
    assert job.check().holds
    assert job.report.columns["null"].invalid_count > 0


def test_rows_that_are_rejected_are_not_in_it(proved, write, people):
    """Accepted rows alone are proved, and found again though others are missing."""
    rows = people.with_columns(
        ssn=pl.when(pl.col("id") % 10 == 3).then(pl.lit("bad")).otherwise("ssn")
    )
    write("a.parquet", rows)
    columns = {
        "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "reject"},
        "card": {"scheme": "credit-card", "key": "payments"},
    }
    job = proved("a.parquet", columns=columns)
    assert job.report.rows_rejected == 30
    assert job.check().holds
    place = 100

    def change(written):
        cards = written["card"].to_list()
        cards[place] = cards[place + 1]
        return written.with_columns(pl.Series("card", cards))

    job.rewrite(change)
    [row] = job.check().differing
    # Of each ten rows the fourth was rejected.
    assert (row.row, row.source_row) == (100, 111)


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet", "arrow", "csv.gz"])
@pytest.mark.parametrize("output", ["value", "string"])
def test_integers_are_proved_in_every_format(proved, write, suffix, output):
    """Written as numbers or as strings of digits, with leading zeros or without."""
    frame = pl.DataFrame({"id": [0, 7, None, 42, 999_999_999]}, schema={"id": pl.Int64})
    write("a.parquet", frame)
    rule = {"scheme": "digits", "key": "people", "width": 9}
    if output == "string":
        rule["output"] = "string"
    job = proved("a.parquet", f"b.{suffix}", columns={"id": rule})
    assert job.check().holds


def test_categories_are_proved_by_row(proved, write):
    """Each distinct value is tokenized once, and every row counts."""
    values = ["alpha", "beta", None, "alpha", "gamma"] * 20
    write("a.parquet", pl.DataFrame({"note": pl.Series(values, dtype=pl.Categorical)}))
    job = proved("a.parquet", columns={"note": {"scheme": "text", "key": "people"}})
    assert job.check().holds
    job.rewrite(lambda rows: pl.concat([rows[:99], rows[:1]]))
    [row] = job.check().differing
    assert row.row == 99


def test_tweaks_are_taken_into_account(proved, write):
    """A token under another row's tweak stands for another value."""
    frame = pl.DataFrame({"id": ["123456789"] * 4, "tenant": ["a", "b", "a", "b"]})
    write("a.parquet", frame)
    job = proved(
        "a.parquet", columns={"id": {"scheme": "digits", "key": "people", "tweak": "tenant"}}
    )
    assert job.check().holds
    job.rewrite(lambda rows: rows.with_columns(tenant=pl.Series(["b", "b", "a", "b"])))
    assert [row.row for row in job.check().differing] == [0]


def test_text_of_declared_types_is_proved(proved, write):
    """A CSV file's numbers are read as such, on both sides."""
    write("a.csv", 'id,note\n1,x\n22,\n,""\n')
    job = proved(
        "a.csv",
        "b.csv",
        columns={
            "id": {"scheme": "digits", "key": "people", "width": 9},
            "note": {"scheme": "text", "key": "people"},
        },
        text=TextOptions(types={"id": "int64"}),
    )
    assert job.check().holds


def test_a_job_without_prove_has_nothing_to_check(proved, write, people):
    """It says what to do; once it's done so, the record alone is enough."""
    write("a.parquet", people)
    job = proved("a.parquet")
    assert check_output(job.job).holds
    run(plain := replace(job.job, prove=False, target=job.job.target.with_name("c.parquet")))
    with pytest.raises(JobError, match="no digest of what the run read is recorded"):
        check_output(plain)


def test_another_runs_output_is_refused(proved, write, people):
    """Its digests would be under another key."""
    write("a.parquet", people)
    first = proved("a.parquet")
    write("a.parquet", people.head(10))
    run(replace(first.job, force=True))
    with pytest.raises(JobError, match="another run's"):
        first.check()


def test_an_output_that_is_gone_or_altered_is_an_error(proved, write, people, tmp_path):
    """As for every other reader."""
    write("a.parquet", people)
    job = proved("a.parquet", "b.csv")
    sidecar = tmp_path / "b.csv.tokenkit.json"
    document = sidecar.read_text()
    sidecar.write_text(document.replace("us-ssn", "us-ssm"))
    with pytest.raises(MetadataError):
        job.check()
    sidecar.write_text(document)
    assert job.check().holds
    (tmp_path / "b.csv").unlink()
    with pytest.raises(InputNotFound):
        job.check()


def test_detokenizing_is_not_proved(ring, tmp_path, write, people):
    """There is nothing to compare with."""
    path = write("a.parquet", people)
    job = Job(operation="detokenize", source=path, target=tmp_path / "c.csv", prove=True)
    with pytest.raises(JobError, match="leave out prove"):
        run(job)


def test_an_engine_that_leaves_values_in_clear_does_not_prove_itself(
    proved, write, people, monkeypatch
):
    """What is read is taken from the values themselves, whatever the engine makes of them."""
    write("a.parquet", people)
    turned = Part._turned

    def careless(part, values, call, *, indexed):
        outcome = turned(part, values, call, indexed=indexed)
        if call.rule.scheme.name != "us-ssn" or call.operation != "tokenize":
            return outcome
        reason = outcome.struct.field("reason")
        clear = values.str.starts_with("007-")
        token = pl.when(clear).then(values).otherwise(outcome.struct.field("token"))
        return pl.struct(token.alias("token"), reason)

    monkeypatch.setattr(Part, "_turned", careless)
    job = proved("a.parquet")
    assert "007-05-0007" in pl.read_parquet(job.job.target)["ssn"]
    found = job.check()
    assert [(row.column, row.row) for row in found.differing] == [("ssn", 6)]
