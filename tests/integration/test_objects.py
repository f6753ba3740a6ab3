"""Jobs that read objects of an object store and write them, against moto's S3."""

from dataclasses import replace

import polars as pl
import pytest

from tests.integration.object_store import s3, s3_bucket, s3_server  # noqa: F401 - fixtures
from tokenkit.errors import OutputExists
from tokenkit.jobs import Job, run
from tokenkit.policy import Policy

CANARY = "078-05-1120"
FRAME = pl.DataFrame(
    {
        "id": range(6),
        "card": ["4539578763621486", None, "", "4539578763621486", "4111111111111111", None],
        "ssn": [CANARY, "078-05-1121", None, CANARY, "078-05-1120", ""],
        "city": ["Oslo", "Bergen", None, "", "Oslo", "Rome"],
    }
)
COLUMNS = {
    "card": {"scheme": "credit-card", "key": "payments", "on_invalid": "null"},
    "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "null"},
}


@pytest.fixture
def policy():
    """Give a policy."""
    return Policy.from_mapping({"columns": COLUMNS, "unlisted": "keep"})


def parquet(frame=FRAME):
    """Write a frame as Parquet."""
    import io

    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def test_parquet_to_parquet(s3, ring, policy, tmp_path):  # noqa: F811
    """Objects get the tokens that files get, a second run is skipped, and they come back."""
    s3.put("in/a.parquet", parquet())
    (tmp_path / "a.parquet").write_bytes(parquet())
    local = Job(
        operation="tokenize",
        source=tmp_path / "a.parquet",
        target=tmp_path / "b.parquet",
        policy=policy,
        keyring=ring,
    )
    run(local)
    stored = replace(local, source=s3.place("in/a.parquet"), target=s3.place("out/b.parquet"))
    report = run(stored)
    assert (report.rows_read, report.rows_written, report.status) == (6, 6, "done")
    assert s3.keys() == ["in/a.parquet", "out/b.parquet"]
    assert s3.uploads() == []
    assert pl.read_parquet(s3.get("out/b.parquet")).equals(pl.read_parquet(tmp_path / "b.parquet"))
    assert run(stored).status == "skipped"
    back = Job(
        operation="detokenize",
        source=s3.place("out/b.parquet"),
        target=s3.place("back.parquet"),
        keyring=ring,
    )
    run(back)
    expected = FRAME.with_columns(pl.col("card", "ssn").replace({"": None}))
    found = pl.read_parquet(s3.get("back.parquet"))
    assert found.with_columns(pl.col("card", "ssn").replace({"": None})).equals(expected)


def test_an_object_is_replaced_when_asked(s3, ring, policy):  # noqa: F811
    """Another object of that name stays, unless the job says that it may go."""
    s3.put("in.parquet", parquet())
    s3.put("out.parquet", b"something else")
    job = Job(
        operation="tokenize",
        source=s3.place("in.parquet"),
        target=s3.place("out.parquet"),
        policy=policy,
        keyring=ring,
    )
    with pytest.raises(OutputExists):
        run(job)
    assert s3.get("out.parquet") == b"something else"
    assert run(replace(job, overwrite=True)).status == "done"
    assert run(replace(job, overwrite=True)).status == "skipped"
    assert run(replace(job, force=True)).status == "done"
    assert s3.uploads() == []
