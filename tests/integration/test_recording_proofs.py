"""What a job has read can be proved from its record alone."""

from dataclasses import replace

import pytest

from tokenkit.errors import OutputExists
from tokenkit.jobs import run
from tokenkit.lineage.canonical import digest


def test_the_digests_are_recorded(stored, job):
    """Each tokenized column has one, and the audit log's digest of the record covers it."""
    report = run(job(prove=True))
    record = stored.run
    assert set(report.proofs) == {"card", "ssn"}
    assert record.proofs == {"job": report.proofs}
    assert stored.digests(record) == {digest(record)}
    assert digest(replace(record, proofs={})) != digest(record)


def test_nothing_is_recorded_unasked(stored, job):
    """A job that isn't to be proved has no digest."""
    assert run(job()).proofs == {}
    assert stored.run.proofs == {}


def test_a_proved_run_is_skipped_with_its_digests(stored, job):
    """The same job, run again, is skipped, and still says what it has proved."""
    first = run(job(prove=True))
    again = run(job(prove=True))
    assert (again.status, again.proofs) == ("skipped", first.proofs)
    assert run(job()).status == "skipped"
    assert len(stored.runs) == 1


def test_a_run_without_digests_is_done_again(stored, job):
    """What isn't proved isn't done, for a job that is to be proved; nothing is replaced unasked."""
    assert run(job()).status == "done"
    with pytest.raises(OutputExists, match="already there"):
        run(job(prove=True))
    report = run(job(prove=True, overwrite=True))
    assert report.status == "done"
    assert [bool(record.proofs) for record in stored.runs] == [False, True]
    assert run(job(prove=True)).proofs == report.proofs


def test_an_appended_part_is_done_again_in_its_place(stored, job, tmp_path):
    """A part that isn't proved is replaced by itself: no row is there twice."""
    run(job(target="folder", mode="append", output_format=".parquet"))
    report = run(job(target="folder", mode="append", output_format=".parquet", prove=True))
    assert (report.status, len(stored.runs)) == ("done", 2)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == [f"part-{report.run}.parquet"]
