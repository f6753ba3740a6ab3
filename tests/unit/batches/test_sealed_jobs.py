"""Jobs from sealed uploads to sealed results: as on plain files, and nothing in clear."""

from __future__ import annotations

import base64
import gzip
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import tokenkit as tk
from tests.unit.batches.conftest import BATCH, upload
from tokenkit.errors import InputError, InvalidValues
from tokenkit.jobs import Job, run
from tokenkit.jobs.connectors import TextOptions
from tokenkit.lineage import Unrecorded, use_recorder

CANARY = "078-05-1120"
POLICY = {
    "columns": {
        "ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "reject"},
        "note": {"scheme": "text", "key": "people"},
    },
    "unlisted": "keep",
}
SSNS = ["", CANARY, CANARY, "nonsense"]
ROWS = "".join(f'{SSNS[n % 4]},"a ""note"" of {n}",{n}\n' for n in range(5000))
CSV = f"ssn,note,age\n{ROWS}"


@pytest.fixture(autouse=True)
def _unrecorded():
    with use_recorder(Unrecorded()):
        yield


@pytest.fixture
def policy():
    return tk.Policy.from_mapping(POLICY)


def plain(tmp_path, ring, policy, content, suffix, out, **given):
    """Do the job on plain files; gives the report and the output's bytes."""
    source, target = tmp_path / f"plain{suffix}", tmp_path / f"out{out}"
    source.write_bytes(content)
    job = Job(
        operation="tokenize", source=source, target=target, policy=policy, keyring=ring, **given
    )
    return run(job), target


def sealed(storage, key, ring, policy, content, suffix, out, operation="tokenize", **given):
    """Do it on sealed ones; gives the report and the result's bytes."""
    upload(storage, key, content)
    job = Job(
        operation=operation,
        source=storage.source(BATCH, key, suffix),
        target=storage.target(BATCH, 1, key, out),
        rejects=storage.rejects(BATCH, 1),
        policy=policy,
        keyring=ring,
        **given,
    )
    report = run(job)
    with storage.reader(BATCH, 1, "result", key) as reader:
        return report, reader.read()


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_text_gives_what_it_gives_in_the_clear(storage, key, ring, policy, tmp_path, suffix, out):
    """The same counts, and the same bytes; of Parquet the same frame, and authentic metadata."""
    content = gzip.compress(CSV.encode()) if suffix.endswith("gz") else CSV.encode()
    expected, target = plain(tmp_path, ring, policy, content, suffix, out)
    report, result = sealed(storage, key, ring, policy, content, suffix, out)
    assert report.rows_read == expected.rows_read == 5000
    assert report.rows_rejected == expected.rows_rejected > 0
    assert report.rows_written == expected.rows_written
    if out == ".csv":
        assert result == target.read_bytes()
        assert storage.metadata(BATCH, 1)
    else:
        (tmp_path / "result.parquet").write_bytes(result)
        assert pl.read_parquet(tmp_path / "result.parquet").equals(pl.read_parquet(target))
        assert set(tk.read_metadata(tmp_path / "result.parquet").columns) == {"ssn", "note"}
    assert storage.rejected(BATCH, 1)


