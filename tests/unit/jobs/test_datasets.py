"""Folders, patterns and partitions: every file read, each output whole, nothing doubled."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tokenkit.errors import InputError, InputNotFound, JobError, OutputExists, PolicyError
from tokenkit.jobs import Job, JobRefused, run
from tokenkit.jobs.inputs import find_inputs
from tokenkit.jobs.reading import scan
from tokenkit.keys import Keyring
from tokenkit.policy import Policy

DIGITS = {"id": {"scheme": "digits", "key": "people"}}


def frame(start: int, count: int = 5) -> pl.DataFrame:
    """Make rows of ids."""
    ids = [f"{1_000_000 + number}" for number in range(start, start + count)]
    return pl.DataFrame({"id": ids, "n": list(range(start, start + count))})


def files(folder: Path) -> list[str]:
    """List every file below a folder, temporary ones included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def dataset(write):
    """Write three files in two folders, and some that aren't data."""
    write("in/a.parquet", frame(0))
    write("in/b.parquet", frame(5))
    write("in/deep/c.parquet", frame(10))
    write("in/_SUCCESS", "")
    write("in/.hidden.parquet", frame(90))
    write("in/notes.txt", "no data")


@pytest.mark.usefixtures("dataset")
def test_a_folder_becomes_a_folder(job, tmp_path):
    """Each file is turned for itself, under its own name, and the folder comes back."""
    report = job("tokenize", "in", "out", DIGITS)
    assert (report.inputs, report.rows_read, report.rows_written) == (3, 15, 15)
    assert files(tmp_path / "out") == ["a.parquet", "b.parquet", "deep/c.parquet"]
    assert report.columns["id"].done == 15
    job("detokenize", "out", "back")
    for name in files(tmp_path / "back"):
        assert pl.read_parquet(tmp_path / "back" / name).equals(
            pl.read_parquet(tmp_path / "in" / name)
        )


@pytest.mark.usefixtures("dataset")
def test_a_folder_or_pattern_becomes_one_file(job, tmp_path, ring):
    """The files stand one after the other, in the order of their names."""
    job("tokenize", "in", "all.parquet", DIGITS)
    back = scan(tmp_path / "all.parquet", keyring=ring).collect()
    assert back.equals(frame(0, 15))
    report = job("tokenize", "in/*.parquet", "two.csv", DIGITS)
    assert (report.inputs, report.rows_written) == (2, 10)
    job("tokenize", "in/**/*.parquet", "three.csv", DIGITS)
    assert len(scan(tmp_path / "three.csv", keyring=ring).collect()) == 15


@pytest.mark.usefixtures("dataset")
def test_a_folder_in_another_format(job, tmp_path, ring):
    """Files get the suffix of the output's format, and their sidecars."""
    job("tokenize", "in", "out", DIGITS, output_format=".csv")
    assert "deep/c.csv.tokenkit.json" in files(tmp_path / "out")
    back = scan(tmp_path / "out", keyring=ring).collect()
    assert back["id"].to_list() == frame(0, 15)["id"].to_list()


@pytest.mark.usefixtures("dataset")
def test_a_folder_is_replaced_as_a_whole(job, write, tmp_path):
    """Unasked it stays; replaced, it holds nothing of the old one. A done run is skipped."""
    write("out/old.parquet", frame(0))
    with pytest.raises(OutputExists):
        job("tokenize", "in", "out", DIGITS)
    assert files(tmp_path / "out") == ["old.parquet"]
    job("tokenize", "in", "out", DIGITS, force=True)
    assert files(tmp_path / "out") == ["a.parquet", "b.parquet", "deep/c.parquet"]
    assert job("tokenize", "in", "out", DIGITS).status == "skipped"
    assert not [name for name in files(tmp_path) if name.endswith(".tmp")]


