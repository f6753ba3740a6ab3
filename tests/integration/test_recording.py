"""Every job goes through the recorder, and the store can say what it did."""

import hashlib
import json
from dataclasses import replace

import polars as pl
import pytest

from tests.integration.recorded_jobs import COLUMNS, ROWS, edges
from tests.integration.stored import Stored
from tokenkit.jobs import JobRefused, run
from tokenkit.jobs.targets import FileTarget
from tokenkit.lineage import Dataset, use_recorder
from tokenkit.lineage.canonical import digest
from tokenkit.policy import Policy
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.database import Database
from tokenkit.store.recording import StoreRecorder


def test_a_run_is_recorded_whole(stored, job, ring, tmp_path):
    """Which run made the file, from what, by which policy and key versions, and in numbers."""
    made = job()
    report = run(made)
    record = stored.run
    assert (record.operation, record.status, record.job_run) == ("tokenize", "complete", report.run)
    assert (record.rows_read, record.rows_written, record.rows_rejected) == (3, 3, 0)
    assert record.policy_digest == made.policy.digest
    assert hashlib.sha256(record.policy.encode()).hexdigest() == made.policy.digest
    assert Policy.from_mapping(json.loads(record.policy)) == made.policy
    [source], [output] = record.inputs, record.outputs
    folder = tmp_path.resolve()
    assert source.dataset == Dataset("file", f"{folder}/a.csv")
    assert output.dataset == Dataset("file", f"{folder}/b.parquet")
    assert [field.name for field in output.fields] == ["card", "ssn", "city"]
    assert (output.rows, output.bytes) == (3, (tmp_path / "b.parquet").stat().st_size)
    card, ssn = edges(record)["card", "tokenize"], edges(record)["ssn", "tokenize"]
    version = ring["payments"].primary
    assert (card.scheme, card.key, card.key_version) == ("credit-card", "payments", 1)
    assert (card.key_id, card.domain) == (version.id, "credit-card")
    counts = card.counts
    assert (counts.done, counts.null, counts.invalid) == (1, 1, {"character": 1})
    assert (ssn.counts.done, ssn.counts.literal) == (2, 1)
    assert edges(record)["city", "keep"].counts is None
    assert record.started < record.ended
    assert "@" in record.actor


def test_the_audit_log_holds_the_digest_of_the_record(stored, job):
    """One record for each key version before the output has its name, one after; both bind it."""
    run(job())
    record = stored.run
    found = stored.audit(record)
    assert [row["outcome"] for row in found] == ["prepared", "prepared", "complete"]
    counts = {row["key"]: row["count"] for row in found if row["key"]}
    assert counts == {"payments": 1, "people": 2}
    assert {row["object"] for row in found} == {str(record.outputs[0].dataset)}
    assert {row["action"] for row in found} == {"tokenize"}
    assert stored.digests(record) == {digest(record)}


def test_the_record_is_there_before_the_output(stored, job, monkeypatch):
    """When the output gets its name, the whole record is durable."""
    seen = []
    publish = FileTarget.publish

    def watched(target):
        seen.append((target.path.exists(), stored.run.status, len(stored.run.columns)))
        publish(target)

    monkeypatch.setattr(FileTarget, "publish", watched)
    run(job())
    assert seen == [(False, "publishing", 3)]
    assert stored.run.status == "complete"


