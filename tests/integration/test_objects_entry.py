"""Objects from the command line, from job files, and from the functions that read tokens."""

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import tokenkit as tk
from tests.integration.object_store import SECRET, parquet
from tokenkit.cli.app import app
from tokenkit.jobs import Job, run
from tokenkit.jobs.inspection import inspect
from tokenkit.jobs.job_file import read_job_file
from tokenkit.jobs.objects import ObjectPlace, place_of
from tokenkit.jobs.proving import check_output
from tokenkit.jobs.verification import verify
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.policy import Policy

FRAME = pl.DataFrame({"ssn": ["078-05-1120", "078-05-1121", None], "city": ["Oslo", "Rome", ""]})
POLICY = "columns: {ssn: {scheme: us-ssn, key: people}}\nunlisted: keep\n"


@pytest.fixture
def environment(s3, monkeypatch, tmp_path):
    """Let the environment say where store and keyring are."""
    given = {
        "AWS_ACCESS_KEY_ID": "made-up-id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "KEYRING_PASSPHRASE": "correct horse",
        "TOKENKIT_KEK": "passphrase:env:KEYRING_PASSPHRASE",
        "TOKENKIT_KEYRING": "keyring.json",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    create_keyring("keyring.json", ["people"], provider).close()
    (tmp_path / "policy.yaml").write_text(POLICY)


def told(*arguments):
    """Run a command that works, and give what it prints."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output
    return done.stdout


def test_the_command_line(s3, environment):
    """Objects are tokenized, inspected, compared and brought back by their URLs."""
    s3.put("in.parquet", parquet(FRAME))
    told("tokenize", "s3://lake/in.parquet", "-o", "s3://lake/out.csv", "--policy", "policy.yaml")
    assert s3.keys("out") == ["out.csv", "out.csv.tokenkit.json"]
    [found] = json.loads(
        told("inspect", "s3://lake/out.csv", "--keyring", "keyring.json", "--json")
    )
    assert (found["authenticity"], found["columns"]["ssn"]["scheme"]) == ("authentic", "us-ssn")
    told("verify", "s3://lake/in.parquet", "s3://lake/out.csv")
    told("detokenize", "s3://lake/out.csv", "-o", "back.parquet")
    assert_frame_equal(pl.read_parquet("back.parquet"), FRAME)


def test_a_job_file(s3, environment, tmp_path):
    """A job file names objects, and takes what the store is told from variables."""
    s3.put("in/2026-11-23.parquet", parquet(FRAME))
    (tmp_path / "job.yaml").write_text(
        f"""
source: {{path: "s3://lake/in/${{DAY}}.parquet"}}
policy: policy.yaml
sink:
  path: s3://lake/out/
  mode: append
  storage_options:
    {{aws_secret_access_key: "${{OTHER_SECRET}}", aws_endpoint_url: "{s3.endpoint}"}}
rejects: s3://lake/rejected.parquet
"""
    )
    told("run", "job.yaml", "--set", "DAY=2026-11-23", "--set", f"OTHER_SECRET={SECRET}")
    [key] = s3.keys("out/")
    assert pl.read_parquet(s3.get(key)).height == 3
    bound = read_job_file(tmp_path / "job.yaml").bound({"DAY": "1", "OTHER_SECRET": SECRET})
    assert (str(bound.reads), str(bound.writes)) == ("s3://lake:in/1.parquet", "s3://lake:out")
    assert SECRET not in repr(bound) + repr(bound.job()) + repr(bound.file.fields)


def test_functions_that_read_tokens(s3, ring):
    """``scan``, ``read_metadata``, ``inspect`` and ``verify`` take places of objects."""
    s3.put("in.parquet", parquet(FRAME))
    policy = Policy.from_mapping(
        {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
    )
    for name in ("a.arrow", "b.csv", "c.parquet"):
        place = s3.place(f"out/{name}")
        run(
            Job(
                operation="tokenize",
                source=s3.place("in.parquet"),
                target=place,
                policy=policy,
                keyring=ring,
            )
        )
        assert tk.read_metadata(place).columns["ssn"].version == 1
        assert_frame_equal(tk.scan(place, keyring=ring).collect(), FRAME)
        assert verify(s3.place("in.parquet"), place, keyring=ring).holds
    found = inspect(s3.place("out/"), keyring=ring)
    assert [(one.file, one.authenticity) for one in found] == [
        ("a.arrow", "authentic"),
        ("b.csv", "authentic"),
        ("c.parquet", "authentic"),
    ]
    rows = tk.scan(s3.place("out/*.parquet"), keyring=ring).collect()
    assert_frame_equal(rows, FRAME)


def test_what_a_text_means():
    """What looks like a URL is never taken for a path."""
    assert isinstance(place_of("gs://lake/a.csv"), ObjectPlace)
    assert place_of("in/a.csv").name == "a.csv"
    with pytest.raises(tk.errors.JobError):
        place_of("https://lake.example/a.csv")


@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "all/"])
def test_what_a_job_wrote_is_checked(s3, ring, target):
    """An object is compared with the digests of its run, and a value in clear is found in it."""
    s3.put("in.parquet", parquet(FRAME))
    job = Job(
        operation="tokenize",
        source=s3.place("in.parquet"),
        target=s3.place(target),
        policy=Policy.from_mapping(
            {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
        ),
        keyring=ring,
        mode="append" if target == "all/" else "replace",
        prove=True,
    )
    report = run(job)
    assert check_output(job, run=report.run, proofs=report.proofs).holds
    if target == "out.csv":
        lines = s3.get(target).splitlines()
        lines[2] = b"078-05-1121,Rome"
        # As whoever can write the object could, who leaves its sidecar.
        s3.put(target, b"\n".join(lines))
        found = check_output(job, run=report.run, proofs=report.proofs)
        assert not found.holds
        assert [(row.column, row.row) for row in found.differing] == [("ssn", 1)]
        assert "078-05-1121" not in repr(found)