def test_parquet_keeps_every_type(storage, key, ring, policy, tmp_path):
    """Types, nulls, lists and dictionaries come through as on a plain file, over many groups."""
    rows = 150_000
    frame = pl.DataFrame(
        {
            "ssn": [None if n % 5 == 0 else CANARY for n in range(rows)],
            "note": pl.Series(["red", "blue"] * (rows // 2), dtype=pl.Categorical),
            "age": pl.Series([n % 1000 for n in range(rows)], dtype=pl.Int16),
            "rest_date": [date(2026, 11, 23)] * rows,
            "rest_decimal": pl.Series([Decimal("1.25")] * rows, dtype=pl.Decimal(10, 2)),
            "rest_moment": pl.Series([0] * rows).cast(pl.Datetime("ns", "UTC")),
            "rest_list": [[1, 2]] * rows,
            "rest_binary": [b"\0"] * rows,
            "rest_float": [1.5] * rows,
        }
    )
    frame.write_parquet(tmp_path / "in.parquet", row_group_size=40_000)
    # Lists can't go to rejected rows.
    policy = tk.Policy.from_mapping(
        {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
    )
    content = (tmp_path / "in.parquet").read_bytes()
    expected, target = plain(tmp_path, ring, policy, content, ".parquet", ".parquet")
    report, result = sealed(storage, key, ring, policy, content, ".parquet", ".parquet")
    (tmp_path / "result.parquet").write_bytes(result)
    found, wanted = pl.read_parquet(tmp_path / "result.parquet"), pl.read_parquet(target)
    assert found.schema == wanted.schema
    assert found.equals(wanted)
    assert report.rows_written == expected.rows_written == rows


def test_tokens_come_back(storage, key, ring, policy, tmp_path):
    """A result is uploaded with its metadata, and detokenized; without it the policy is needed."""
    _, tokens = sealed(storage, key, ring, policy, CSV.encode(), ".csv", ".csv")
    metadata = storage.metadata(BATCH, 1)
    storage.remove(BATCH)
    storage.put_metadata(BATCH, metadata)
    report, values = sealed(
        storage, key, ring, None, tokens, ".csv", ".csv", operation="detokenize"
    )
    assert report.rows_written > 0
    assert values.decode().count(CANARY) == CSV.count(CANARY)


def test_nothing_is_ever_in_clear(storage, key, ring, policy, tmp_path):
    """Not while the job runs, and not afterwards: neither in a file, nor in a folder for others."""
    stop = threading.Event()
    seen: list[Path] = []
    forms = [CANARY.encode(), CANARY.encode("utf-16-le"), base64.b64encode(CANARY.encode())[:12]]

    def look():
        while not stop.is_set():
            for path in tmp_path.rglob("*"):
                try:
                    content = path.read_bytes() if path.is_file() else b""
                except FileNotFoundError:
                    continue
                seen.extend(path for form in forms if form in content)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        many = (CSV + ROWS * 20).encode()
        report, _ = sealed(storage, key, ring, policy, many, ".csv", ".csv")
    finally:
        stop.set()
        watching.join()
    look_again = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert report.rows_read == 5000 * 21
    assert len(look_again) >= 4
    assert not any(form in path.read_bytes() for path in look_again for form in forms)
    assert seen == []


def test_a_job_that_fails_leaves_no_result(storage, key, ring, tmp_path):
    """Values that don't fit, and input that is broken: an error of ours without a value in it."""
    strict = tk.Policy.from_mapping(
        {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
    )
    with pytest.raises(InvalidValues) as caught:
        sealed(storage, key, ring, strict, CSV.encode(), ".csv", ".csv")
    assert "nonsense" not in str(caught.value)
    for content, suffix in ((b"ssn\n1,2\n", ".csv"), (b"PAR1 no", ".parquet")):
        storage.remove(BATCH)
        with pytest.raises(InputError):
            sealed(storage, key, ring, strict, content, suffix, ".csv")
        left = {path.name for path in (tmp_path / "batches" / BATCH.hex).iterdir()}
        assert left == {"upload"}


def test_an_upload_that_was_changed_is_not_read(storage, key, ring, policy, tmp_path):
    """A page in the middle, where reading has begun: the job fails, and nothing is written."""
    content = (CSV + ROWS * 20).encode()
    upload(storage, key, content)
    file = tmp_path / "batches" / BATCH.hex / "upload"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    job = Job(
        operation="tokenize",
        source=storage.source(BATCH, key, ".csv"),
        target=storage.target(BATCH, 1, key, ".csv"),
        rejects=storage.rejects(BATCH, 1),
        policy=policy,
        keyring=ring,
        text=TextOptions(),
    )
    with pytest.raises(InputError, match="isn't what was stored"):
        run(job)
    assert {path.name for path in file.parent.iterdir()} == {"upload"}
