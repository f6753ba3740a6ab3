"""Rejected rows: sealed, counted, opened by who holds the keys, and tokenized again."""

import datetime as dt
import json
import stat
from decimal import Decimal

import polars as pl
import pytest

import tokenkit as tk
from tokenkit.errors import (
    MetadataMissing,
    MetadataTampered,
    NotAuthentic,
    OutputExists,
    PolicyError,
    UnknownKey,
    UnsupportedType,
)
from tokenkit.jobs import JobRefused
from tokenkit.jobs.rejects import REJECTS_KEY, open_rejects, read_rejects
from tokenkit.keys import Keyring

REJECTING = {
    "card": {"scheme": "credit-card", "key": "payments", "on_invalid": "reject"},
    "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "reject"},
    "note": {"action": "drop"},
}
ROWS = pl.DataFrame(
    {
        "card": ["4111111111111111", "4111111111111112", None, "", "CANARY-CARD"],
        "ssn": ["078-05-1120", "078-05-1120", "CANARY-SSN", "078-05-1120", "x"],
        "note": ["a", "CANARY-NOTE", None, "b", ""],
        "n": [1, 2, 3, 4, 5],
        "x": [0.1, 1e300, float("nan"), None, -0.0],
        "when": [dt.datetime(2026, 1, 1, 12, 30, 1, 5, tzinfo=dt.UTC)] * 5,
        "day": [dt.date(1, 1, 1), dt.date(9999, 12, 31), None, dt.date(2000, 2, 29), None],
        "took": [dt.timedelta(microseconds=-1)] * 5,
        "at": [dt.time(23, 59, 59, 999999)] * 5,
        "price": [Decimal("1.50"), Decimal("-0.01"), None, Decimal(0), Decimal("99.99")],
        "flag": [True, False, None, True, False],
        "blob": [b"\x00\xff", b"", None, b"x", b"\n"],
        "kind": pl.Series(["a", "b", None, "a", "c"], dtype=pl.Categorical),
    }
)
BAD = [1, 2, 4]


@pytest.fixture
def rejected(job, write, tmp_path):
    """Run a job that rejects three of five rows; give the report."""
    write("a.parquet", ROWS)
    return job("tokenize", "a.parquet", "b.parquet", REJECTING)


def test_rows_are_written_or_rejected(rejected, tmp_path):
    """Read = written + rejected; good rows come out, in order, without the bad ones."""
    assert (rejected.rows_read, rejected.rows_written, rejected.rows_rejected) == (5, 2, 3)
    assert rejected.rejects == str(tmp_path / "b.parquet.rejects.parquet")
    assert pl.read_parquet(tmp_path / "b.parquet")["n"].to_list() == [1, 4]
    assert rejected.columns["card"].invalid == {"character": 1, "check_digit": 1}
    assert rejected.columns["ssn"].invalid_count == 2


def test_places_and_reasons_need_no_key(rejected, tmp_path):
    """Row numbers are positions in the source; the first column that doesn't fit is named."""
    rejects = read_rejects(rejected.rejects)
    assert rejects.places().rows() == [
        ("a.parquet", 1, "card", "check_digit"),
        ("a.parquet", 2, "ssn", "character"),
        ("a.parquet", 4, "card", "character"),
    ]
    assert rejects.counts()["rows"].sum() == 3
    assert rejects.description.run == rejected.run


def test_rejected_rows_come_back_exactly(rejected, ring):
    """Every column of the source, dropped ones and all types, as they were."""
    assert open_rejects(rejected.rejects, keyring=ring).equals(ROWS[BAD])
    assert tk.open_rejects(rejected.rejects, keyring=ring).schema == ROWS.schema


def test_nothing_of_them_is_in_clear(rejected, tmp_path):
    """The file has mode 0600, and no cell of a rejected row in it."""
    path = tmp_path / "b.parquet.rejects.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored = pl.read_parquet(path)
    assert "CANARY" not in str(stored.to_dicts())
    assert b"CANARY" not in path.read_bytes()
    sealed = stored["cells"].struct.unnest()
    assert all(cell is not None and len(cell) >= 29 for column in sealed for cell in column)