def test_rejected_rows_are_an_output(stored, job, tmp_path):
    """Rejected rows have a dataset of their own, and a replay's way goes through it."""
    columns = {"card": {**COLUMNS["card"], "on_invalid": "reject"}, "ssn": COLUMNS["ssn"]}
    run(job(columns=columns))
    record = stored.run
    folder = tmp_path.resolve()
    rejects = Dataset("file", f"{folder}/b.parquet.rejects.parquet")
    assert (record.rows_written, record.rows_rejected, record.rejects) == (2, 1, rejects.name)
    assert [use.rows for use in record.outputs if use.dataset == rejects] == [1]
    sealed = [edge for edge in record.columns if edge.output == rejects]
    assert {edge.action for edge in sealed} == {"seal"}
    assert {(edge.output_column, edge.key) for edge in sealed} == {
        ("card", "payments"),
        ("ssn", "people"),
        ("city", None),
    }
    source = "b.parquet.rejects.parquet"
    run(job(source=source, target="c.parquet", columns=COLUMNS, replay=True))
    replayed = stored.runs[-1]
    assert replayed.inputs[0].dataset == rejects
    assert {edge.input for edge in replayed.columns} == {rejects}
    assert {field.name for field in replayed.inputs[0].fields} == {"card", "ssn", "city"}
    assert stored.digests(replayed) == {digest(replayed)}


def test_the_way_back_is_recorded(stored, job, ring):
    """Detokenizing names the key version that made the tokens, and has no policy of its own."""
    run(job())
    ring.rotate("payments")
    run(job("detokenize", "b.parquet", "c.parquet"))
    first, back = stored.runs
    assert back.operation == "detokenize"
    assert back.policy_digest is None
    assert back.inputs[0].dataset == first.outputs[0].dataset
    assert back.inputs[0].fingerprint == first.outputs[0].fingerprint
    card = edges(back)["card", "detokenize"]
    assert (card.key, card.key_version, card.counts.done) == ("payments", 1, 1)
    assert {row["key"] for row in stored.audit(back)} == {"payments", "people", None}


def test_a_folder_is_one_dataset(stored, job, tmp_path):
    """Files of a folder, its partitions masked, are one dataset in and one out."""
    for country in ("NO", "SE"):
        place = tmp_path / "in" / f"country={country}"
        place.mkdir(parents=True)
        (place / "a.csv").write_text(ROWS)
    columns = {**COLUMNS, "country": {"scheme": "text", "key": "people"}}
    run(job(source="in", target="out", columns=columns))
    record = stored.run
    folder = tmp_path.resolve()
    [source], [output] = record.inputs, record.outputs
    assert (source.dataset.name, source.files, source.rows) == (f"{folder}/in", 2, 6)
    assert (output.dataset.name, output.files, output.rows) == (f"{folder}/out", 2, 6)
    assert edges(record)["country", "tokenize"].counts.done == 6
    run(job("detokenize", "out", "back"))
    assert stored.runs[-1].inputs[0].fingerprint == output.fingerprint


def test_a_pattern_is_the_folder(stored, job, tmp_path):
    """A pattern means a dataset too: the folder that it looks in."""
    (tmp_path / "b.csv").write_text(ROWS)
    run(job(source="*.csv", target="c.parquet"))
    assert stored.run.inputs[0].dataset.name == str(tmp_path.resolve())
    assert stored.run.inputs[0].files == 2


def test_appended_files_belong_to_the_folder(stored, job, tmp_path):
    """Each run knows its own part of a folder: its rows, but no fingerprint of the whole."""
    run(job(target="out", mode="append", output_format=".parquet"))
    (tmp_path / "a.csv").write_text(ROWS + ROWS.partition("\n")[2])
    run(job(target="out", mode="append", output_format=".parquet"))
    outputs = [record.outputs[0] for record in stored.runs]
    assert {use.dataset.name for use in outputs} == {str(tmp_path.resolve() / "out")}
    assert [(use.rows, use.files, use.fingerprint) for use in outputs] == [
        (3, 1, None),
        (6, 1, None),
    ]
    assert len(stored.rows("column_edges")) == 3


def test_partitions_belong_to_the_folder(stored, job, tmp_path):
    """The values that make partitions are in no dataset's name."""
    run(
        job(
            target="out",
            mode="partition",
            partition_by=("city",),
            output_format=".parquet",
        )
    )
    record = stored.run
    assert record.outputs[0].dataset.name == str(tmp_path.resolve() / "out")
    assert (record.outputs[0].files, record.outputs[0].rows) == (3, 3)
    assert not [row for row in stored.rows("datasets") if "Oslo" in row["name"]]


