"""The log as a file."""

from __future__ import annotations

import json
from datetime import timedelta

import polars as pl
import pytest

from tests.unit.store.audit.conftest import START, record
from tokenkit.errors import JobError, OutputExists, StoreError
from tokenkit.store.audit import export, tail


@pytest.fixture
def filled(database, log, key):
    for start in range(0, 60, 20):
        with database.begin() as connection:
            log.append(connection, [record(n) for n in range(start, start + 20)], key)
    return database


@pytest.mark.parametrize("suffix", [".parquet", ".ndjson", ".jsonl"])
def test_an_export_holds_every_record(filled, tmp_path, suffix):
    """In order, with every field and hash; only its owner may read it."""
    output = tmp_path / f"audit{suffix}"
    assert export(filled, output) == 60
    assert output.stat().st_mode & 0o777 == 0o600
    if suffix == ".parquet":
        frame = pl.read_parquet(output)
    else:
        lines = [json.loads(line) for line in output.read_bytes().splitlines()]
        frame = pl.DataFrame(lines, infer_schema_length=None).with_columns(
            pl.col("at").str.to_datetime(time_zone="UTC"),
            pl.col("hash", "token_hash").str.decode("hex"),
        )
    rows = frame.to_dicts()
    assert [len(row.pop("hash")) for row in rows] == [32] * 60
    assert rows == tail(filled, 60)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_span_is_exported(filled, tmp_path):
    """From one moment on, and before another."""
    output = tmp_path / "audit.parquet"
    since, until = START + timedelta(days=10), START + timedelta(days=20)
    written = export(filled, output, since=since, until=until)
    found = pl.read_parquet(output)
    assert (written, found["count"].to_list()) == (10, list(range(10, 20)))
    assert export(filled, output, until=START, replace=True) == 0
    assert pl.read_parquet(output).shape == (0, 15)


def test_a_file_that_is_there_stays_unless_told(filled, tmp_path):
    """And so it does if the export fails, which leaves nothing else behind."""
    output = tmp_path / "audit.ndjson"
    output.write_text("kept")
    with pytest.raises(OutputExists):
        export(filled, output)
    with filled.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_records RENAME TO elsewhere")
    with pytest.raises(StoreError):
        export(filled, output, replace=True)
    with pytest.raises(JobError, match="no such folder"):
        export(filled, tmp_path / "none" / "audit.ndjson")
    with pytest.raises(StoreError, match="xlsx"):
        export(filled, tmp_path / "audit.xlsx")
    assert output.read_text() == "kept"
    assert [path for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []
