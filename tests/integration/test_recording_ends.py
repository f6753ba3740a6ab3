"""How runs end: complete, failed, cut off and settled; and what is no run."""

import json

import pytest

from tests.integration.recorded_jobs import edges
from tokenkit.errors import JobError, OutputExists
from tokenkit.jobs import JobRefused, run
from tokenkit.jobs.targets import FileTarget
from tokenkit.lineage import Unrecorded, use_recorder
from tokenkit.lineage.canonical import digest


def test_a_refused_job_is_recorded_as_failed(stored, job, tmp_path):
    """Values that don't fit end a run, with its code, what it read, and no rows written."""
    columns = {"card": {"scheme": "credit-card", "key": "payments"}}
    with pytest.raises(JobRefused):
        run(job(columns=columns))
    record = stored.run
    assert (record.status, record.error_code, record.rows_written) == ("failed", "TK301", 0)
    assert record.ended is not None
    assert record.inputs[0].dataset.name == str(tmp_path.resolve() / "a.csv")
    assert record.columns == ()
    [failed] = stored.audit(record)
    assert (failed["outcome"], failed["reason"]) == ("failed", "TK301")
    assert stored.digests(record) == {digest(record)}
    assert not (tmp_path / "b.parquet").exists()


def test_a_run_that_cannot_publish_fails(stored, job, tmp_path, monkeypatch):
    """A record that was prepared says afterwards that nothing was written."""

    def refuse(_target):
        raise JobError("no")

    monkeypatch.setattr(FileTarget, "publish", refuse)
    with pytest.raises(JobError):
        run(job())
    assert (stored.run.status, stored.run.error_code) == ("failed", "TK600")
    assert stored.outcomes(stored.run) == ["prepared", "prepared", "failed"]
    assert not (tmp_path / "b.parquet").exists()


def test_an_interrupt_is_recorded(stored, job, monkeypatch):
    """Ctrl-C ends a run too."""

    def interrupt(_target):
        raise KeyboardInterrupt

    monkeypatch.setattr(FileTarget, "flush", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(job())
    assert (stored.run.status, stored.run.error_code) == ("failed", "interrupted")


def test_half_a_publication_is_no_failure(stored, job, monkeypatch):
    """If an output has its name and the job failed then, the run isn't said to be either."""
    publish = FileTarget.publish

    def half(target):
        publish(target)
        raise JobError("no")

    monkeypatch.setattr(FileTarget, "publish", half)
    with pytest.raises(JobError):
        run(job())
    assert (stored.run.status, stored.run.ended) == ("publishing", None)


def test_a_dry_run_is_not_recorded(stored, job):
    """What writes nothing leaves no record."""
    run(job(dry_run=True))
    run(job(target=None, dry_run=True))
    assert stored.runs == []
    assert stored.rows("audit_records") == []


def test_a_job_that_never_began_is_not_recorded(stored, job, tmp_path):
    """An output in the way is found before the run begins."""
    (tmp_path / "b.parquet").write_bytes(b"something")
    with pytest.raises(OutputExists):
        run(job())
    assert stored.runs == []


def test_a_killed_run_is_settled_by_the_next(stored, job, monkeypatch):
    """Killed when its output had its name: the same job is skipped, and its record completed."""
    made = job()
    publish = FileTarget.publish

    def killed(target):
        publish(target)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(FileTarget, "publish", killed)
        with pytest.raises(SystemExit):
            run(made)
    assert stored.run.status == "publishing"
    assert run(made).status == "skipped"
    record = stored.run
    assert record.status == "complete"
    found = stored.audit(record)
    assert [row["outcome"] for row in found] == ["prepared", "prepared", "complete"]
    assert json.loads(found[-1]["detail"]) == {"found": True}
    assert run(made).status == "skipped"
    assert len(stored.audit(record)) == 3


def test_an_output_without_a_record_gets_one(stored, job):
    """A run that wasn't recorded is, as far as it's known, when it is found done."""
    with use_recorder(Unrecorded()):
        run(job())
    assert stored.runs == []
    assert run(job()).status == "skipped"
    record = stored.run
    assert (record.status, record.rows_read, record.rows_written) == ("complete", 3, 3)
    assert edges(record)["card", "tokenize"].counts is None
    assert edges(record)["card", "tokenize"].key == "payments"
    assert stored.outcomes(record) == ["prepared", "prepared", "complete"]
    assert stored.digests(record) == {digest(record)}
    assert run(job()).status == "skipped"
    assert len(stored.runs) == 1
