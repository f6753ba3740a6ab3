"""A rekey records each file that it moves, with its proof."""

import json
from pathlib import Path

import pytest

from tokenkit.errors import JobError
from tokenkit.jobs import Job, run
from tokenkit.jobs.rekeying import RekeyRequest, execution, journal, rekey_files
from tokenkit.lineage import Dataset, Unrecorded, use_recorder
from tokenkit.lineage.canonical import digest
from tokenkit.policy import Policy

POLICY = Policy.from_mapping(
    {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
)


@pytest.fixture
def tokens(ring, tmp_path):
    """Make a folder of two files of tokens, whose key has a new version since."""
    (tmp_path / "in").mkdir()
    for number in range(2):
        rows = "".join(f"078-05-11{number}{row},x\n" for row in range(number + 2))
        (tmp_path / "in" / f"{number}.csv").write_text("ssn,city\n" + rows)
    with use_recorder(Unrecorded()):
        run(
            Job(
                operation="tokenize",
                source=tmp_path / "in",
                target=tmp_path / "tokens",
                policy=POLICY,
                keyring=ring,
            )
        )
    ring.rotate("people")
    return tmp_path / "tokens"


def rekey(ring, source: Path, target: Path | None = None):
    """Rekey to the primary version."""
    return rekey_files(RekeyRequest(source=source, target=target, keyring=ring))


def test_a_folder_in_place(stored, tokens, ring):
    """Each file is a run of the folder to itself, with its rows, its versions and its proof."""
    report = rekey(ring, tokens)
    assert [record.status for record in stored.runs] == ["complete", "complete"]
    for record, file in zip(stored.runs, report.files, strict=True):
        place = Dataset("file", str(tokens.resolve()))
        assert record.inputs[0].dataset == record.outputs[0].dataset == place
        assert (record.operation, record.job_run) == ("rekey", file.run)
        assert (record.rows_read, record.rows_written) == (file.rows, file.rows)
        assert record.proofs == {file.file: {"ssn": file.columns["ssn"].proof}}
        ssn, city = (
            next(edge for edge in record.columns if edge.output_column == name)
            for name in ("ssn", "city")
        )
        assert (ssn.action, ssn.key, ssn.key_version) == ("rekey", "people", 2)
        assert ssn.counts.done == file.rows
        assert (city.action, city.counts) == ("keep", None)
        assert [(row["outcome"], row["count"]) for row in stored.audit(record)] == [
            ("prepared", file.rows),
            ("complete", None),
        ]
        assert stored.digests(record) == {digest(record)}
    assert len(stored.rows("column_edges")) == 2


def test_a_file_to_another_place(stored, tokens, ring, tmp_path):
    """A file has a name and a fingerprint of its own."""
    target = tmp_path / "new.csv"
    rekey(ring, tokens / "0.csv", target)
    record = stored.run
    assert record.outputs[0].dataset.name == str(target.resolve())
    assert record.outputs[0].bytes == target.stat().st_size
    run(
        Job(
            operation="detokenize",
            source=target,
            target=tmp_path / "back.csv",
            keyring=ring,
        )
    )
    assert stored.runs[-1].inputs[0].fingerprint == record.outputs[0].fingerprint


def test_a_folder_to_another_place(stored, tokens, ring, tmp_path):
    """The new folder is the output of both runs; passed over, they stay as they are."""
    target = tmp_path / "new"
    rekey(ring, tokens, target)
    assert {record.outputs[0].dataset.name for record in stored.runs} == {str(target.resolve())}
    again = rekey(ring, tokens, target)
    assert [file.status for file in again.files] == ["skipped", "skipped"]
    assert len(stored.runs) == 2


def test_a_killed_rekey_is_settled(stored, tokens, ring, monkeypatch):
    """Killed when the file was in its place: the next rekey passes it over and completes it."""
    from_journal = journal.commit

    def killed(*given):
        from_journal(*given)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(execution, "commit", killed)
        with pytest.raises(SystemExit):
            rekey(ring, tokens)
    assert stored.run.status == "publishing"
    rekey(ring, tokens)
    assert [record.status for record in stored.runs] == ["complete", "complete"]
    last = stored.audit(stored.runs[0])[-1]
    assert (last["outcome"], json.loads(last["detail"])) == ("complete", {"found": True})


def test_a_rekey_that_fails_is_recorded(stored, tokens, ring, monkeypatch):
    """Nothing was changed, and the record says so."""

    def refuse(*_given):
        raise JobError("no")

    monkeypatch.setattr(execution, "commit", refuse)
    with pytest.raises(JobError):
        rekey(ring, tokens)
    assert (stored.run.status, stored.run.error_code) == ("failed", "TK600")


def test_files_that_nobody_rekeyed_get_no_record(stored, tokens, ring):
    """A file that is passed over since it never needed a rekey is no run of this one."""
    rekey(ring, tokens)
    before = len(stored.runs)
    rekey(ring, tokens)
    assert len(stored.runs) == before
