"""Jobs that read objects of an object store and write them, against moto's S3."""

from dataclasses import replace

import polars as pl
import pytest

from tests.integration.object_store import parquet
from tokenkit.errors import InputError, InputNotFound, JobError, OutputExists
from tokenkit.jobs import Job, run
from tokenkit.jobs.connectors import TextOptions, format_of
from tokenkit.jobs.objects import ObjectPlace
from tokenkit.jobs.proving import check_output
from tokenkit.jobs.rejects import read_rejects
from tokenkit.policy import Policy

FRAME = pl.DataFrame(
    {
        "id": [str(number) for number in range(6)],
        "card": ["4539578763621486", None, "4111111111111111", "4539578763621486", None, None],
        "ssn": ["078-05-1120", "078-05-1121", None, "078-05-1120", "219-09-9999", None],
        "city": ["Oslo", "Bergen, Norway", None, 'the "old" town', "Oslo", "Rome"],
    }
)
COLUMNS = {
    "card": {"scheme": "credit-card", "key": "payments"},
    "ssn": {"scheme": "us-ssn", "key": "people"},
}
FORMATS = [".parquet", ".csv", ".tsv.gz", ".csv.zst", ".ndjson", ".jsonl.zst", ".arrow"]


@pytest.fixture
def policy():
    """Give a policy."""
    return Policy.from_mapping({"columns": COLUMNS, "unlisted": "keep"})


@pytest.fixture
def job(ring, policy):
    """Make a job that tokenizes."""

    def making(source, target, **options):
        given = {"operation": "tokenize", "policy": policy, "keyring": ring, **options}
        return Job(source=source, target=target, **given)

    return making


def back(source, target, ring):
    """Bring tokens back."""
    return Job(operation="detokenize", source=source, target=target, keyring=ring)


def rows(content):
    """Read what was written as Parquet."""
    return pl.read_parquet(content)


def read(path):
    """Read a file of any format as it is."""
    return format_of(path).source(path, TextOptions()).scan().collect()


@pytest.mark.parametrize("suffix", FORMATS)
def test_objects_and_files_hold_the_same(s3, job, ring, tmp_path, suffix):
    """A format in a store gives the tokens that it gives in a folder, and they come back."""
    local = tmp_path / f"in{suffix}"
    plain = tmp_path / "plain.parquet"
    FRAME.write_parquet(plain)
    keep = Policy.from_mapping({"columns": {}, "unlisted": "keep"})
    run(job(plain, local, policy=keep))
    s3.put(f"in{suffix}", local.read_bytes())
    run(job(local, tmp_path / f"out{suffix}"))
    stored = job(s3.place(f"in{suffix}"), s3.place(f"out{suffix}"))
    report = run(stored)
    assert (report.rows_read, report.rows_written, report.status) == (6, 6, "done")
    assert s3.uploads() == []
    # The metadata alone differs: it names the run, and that another input.
    run(back(tmp_path / f"out{suffix}", tmp_path / "back.parquet", ring))
    run(back(s3.place(f"out{suffix}"), s3.place("back.parquet"), ring))
    assert rows(s3.get("back.parquet")).equals(FRAME)
    assert rows(tmp_path / "back.parquet").equals(FRAME)
    (tmp_path / f"copy{suffix}").write_bytes(s3.get(f"out{suffix}"))
    assert read(tmp_path / f"copy{suffix}").equals(read(tmp_path / f"out{suffix}"))
    assert run(stored).status == "skipped"
    assert run(replace(stored, force=True)).status == "done"


def test_an_object_is_replaced_when_asked(s3, job):
    """Another object of that name stays, unless the job says that it may go."""
    s3.put("in.parquet", parquet(FRAME))
    s3.put("others.parquet", b"something else")
    asked = job(s3.place("in.parquet"), s3.place("others.parquet"))
    with pytest.raises(OutputExists):
        run(asked)
    with pytest.raises(OutputExists):
        # No run is known to have written it.
        run(replace(asked, overwrite=True))
    assert s3.get("others.parquet") == b"something else"
    assert run(replace(asked, force=True)).status == "done"
    assert run(replace(asked, overwrite=True)).status == "skipped"
    s3.put("in.parquet", parquet(FRAME.reverse()))
    assert run(replace(asked, overwrite=True)).status == "done"
    assert s3.uploads() == []


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_an_object_is_checked_against_its_source(s3, job, suffix):
    """A value left in clear shows, by row and column and not by value."""
    s3.put("in.parquet", parquet(FRAME))
    made = job(s3.place("in.parquet"), s3.place(f"out{suffix}"), prove=True)
    report = run(made)
    assert check_output(made, run=report.run, proofs=report.proofs).holds
    if suffix == ".csv":
        lines = s3.get("out.csv").decode().splitlines()
        cells = lines[4].split(",")
        lines[4] = ",".join([*cells[:2], "078-05-1120", *cells[3:]])
        s3.put("out.csv", "\n".join([*lines, ""]).encode())
        found = check_output(made, run=report.run, proofs=report.proofs)
        assert [(row.column, row.row) for row in found.differing] == [("ssn", 3)]
        assert found.located
        assert "078-05-1120" not in repr(found)


