"""Outputs take the place of no input and of no other output, whatever is asked for."""

from pathlib import Path

import polars as pl
import pytest

from tokenkit.errors import InputError, InvalidValues, JobError, OutputExists
from tokenkit.jobs.rejects import open_rejects

IDS = {"id": {"scheme": "digits", "key": "people"}}
REJECTING = {"id": {"scheme": "digits", "key": "people", "on_invalid": "reject"}}


def frame(*ids: str) -> pl.DataFrame:
    """Make rows of ids."""
    return pl.DataFrame({"id": ids, "c": [str(number) for number in range(len(ids))]})


@pytest.mark.parametrize(
    ("source", "target", "options"),
    [
        ("data/a.parquet", "data", {}),
        ("data/a.parquet", "data", {"mode": "append"}),
        ("data/a.parquet", "data", {"mode": "partition", "partition_by": ("c",)}),
        ("data/*.parquet", "data", {}),
        ("data/*.parquet", "data/a.parquet", {}),
        ("data/a.parquet", "out.parquet", {"rejects": "data/a.parquet"}),
    ],
)
def test_no_input_is_replaced(job, write, tmp_path, source, target, options):
    """Not even by force: neither by an output, nor by a folder above it, nor by rejected rows."""
    write("data/a.parquet", frame("1000000", "x"))
    write("data/notes.txt", "precious")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    if "rejects" in options:
        options = {"rejects": tmp_path / options["rejects"]}
    with pytest.raises(JobError, match="place of a file that is read"):
        job("tokenize", source, target, REJECTING, force=True, **options)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("target", "rejects"), [("b.parquet", "b.parquet"), ("out", "out/r.parquet")]
)
def test_rejected_rows_have_a_place_of_their_own(job, write, tmp_path, target, rejects):
    """They would be lost in the place of the output, or in the folder that is swapped in."""
    write("in/a.parquet", frame("1000000", "x"))
    with pytest.raises(JobError, match="place of the output"):
        job("tokenize", "in", target, REJECTING, force=True, rejects=tmp_path / rejects)


def test_every_run_that_adds_to_a_folder_keeps_its_rejected_rows(job, write, ring):
    """A second run neither fails for those of the first one nor replaces them."""
    write("a.parquet", frame("1000000", "x"))
    write("b.parquet", frame("1000000", "y"))
    found = [
        job("tokenize", name, "out", REJECTING, mode="append", force=force)
        for name, force in (("a.parquet", False), ("b.parquet", True))
    ]
    rows = [open_rejects(report.rejects, keyring=ring)["id"].to_list() for report in found]
    assert rows == [["x"], ["y"]]
    assert job("tokenize", "a.parquet", "out", REJECTING, mode="append").status == "skipped"


def test_a_run_without_its_rejected_rows_is_not_done(job, write):
    """Rows whose file is gone aren't passed over as done; without rejected rows there is none."""
    write("a.parquet", frame("1000000", "x"))
    report = job("tokenize", "a.parquet", "b.parquet", REJECTING)
    Path(report.rejects).unlink()
    with pytest.raises(OutputExists, match="rejected rows are not"):
        job("tokenize", "a.parquet", "b.parquet", REJECTING)
    assert job("tokenize", "a.parquet", "b.parquet", REJECTING, force=True).rows_rejected == 1
    assert job("tokenize", "a.parquet", "b.parquet", REJECTING).status == "skipped"
    write("c.parquet", frame("1000000", "1000001"))
    job("tokenize", "c.parquet", "d.csv", REJECTING)
    assert job("tokenize", "c.parquet", "d.csv", REJECTING).status == "skipped"


@pytest.mark.parametrize(
    ("names", "columns", "options"),
    [
        (("a.parquet", "a.pq"), {}, {"output_format": ".parquet"}),
        (("p=1/a.parquet", "p=2/a.parquet"), {"p": {"action": "drop"}}, {}),
        (
            ("p=x/a.parquet", "p=y/a.parquet"),
            {"p": {"scheme": "digits", "key": "people", "on_invalid": "null"}},
            {},
        ),
    ],
)
def test_no_two_outputs_have_one_name(job, write, tmp_path, names, columns, options):
    """Suffixes, dropped columns and values that become null can make one name of two."""
    for name in names:
        write(f"in/{name}", frame("1000000"))
    with pytest.raises(JobError, match="would have the name"):
        job("tokenize", "in", "out", {**IDS, **columns}, **options)
    assert not (tmp_path / "out").exists()


def test_a_column_stands_in_a_path_once(job, write):
    """The first value would be lost."""
    write("in/p=1/p=2/a.parquet", frame("1000000"))
    with pytest.raises(InputError, match="stands twice in the path") as caught:
        job("tokenize", "in", "out", IDS)
    assert caught.value.file == "p=*/p=*/a.parquet"


def test_partitions_of_ndjson_hold_every_float(job, write, tmp_path):
    """JSON has no form for what is no number: it isn't written as null."""
    write("a.parquet", frame("1000000").with_columns(f=pl.lit(float("nan"))))
    options = {"mode": "partition", "partition_by": ("c",), "output_format": ".ndjson"}
    with pytest.raises(InvalidValues, match="no finite number"):
        job("tokenize", "a.parquet", "out", IDS, **options)
    assert not (tmp_path / "out").exists()
