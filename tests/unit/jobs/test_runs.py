"""A run has an id, is done once, and can be tried without writing."""

import polars as pl
import pytest

from tokenkit.errors import JobError, OutputExists, SchemeError
from tokenkit.jobs import JobRefused, TextOptions, passes, streaming
from tokenkit.policy import METADATA_KEY

SSN = {"ssn": {"scheme": "us-ssn", "key": "people"}}
ROWS = "ssn,n\n078-05-1120,1\n219-09-9999,2\n,3\n"


def written(path):
    """Say which file it is, and when it was written; when it was read, the system may note."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def test_an_unchanged_input_is_skipped(job, write, tmp_path):
    """The same job does nothing; another policy, key version or content is another run."""
    write("a.csv", ROWS)
    first = job("tokenize", "a.csv", "b.csv", SSN)
    before = written(tmp_path / "b.csv")
    second = job("tokenize", "a.csv", "b.csv", SSN)
    assert (second.status, second.run, second.rows_read) == ("skipped", first.run, 0)
    assert written(tmp_path / "b.csv") == before
    again = job("tokenize", "a.csv", "b.csv", SSN, force=True)
    assert (again.status, again.run) == ("done", first.run)
    runs = {first.run}
    for number, columns in enumerate([{**SSN, "n": {"action": "drop"}}, SSN]):
        if number:
            write("a.csv", ROWS + "457-55-5462,4\n")
        with pytest.raises(OutputExists):
            job("tokenize", "a.csv", "b.csv", columns)
        runs.add(job("tokenize", "a.csv", "b.csv", columns, force=True).run)
    assert len(runs) == 3


def test_a_new_key_version_is_a_new_run(job, write, ring):
    """After a rotation the same job makes other tokens, so it isn't done."""
    write("a.csv", ROWS)
    job("tokenize", "a.csv", "b.csv", SSN)
    ring.rotate("people")
    with pytest.raises(OutputExists):
        job("tokenize", "a.csv", "b.csv", SSN)


def test_forged_metadata_skips_nothing(job, write, tmp_path):
    """A run is done if authentic metadata says so."""
    write("a.csv", ROWS)
    job("tokenize", "a.csv", "b.csv", SSN)
    sidecar = tmp_path / "b.csv.tokenkit.json"
    text = sidecar.read_text()
    run = text.split('"run":"')[1][:32]
    sidecar.write_text(text.replace(run, "0" * 32))
    with pytest.raises(OutputExists):
        job("tokenize", "a.csv", "b.csv", SSN)


def test_an_output_that_lost_rows_is_not_done(job, write, tmp_path):
    """Metadata alone doesn't say that a run is complete: the rows are counted."""
    write("a.csv", ROWS)
    job("tokenize", "a.csv", "b.csv", SSN)
    lines = (tmp_path / "b.csv").read_text().splitlines(keepends=True)
    (tmp_path / "b.csv").write_text("".join(lines[:-1]))
    with pytest.raises(OutputExists, match="rows of it"):
        job("tokenize", "a.csv", "b.csv", SSN)


def test_the_run_stands_in_the_metadata(job, write, tmp_path):
    """The output names the run that wrote it."""
    write("a.csv", ROWS)
    report = job("tokenize", "a.csv", "b.parquet", SSN)
    assert report.run in pl.read_parquet_metadata(tmp_path / "b.parquet")[METADATA_KEY]


def test_a_dry_run_counts_and_writes_nothing(job, write, tmp_path):
    """It needs no target, and says what would not fit."""
    write("a.csv", ROWS)
    for target in (None, "b.csv"):
        report = job("tokenize", "a.csv", target, SSN, dry_run=True)
        assert (report.status, report.rows_read, report.rows_written) == ("dry-run", 3, 0)
        assert (report.columns["ssn"].done, report.columns["ssn"].null) == (2, 1)
    write("a.csv", ROWS + "12,4\n")
    with pytest.raises(JobRefused):
        job("tokenize", "a.csv", None, SSN, dry_run=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_limit_reads_the_first_rows(job, write, tmp_path):
    """What comes after isn't looked at."""
    write("a.csv", ROWS + "no ssn,4\n")
    report = job("tokenize", "a.csv", "b.csv", SSN, limit=2)
    assert (report.rows_read, report.rows_written) == (2, 2)
    job("detokenize", "b.csv", "c.csv")
    assert (tmp_path / "c.csv").read_text() == "".join(ROWS.splitlines(keepends=True)[:3])
    assert job("tokenize", "a.csv", "d.csv", SSN, limit=0).rows_read == 0


def test_an_input_that_changes_is_noticed(job, write, tmp_path, monkeypatch):
    """Rows of two states of a file never get a name."""
    path = write("a.csv", ROWS)
    original = streaming.collect

    def meanwhile(*arguments):
        found = original(*arguments)
        path.write_text(ROWS.replace("1120", "1121"))
        return found

    monkeypatch.setattr(passes, "collect", meanwhile)
    with pytest.raises(JobError, match="changed while it was read"):
        job("tokenize", "a.csv", "b.csv", SSN)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "overwrite"},
        {"mode": "partition"},
        {"partition_by": ("ssn",)},
        {"limit": -1},
    ],
)
def test_options_that_can_not_be(job, write, options):
    """Each is refused before anything is read."""
    write("a.csv", ROWS)
    with pytest.raises(JobError):
        job("tokenize", "a.csv", "b", SSN, **options)
    with pytest.raises(JobError, match="needs a target"):
        job("tokenize", "a.csv", None, SSN)