def test_the_keys_are_needed(rejected):
    """Without one nothing is opened."""
    with Keyring.from_secrets({"payments": bytes(range(32))}) as other, pytest.raises(UnknownKey):
        open_rejects(rejected.rejects, keyring=other)


@pytest.mark.parametrize("what", ["row", "file", "column", "reason", "cell", "run", "swap"])
def test_what_was_moved_or_altered_does_not_open(rejected, tmp_path, ring, what):
    """A cell is bound to run, file, row, column and reason."""
    path = tmp_path / "b.parquet.rejects.parquet"
    stored = pl.read_parquet(path)
    description = pl.read_parquet_metadata(path)[REJECTS_KEY]
    if what == "row":
        stored = stored.with_columns(pl.col("row") + 1)
    elif what in ("file", "reason"):
        stored = stored.with_columns(pl.lit("other").alias(what))
    elif what == "column":
        stored = stored.with_columns(pl.lit("ssn").alias("column"))
    elif what == "swap":
        stored = stored.with_columns(pl.col("cells").reverse())
    elif what == "cell":
        cells = stored["cells"].struct.unnest()
        flipped = [cell[:-1] + bytes([cell[-1] ^ 1]) for cell in cells["n"]]
        cells = cells.with_columns(pl.Series("n", flipped))
        stored = stored.with_columns(cells.to_struct("cells"))
    else:
        fields = json.loads(description)
        fields["run"] = "00" * 16
        description = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    stored.write_parquet(path, metadata={REJECTS_KEY: description})
    with pytest.raises(NotAuthentic) as caught:
        open_rejects(path, keyring=ring)
    assert "CANARY" not in str(caught.value)


def test_other_files_are_no_rejects(write, tmp_path):
    """Each says what it is."""
    write("a.parquet", ROWS)
    with pytest.raises(MetadataMissing):
        read_rejects(tmp_path / "a.parquet")
    ROWS.write_parquet(tmp_path / "b.parquet", metadata={REJECTS_KEY: "{}"})
    with pytest.raises(MetadataTampered):
        read_rejects(tmp_path / "b.parquet")


def test_replaying_under_a_corrected_policy(rejected, job, tmp_path, ring):
    """What fits now is tokenized; together with the first output it's all rows."""
    corrected = {
        **REJECTING,
        "card": {"scheme": "credit-card", "key": "payments", "on_invalid": "null"},
        "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "reject"},
    }
    report = job("tokenize", "b.parquet.rejects.parquet", "c.parquet", corrected, replay=True)
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (3, 1, 2)
    assert pl.read_parquet(tmp_path / "c.parquet")["n"].to_list() == [2]
    again = open_rejects(report.rejects, keyring=ring)
    assert again["n"].to_list() == [3, 5]


def test_rows_of_several_files_keep_their_place(job, write, tmp_path, ring):
    """Rows are numbered within their file, in one file of rejected rows a run."""
    write("in/a.csv", "ssn,n\n078-05-1120,1\nbad,2\n")
    write("in/b.csv", "ssn,n\nworse,3\n078-05-1120,4\n")
    columns = {"ssn": REJECTING["ssn"]}
    for target in ("out", "all.csv"):
        report = job("tokenize", "in", target, columns)
        rejects = read_rejects(report.rejects)
        assert rejects.places().select("file", "row").rows() == [("a.csv", 1), ("b.csv", 0)]
        assert rejects.open(ring)["n"].to_list() == ["2", "3"]
        assert (report.rows_written, report.rows_rejected) == (2, 2)


def test_no_file_without_rejected_rows(job, write, tmp_path):
    """A run that rejects nothing leaves no file, and takes away what an earlier one left."""
    write("a.csv", "ssn\nbad\n")
    columns = {"ssn": REJECTING["ssn"]}
    job("tokenize", "a.csv", "b.csv", columns)
    write("a.csv", "ssn\n078-05-1120\n")
    with pytest.raises(OutputExists):
        job("tokenize", "a.csv", "b.csv", columns)
    report = job("tokenize", "a.csv", "b.csv", columns, force=True)
    assert report.rejects is None
    assert not (tmp_path / "b.csv.rejects.parquet").exists()