@pytest.mark.usefixtures("dataset")
def test_one_bad_file_leaves_nothing(job, write, tmp_path):
    """What doesn't fit in the last file refuses them all."""
    write("in/z.parquet", pl.DataFrame({"id": ["12"], "n": [1]}))
    with pytest.raises(JobRefused) as caught:
        job("tokenize", "in", "out", DIGITS)
    assert caught.value.report is not None
    assert caught.value.report.rows_read == 16
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_appending_adds_one_file_a_run(job, write, tmp_path, ring):
    """A run that has been appended isn't appended again; a changed input is a run of its own."""
    write("a.parquet", frame(0))
    first = job("tokenize", "a.parquet", "out", DIGITS, mode="append")
    assert files(tmp_path / "out") == [f"part-{first.run}.parquet"]
    assert job("tokenize", "a.parquet", "out", DIGITS, mode="append").status == "skipped"
    write("a.parquet", frame(5))
    second = job("tokenize", "a.parquet", "out", DIGITS, mode="append")
    assert second.run != first.run
    back = scan(tmp_path / "out", keyring=ring).collect()
    assert sorted(back["n"]) == list(range(10))


def test_appending_under_another_version_is_refused(job, write, tmp_path, ring):
    """A folder whose files have two versions is readable, but nobody gets one by accident."""
    write("a.parquet", frame(0))
    job("tokenize", "a.parquet", "out", DIGITS, mode="append")
    ring.rotate("people")
    write("a.parquet", frame(5))
    with pytest.raises(JobError, match="other key versions"):
        job("tokenize", "a.parquet", "out", DIGITS, mode="append")
    assert len(files(tmp_path / "out")) == 1
    job("tokenize", "a.parquet", "out", DIGITS, mode="append", force=True)
    assert sorted(scan(tmp_path / "out", keyring=ring).collect()["n"]) == list(range(10))


def test_partitions_are_replaced_one_by_one(job, write, tmp_path, ring):
    """Partitions get tokens for names; others than the job's stay, and none has old rows."""
    rows = frame(0, 6).with_columns(country=pl.Series(["NO", "SE", None] * 2))
    write("a.parquet", rows)
    columns = {**DIGITS, "country": {"action": "keep"}}
    options = {"mode": "partition", "partition_by": ("country",)}
    job("tokenize", "a.parquet", "out", columns, **options)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "country=NO",
        "country=SE",
        "country=__HIVE_DEFAULT_PARTITION__",
    ]
    back = scan(tmp_path / "out", keyring=ring).collect()
    assert back.sort("n").select("id", "n", "country").equals(rows)
    write("a.parquet", rows.filter(pl.col("country") == "NO").head(1))
    job("tokenize", "a.parquet", "out", columns, **options)
    back = scan(tmp_path / "out", keyring=ring).collect()
    assert back.group_by("country").len().sort("country")["len"].to_list() == [2, 1, 2]


def test_partitions_below_a_relative_path(write, tmp_path, monkeypatch):
    """The partitions stand in the folder that was named, seen from where the job runs."""
    write("a.parquet", frame(0, 6).with_columns(country=pl.lit("NO")))
    monkeypatch.chdir(tmp_path)
    columns = {**DIGITS, "country": {"action": "keep"}}
    policy = Policy.from_mapping({"columns": columns, "unlisted": "keep"})
    with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
        run(
            Job(
                operation="tokenize",
                source=Path("a.parquet"),
                target=Path("out"),
                policy=policy,
                keyring=ring,
                mode="partition",
                partition_by=("country",),
            )
        )
    assert [path.parent.name for path in Path("out").rglob("*.parquet")] == ["country=NO"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "out"]


def test_hive_partitions_are_tokenized_in_paths(job, write, tmp_path, ring):
    """No clear value stands in an output path or in a report; the folder comes back."""
    write("in/ssn=078-05-1120/a.parquet", frame(0))
    write("in/ssn=__HIVE_DEFAULT_PARTITION__/b.parquet", frame(5))
    write("in/ssn=219-09-9999/a.parquet", frame(10))
    columns = {**DIGITS, "ssn": {"scheme": "us-ssn", "key": "people"}}
    report = job("tokenize", "in", "out", columns)
    assert report.columns["ssn"].done == 10
    assert report.columns["ssn"].null == 5
    assert "078-05-1120" not in str(report.to_json())
    names = files(tmp_path / "out")
    assert len(names) == 3
    assert all("078-05-1120" not in name and "219-09-9999" not in name for name in names)
    job("detokenize", "out", "back")
    assert files(tmp_path / "back") == files(tmp_path / "in")
    back = scan(tmp_path / "out", keyring=ring).collect()
    found = dict(zip(back["n"], back["ssn"], strict=True))
    assert (found[0], found[5], found[10]) == ("078-05-1120", None, "219-09-9999")