def test_a_sidecar_goes_with_its_object(s3, job, ring):
    """What is written over tokens without metadata of its own takes their sidecar away."""
    s3.put("in.parquet", parquet(FRAME))
    run(job(s3.place("in.parquet"), s3.place("out.csv")))
    assert s3.keys("out") == ["out.csv", "out.csv.tokenkit.json"]
    run(back(s3.place("out.csv"), s3.place("clear.csv"), ring))
    assert s3.keys("clear") == ["clear.csv"]
    s3.put("clear.csv.tokenkit.json", b"{}")
    # It isn't taken for the object's, and goes.
    run(job(s3.place("clear.csv"), s3.place("again.parquet")))
    run(replace(back(s3.place("out.csv"), s3.place("clear.csv"), ring), force=True))
    assert s3.keys("clear") == ["clear.csv"]


def test_prefixes_and_patterns(s3, job, tmp_path):
    """The objects below a prefix are read as the files of a folder are, Hive's names included."""
    places = ["c=B/b.parquet", "c=A%2FB/ü [1]#?.parquet", "c=A%2FB/a.parquet", "c=A%2FB/_x.parquet"]
    for number, place in enumerate(places):
        content = parquet(FRAME.slice(number, 2))
        s3.put(f"in/{place}", content)
        path = tmp_path / "in" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    s3.put("in/c=B/notes.txt", b"no data")
    run(job(tmp_path / "in", tmp_path / "out.parquet"))
    for key in ("in/", "in"):
        run(job(s3.place(key), s3.place("out.parquet"), force=True))
        assert rows(s3.get("out.parquet")).equals(rows(tmp_path / "out.parquet"))
    assert rows(s3.get("out.parquet"))["c"].to_list() == ["A/B"] * 4 + ["B"] * 2
    run(job(tmp_path / "in/c=*/?.parquet", tmp_path / "some.parquet"))
    run(job(s3.place("in/c=*/?.parquet"), s3.place("some.parquet")))
    assert rows(s3.get("some.parquet")).equals(rows(tmp_path / "some.parquet"))
    for nothing in ("no/", "no", "in/*.csv"):
        with pytest.raises(InputNotFound):
            run(job(s3.place(nothing), s3.place("none.parquet")))


def test_values_of_partitions_are_masked(s3, job):
    """A value that stands in a key stands in no error."""
    s3.put("in/ssn=078-05-1120/a.parquet", b"PAR1 but not really")
    with pytest.raises(InputError) as caught:
        run(job(s3.place("in/"), s3.place("out.parquet")))
    assert "078-05-1120" not in str(caught.value) + repr(caught.value)
    with pytest.raises(InputError) as caught:
        run(job(s3.place("in/ssn=078-05-1120/a.parquet"), s3.place("out.parquet")))
    assert "078-05-1120" not in str(caught.value) + repr(caught.value)
    assert s3.keys("out") == []


def test_append(s3, job, ring):
    """Each run adds an object below the prefix, once; tokens of another key version are refused."""
    s3.put("a.parquet", parquet(FRAME.head(2)))
    s3.put("b.parquet", parquet(FRAME.tail(3)))
    for name in ("a.parquet", "b.parquet", "a.parquet"):
        run(job(s3.place(name), s3.place("all/"), mode="append"))
    parts = s3.keys("all/")
    assert len(parts) == 2
    assert run(job(s3.place("b.parquet"), s3.place("all"), mode="append")).status == "skipped"
    assert sum(rows(s3.get(part)).height for part in parts) == 5
    ring.rotate("people")
    with pytest.raises(JobError, match="other key versions"):
        run(job(s3.place("a.parquet"), s3.place("all/"), mode="append"))
    assert s3.keys("all/") == parts