def test_declared_types(job, write, tmp_path):
    """Text columns are read as what they are declared; what can't be is of reason type."""
    write("a.csv", "id,n,x\n0042,1,1.5\n77,2,\n")
    text = TextOptions(types={"id": "int64", "n": "int32", "x": "decimal(10,2)"})
    columns = {"id": {"scheme": "digits", "key": "people", "width": 8}}
    job("tokenize", "a.csv", "b.parquet", columns, text=text)
    found = pl.read_parquet(tmp_path / "b.parquet")
    assert found.schema == {"id": pl.Int64, "n": pl.Int32, "x": pl.Decimal(10, 2)}
    job("detokenize", "b.parquet", "c.parquet")
    assert pl.read_parquet(tmp_path / "c.parquet")["id"].to_list() == [42, 77]
    write("a.csv", "id,n,x\n0042,one,1.5\nCANARY,2,\n")
    with pytest.raises(JobRefused) as caught:
        job("tokenize", "a.csv", "d.parquet", columns, text=text)
    assert caught.value.report is not None
    columns_found = caught.value.report.columns
    assert columns_found["n"].invalid == {"type": 1}
    assert columns_found["id"].invalid == {"type": 1}
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("date", "2020-02-29", "2021-02-29"),
        ("time", "23:59:59.500", "24:00:00"),
        ("datetime", "2020-01-01T10:00:00", "2020-01-01"),
        ("boolean", "true", "1"),
        ("decimal(10,2)", "-1.50", "1.239"),
        ("int8", "-128", "128"),
        ("float64", "1e300", "one"),
    ],
)
def test_each_declared_type(job, write, tmp_path, kind, good, bad):
    """What is of the type comes through as it; what isn't is of reason type, and never null."""
    text = TextOptions(types={"n": kind})
    write("a.csv", f"ssn,n\n078-05-1120,{good}\n,\n")
    job("tokenize", "a.csv", "b.parquet", SSN, text=text)
    found = pl.read_parquet(tmp_path / "b.parquet")["n"]
    assert found.dtype != pl.String
    assert found.null_count() == 1
    write("a.csv", f"ssn,n\n078-05-1120,{bad}\n")
    with pytest.raises(JobRefused) as caught:
        job("tokenize", "a.csv", "c.parquet", SSN, text=text)
    assert caught.value.reason == "type"


def test_integers_whose_tokens_are_strings(job, write, tmp_path):
    """They join with the same ids written as text, and come back as integers."""
    write("a.parquet", pl.DataFrame({"id": [42, None, 99_999_999]}))
    write("b.parquet", pl.DataFrame({"id": ["00000042", None, "99999999"]}))
    column = {"scheme": "digits", "key": "people", "width": 8}
    job("tokenize", "a.parquet", "c.parquet", {"id": {**column, "output": "string"}})
    job("tokenize", "b.parquet", "d.parquet", {"id": column})
    tokens = pl.read_parquet(tmp_path / "c.parquet")
    assert tokens.equals(pl.read_parquet(tmp_path / "d.parquet"))
    job("detokenize", "c.parquet", "e.parquet")
    assert pl.read_parquet(tmp_path / "e.parquet").equals(pl.read_parquet(tmp_path / "a.parquet"))
    job("tokenize", "a.parquet", "f.csv", {"id": {**column, "output": "string"}})
    job("detokenize", "f.csv", "g.parquet")
    assert pl.read_parquet(tmp_path / "g.parquet").equals(pl.read_parquet(tmp_path / "a.parquet"))


def test_the_policy_modes_in_one_job(job, write, tmp_path):
    """Literals, normalizing, sealing and tweak columns are counted and come back."""
    rows = pl.DataFrame(
        {
            "card": ["4111111111111111", " 4111-1111-1111-1111", "N/A", "oops", "", None],
            "ssn": ["078-05-1120", "unknown", "078-05-1120", "000000000", "", None],
            "tenant": ["a", "a", "b", "b", "b", "a"],
        }
    )
    write("a.parquet", rows)
    columns = {
        "card": {
            "scheme": "credit-card",
            "key": "payments",
            "literals": ["N/A"],
            "normalize": ["trim", "strip-separators"],
            "on_invalid": "seal",
        },
        "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "seal", "tweak": "tenant"},
    }
    report = job("tokenize", "a.parquet", "b.parquet", columns)
    card, ssn = report.columns["card"], report.columns["ssn"]
    assert (card.done, card.literal, card.sealed, card.empty, card.null) == (2, 1, 1, 1, 1)
    assert card.invalid == {"character": 1}
    assert (ssn.done, ssn.sealed, ssn.empty, ssn.null) == (3, 1, 1, 1)
    tokens = pl.read_parquet(tmp_path / "b.parquet")
    assert tokens["card"][0] == tokens["card"][1]
    assert tokens["card"][2] == "N/A"
    assert tokens["ssn"][0] != tokens["ssn"][2]
    job("detokenize", "b.parquet", "c.parquet")
    back = pl.read_parquet(tmp_path / "c.parquet")
    assert back["ssn"].to_list() == rows["ssn"].to_list()
    assert back["card"].to_list() == ["4111111111111111", "4111111111111111", *rows["card"][2:]]


def test_a_policy_can_name_the_version(job, write, tmp_path, ring):
    """New tokens are made under an old version where the policy says so."""
    write("a.csv", ROWS)
    job("tokenize", "a.csv", "b.csv", SSN)
    ring.rotate("people")
    job("tokenize", "a.csv", "c.csv", {"ssn": {**SSN["ssn"], "version": 1}})
    assert (tmp_path / "b.csv").read_text() == (tmp_path / "c.csv").read_text()
    with pytest.raises((JobError, SchemeError, LookupError)):
        job("tokenize", "a.csv", "d.csv", {"ssn": {**SSN["ssn"], "version": 3}})
