"""Whoever may tokenize alone can prove a job, and not check it."""

from dataclasses import replace

import pytest

from tests.unit.jobs.proving.conftest import COLUMNS
from tokenkit.errors import AccessDenied
from tokenkit.jobs import Job, run
from tokenkit.jobs.proving import check_output
from tokenkit.keys import create_keyring, open_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.policy import Policy


def test_digests_need_no_right_to_turn_tokens_back(write, people, tmp_path, monkeypatch):
    """The check does."""
    monkeypatch.setenv("WORDS", "correct horse battery")
    kek = PassphraseProvider("env:WORDS", cost=2)
    path = tmp_path / "keyring.json"
    create_keyring(path, ["people", "payments"], kek).close()
    job = Job(
        operation="tokenize",
        source=write("a.parquet", people),
        target=tmp_path / "b.parquet",
        policy=Policy.from_mapping({"columns": COLUMNS, "unlisted": "keep"}),
        prove=True,
    )
    with open_keyring(path, kek, access="tokenize") as ring:
        limited = replace(job, keyring=ring)
        report = run(limited)
        assert set(report.proofs) == set(COLUMNS)
        with pytest.raises(AccessDenied):
            check_output(limited, run=report.run)
    with open_keyring(path, kek) as ring:
        assert check_output(replace(job, keyring=ring), run=report.run).holds


def test_an_output_is_checked_after_a_rotation(ring, write, people, tmp_path):
    """Under the versions that its metadata names; rows are located all the same."""
    job = Job(
        operation="tokenize",
        source=write("a.parquet", people),
        target=tmp_path / "b.csv",
        policy=Policy.from_mapping({"columns": COLUMNS, "unlisted": "keep"}),
        prove=True,
        keyring=ring,
    )
    report = run(job)
    ring.rotate("people")
    assert check_output(job, run=report.run).holds
    lines = (tmp_path / "b.csv").read_text().splitlines()
    lines[11] = ",".join([people["ssn"][10], *lines[11].split(",")[1:]])
    (tmp_path / "b.csv").write_text("\n".join([*lines, ""]))
    found = check_output(job, run=report.run)
    assert [(row.column, row.row, row.source_row) for row in found.differing] == [("ssn", 10, 10)]