@pytest.mark.parametrize("beside", [True, False])
def test_rejected_rows(s3, job, ring, tmp_path, beside):
    """Rejected rows go beside the object, or where the job says; and come back from there."""
    columns = {**COLUMNS, "card": {**COLUMNS["card"], "on_invalid": "reject"}}
    policy = Policy.from_mapping(
        {"columns": columns, "unlisted": "keep", "rejects": {"key": "people"}}
    )
    bad = FRAME.with_columns(card=pl.when(pl.col("id") == "3").then(pl.lit("?")).otherwise("card"))
    s3.put("in.parquet", parquet(bad))
    local = tmp_path / "rejected.parquet"
    asked = job(
        s3.place("in.parquet"),
        s3.place("out.parquet"),
        policy=policy,
        rejects=None if beside else local,
    )
    report = run(asked)
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (6, 5, 1)
    assert s3.uploads() == []
    assert run(asked).status == "skipped"
    if beside:
        assert s3.keys("out") == ["out.parquet", "out.parquet.rejects.parquet"]
        local.write_bytes(s3.get("out.parquet.rejects.parquet"))
    assert local.read_bytes().find(b"Norway") == -1
    [found] = read_rejects(local).open(ring)["card"].to_list()
    assert found == "?"
    # The run that follows has nothing to reject, and the old rows would be doubled.
    s3.put("in.parquet", parquet(FRAME))
    assert run(replace(asked, overwrite=True)).rows_rejected == 0
    assert s3.keys("out") == ["out.parquet"]


def test_rejected_rows_of_files_go_into_a_store(s3, job, tmp_path):
    """A job between files may set rows aside in a store."""
    columns = {"ssn": {**COLUMNS["ssn"], "on_invalid": "reject"}}
    policy = Policy.from_mapping(
        {"columns": columns, "unlisted": "keep", "rejects": {"key": "people"}}
    )
    (tmp_path / "in.csv").write_text("ssn\n078-05-1120\nnone\n")
    asked = job(tmp_path / "in.csv", tmp_path / "out.csv", policy=policy, rejects=s3.place("bad"))
    assert run(asked).rejects == "s3://lake/bad"
    assert run(asked).status == "skipped"
    assert s3.keys() == ["bad"]


def test_what_has_no_single_step_is_refused(s3, job, tmp_path):
    """An output of several objects, a prefix as a whole and a target in the source are refused."""
    s3.put("in/a.parquet", parquet(FRAME))
    refused = [
        job(s3.place("in/"), s3.place("out/")),
        job(s3.place("in/"), s3.place("out/"), mode="partition", partition_by=("city",)),
        job(s3.place("in/"), s3.place("in/b.parquet")),
        job(s3.place("in"), s3.place("in/b.parquet")),
        job(s3.place("in"), s3.place("in"), mode="append"),
        job(s3.place(""), s3.place("b.parquet")),
        job(s3.place("in/a.parquet"), s3.place("in/a.parquet")),
        job(s3.place("in/*.parquet"), s3.place("in/a.parquet"), force=True),
        job(s3.place("in/"), s3.place("out/*.parquet")),
        job(s3.place("in/a.parquet"), s3.place("out.parquet"), mode="append"),
        job(s3.place("in/a.parquet"), s3.place("out.xlsx")),
    ]
    for each in refused:
        with pytest.raises(JobError):
            run(each)
    assert s3.keys() == ["in/a.parquet"]
    assert s3.uploads() == []


def test_credentials_of_the_environment(s3, job, ring, monkeypatch):
    """Without options, the environment says where the store is and who asks."""
    s3.put("in.csv", b"ssn\n078-05-1120\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    columns = {"ssn": COLUMNS["ssn"]}
    policy = Policy.from_mapping({"columns": columns})
    middle = ObjectPlace("s3://lake/middle.parquet")
    assert run(job(ObjectPlace("s3://lake/in.csv"), middle, policy=policy)).rows_written == 1
    run(back(middle, ObjectPlace("s3a://lake/out.ndjson"), ring))
    assert s3.get("out.ndjson") == b'{"ssn":"078-05-1120"}\n'
    run(job(ObjectPlace("s3a://lake/out.ndjson"), ObjectPlace("s3://lake/out.csv"), policy=policy))
    assert s3.keys("out.csv") == ["out.csv", "out.csv.tokenkit.json"]


def test_lineage_names_objects(s3, job, stored):
    """A run is recorded with the names of its objects, and its rows."""
    s3.put("in/a.csv", FRAME.write_csv().encode())
    run(job(s3.place("in/*.csv"), s3.place("out.parquet")))
    record = stored.run
    assert str(record.inputs[0].dataset) == "s3://lake:in"
    assert str(record.outputs[0].dataset) == "s3://lake:out.parquet"
    assert (record.status, record.rows_written, record.outputs[0].files) == ("complete", 6, 1)