def test_hive_values_that_do_not_fit(job, write, tmp_path):
    """They are an error, null, or sealed; a path can't be rejected row by row."""
    write("in/ssn=secret/a.parquet", frame(0))

    def columns(on_invalid: str) -> dict[str, Any]:
        return {**DIGITS, "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": on_invalid}}

    for kind in (JobRefused, PolicyError):
        on_invalid = "error" if kind is JobRefused else "reject"
        with pytest.raises(kind) as caught:
            job("tokenize", "in", "out", columns(on_invalid))
        assert "secret" not in str(caught.value)
    job("tokenize", "in", "null", columns("null"))
    assert files(tmp_path / "null") == ["ssn=__HIVE_DEFAULT_PARTITION__/a.parquet"]
    job("tokenize", "in", "seal", columns("seal"))
    job("detokenize", "seal", "back")
    assert files(tmp_path / "back") == ["ssn=secret/a.parquet"]


def test_files_that_do_not_go_together(job, write, tmp_path):
    """Other columns, other partitions, nothing at all: each says what is wrong."""
    write("in/a.parquet", frame(0))
    write("in/b.parquet", frame(0).with_columns(pl.col("n").cast(pl.Int8)))
    with pytest.raises(InputError, match="not the first file's") as caught:
        job("tokenize", "in", "all.parquet", DIGITS)
    assert caught.value.file == "b.parquet"
    write("mixed/x=1/a.parquet", frame(0))
    write("mixed/b.parquet", frame(0))
    with pytest.raises(InputError, match="other partition columns"):
        job("tokenize", "mixed", "out", {}, unlisted="keep")
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent", "*.parquet"):
        with pytest.raises(InputNotFound):
            job("tokenize", name, "out", DIGITS)
    with pytest.raises(JobError, match="lies in the folder"):
        job("tokenize", "in", "in/out", DIGITS)


def test_names_of_files_are_sorted(write, tmp_path):
    """Files come in the order of their paths, whatever the system lists first."""
    for name in ("b.csv", "a/z.csv", "a.csv"):
        write(f"in/{name}", "x\n1\n")
    assert [file.shown for file in find_inputs(tmp_path / "in")] == ["a.csv", "b.csv", "a/z.csv"]


def test_linked_folders_are_refused(job, write, tmp_path):
    """Following them could go in circles; passing over them would lose rows."""
    write("in/a.parquet", frame(0))
    write("else/b.parquet", frame(5))
    (tmp_path / "in" / "sub").symlink_to(tmp_path / "else")
    with pytest.raises(InputError, match="symbolic link"):
        job("tokenize", "in", "out", DIGITS)


def test_appending_what_does_not_join_is_refused(job, write):
    """Another domain or another shape makes other tokens."""
    write("a.parquet", frame(0))
    job("tokenize", "a.parquet", "out", DIGITS, mode="append")
    write("a.parquet", frame(5))
    for change in ({"domain": "other"}, {"keep": {"last": 1}}):
        with pytest.raises(JobError, match="other key versions"):
            job("tokenize", "a.parquet", "out", {"id": {**DIGITS["id"], **change}}, mode="append")


def test_a_column_in_a_path_has_no_tweak(job, write):
    """It stands for many rows, each with its own."""
    write("in/ssn=078-05-1120/a.parquet", frame(0))
    columns = {**DIGITS, "ssn": {"scheme": "us-ssn", "key": "people", "tweak": "n"}}
    with pytest.raises(PolicyError, match="no tweak"):
        job("tokenize", "in", "out", {**columns, "n": {"action": "keep"}})