def test_the_same_job_to_another_place_is_another_run(stored, job, tmp_path):
    """A run is settled by its output, not by its job alone."""
    run(job())
    (tmp_path / "b.parquet").rename(tmp_path / "c.parquet")
    assert run(job(target="c.parquet")).status == "skipped"
    assert [record.outputs[0].dataset.name[-9:] for record in stored.runs] == [
        "b.parquet",
        "c.parquet",
    ]


def test_datasets_and_ways_are_kept_once(stored, job):
    """However often a job runs, there is one row for each dataset, column's way and policy."""
    for _ in range(3):
        run(job(force=True))
    assert len(stored.runs) == 3
    assert len(stored.rows("datasets")) == 2
    assert len(stored.rows("column_edges")) == 3
    assert len(stored.rows("policies")) == 1
    assert len(stored.rows("column_runs")) == 9


def test_files_of_different_key_versions(stored, job, ring):
    """Where a column's files were made under different versions, none is named for all."""
    run(job(target="out/1.parquet".replace("/", "-")))
    run(job(target="out", mode="append", output_format=".parquet"))
    ring.rotate("people")
    run(job(target="out", mode="append", output_format=".parquet", force=True))
    run(job("detokenize", "out", "back"))
    back = stored.runs[-1]
    assert (edges(back)["card", "detokenize"].key_version) == 1
    ssn = edges(back)["ssn", "detokenize"]
    assert (ssn.key, ssn.key_version, ssn.key_id) == ("people", None, None)


def test_names_that_are_too_long(stored, job, tmp_path):
    """A column whose name no index of PostgreSQL takes is recorded all the same."""
    row = {"card": "4539578763621486", "long" * 1_000: "x"}
    (tmp_path / "x.ndjson").write_text(json.dumps(row) + "\n")
    run(job(source="x.ndjson", target="y.ndjson", columns={"card": COLUMNS["card"]}))
    record = stored.run
    assert max(len(edge.output_column) for edge in record.columns) == 999
    assert stored.digests(record) == {digest(record)}


def test_an_enum_does_not_list_its_values(stored, job, tmp_path):
    """A column's type is recorded without the values that it names."""
    frame = pl.DataFrame({"card": ["4539578763621486"], "who": ["Ann Canary"]})
    frame = frame.with_columns(pl.col("who").cast(pl.Enum(["Ann Canary"])))
    frame.write_ipc(tmp_path / "x.arrow")
    run(job(source="x.arrow", target="y.arrow", columns={"card": COLUMNS["card"]}))
    types = {field.name: field.type for field in stored.run.outputs[0].fields}
    assert types["who"] == "Enum"


def test_a_record_survives_the_way_through_the_tables(stored, recorder, ring, job):
    """The digest of a record is that of its tables, whatever order its parts came in."""
    run(job())
    record = stored.run
    turned = replace(
        record,
        columns=tuple(reversed(record.columns)),
        status="failed",
        ended=None,
        error_code="TK600",
    )
    assert digest(turned) == digest(record)
    assert digest(replace(record, rows_written=2)) != digest(record)


def test_the_writer_role_suffices(postgresql, job, tmp_path):
    """A user who may neither change nor delete records every step of a run."""
    with Database.open(postgresql.writer_url) as database:
        made = StoreRecorder(database, AuditLog(database), audit_key)
        with use_recorder(made):
            run(job())
            assert run(job()).status == "skipped"
            with pytest.raises(JobRefused):
                run(job(target="c.csv", columns={"card": {"scheme": "us-ssn", "key": "people"}}))
        stored = Stored(database)
        assert [record.status for record in stored.runs] == ["complete", "failed"]
        assert [stored.digests(record) for record in stored.runs] == [
            {digest(record)} for record in stored.runs
        ]