def test_an_error_column_refuses_all(job, write, tmp_path):
    """Where another column's policy is an error, no rejected row is written either."""
    write("a.csv", "card,ssn\nbad,bad\n")
    columns = {"card": {"scheme": "credit-card", "key": "payments"}, "ssn": REJECTING["ssn"]}
    with pytest.raises(JobRefused):
        job("tokenize", "a.csv", "b.csv", columns)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_nested_columns_can_not_be_rejected(job, write, tmp_path):
    """They are refused before anything is read."""
    write("a.parquet", pl.DataFrame({"ssn": ["bad"], "list": [[1]]}))
    with pytest.raises(UnsupportedType, match="rejected rows"):
        job("tokenize", "a.parquet", "b.parquet", {"ssn": REJECTING["ssn"]})


def test_a_key_of_their_own(write, tmp_path, ring):
    """Cells of columns that have no key can go under the policy's key for rejected rows."""
    policy = {
        "columns": {"ssn": REJECTING["ssn"]},
        "unlisted": "keep",
        "rejects": {"key": "payments"},
    }
    outcome = tk.apply(pl.DataFrame({"ssn": ["bad"], "n": [1]}), policy, keyring=ring)
    assert outcome.rejects is not None
    assert outcome.rejects.description.keys["n"]["name"] == "payments"
    assert outcome.rejects.open(ring).rows() == [("bad", 1)]


def test_apply_gives_frame_rejects_and_report(ring):
    """In memory the same as in a file; without rejects there are none."""
    policy = {"columns": REJECTING, "unlisted": "keep"}
    outcome = tk.apply(ROWS, policy, keyring=ring)
    assert outcome.frame["n"].to_list() == [1, 4]
    assert outcome.rejects is not None
    assert outcome.rejects.open(ring).equals(ROWS[BAD])
    report = outcome.report
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (5, 2, 3)
    lazily = tk.apply(ROWS.lazy(), policy, keyring=ring)
    assert lazily.frame.equals(outcome.frame)
    with pytest.raises(PolicyError, match=r"tokenkit\.apply"):
        tk.tokenize(ROWS, policy, keyring=ring)
    kept = tk.apply(ROWS.select("n"), {"columns": {}, "unlisted": "keep"}, keyring=ring)
    assert kept.rejects is None


def test_apply_takes_arrow_tables(ring):
    """A table comes out as a table, with the types that went in."""
    import pyarrow as pa

    table = pa.table({"ssn": ["078-05-1120", "bad"], "n": [1, 2]})
    outcome = tk.apply(
        table, {"columns": {"ssn": REJECTING["ssn"]}, "unlisted": "keep"}, keyring=ring
    )
    assert outcome.frame.schema == table.schema
    assert outcome.frame.num_rows == 1


def test_rejected_rows_of_a_replaced_output_go_with_it(job, write, tmp_path):
    """Replaying them would double rows."""
    write("a.csv", "ssn\nbad\n")
    job("tokenize", "a.csv", "b.csv", {"ssn": REJECTING["ssn"]})
    columns = {"ssn": {**REJECTING["ssn"], "on_invalid": "null"}}
    job("tokenize", "a.csv", "b.csv", columns, force=True)
    assert not (tmp_path / "b.csv.rejects.parquet").exists()


@pytest.mark.parametrize(("most", "fits"), [(0.59, False), (0.6, True), (0, False), (1, True)])
def test_more_rejected_rows_than_the_policy_allows_fail_the_job(write, tmp_path, ring, most, fits):
    """Three of five rows are rejected: a policy that allows fewer has nothing written."""
    write("a.parquet", ROWS)
    policy = tk.Policy.from_mapping(
        {"columns": REJECTING, "unlisted": "keep", "rejects": {"max_fraction": most}}
    )
    assert tk.Policy.from_mapping(policy.to_mapping()).digest == policy.digest
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    job = tk.jobs.Job(
        operation="tokenize", source=source, target=target, policy=policy, keyring=ring
    )
    if fits:
        assert tk.jobs.run(job).rows_rejected == 3
    else:
        with pytest.raises(JobRefused, match="3 of 5 rows were rejected"):
            tk.jobs.run(job)
        with pytest.raises(JobRefused, match="max_fraction"):
            tk.apply(ROWS, policy, keyring=ring)
        assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["a.parquet"]
