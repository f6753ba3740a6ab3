"""Eight processes that record the same datasets at once."""

import os
import subprocess
import sys

import pytest

from tests.integration.stored import Stored
from tokenkit.lineage.canonical import digest

PROCESSES, RUNS = 8, 3
WORK = """
import sys

import pytest
from pathlib import Path
from tokenkit.jobs import Job, run
from tokenkit.keys import Keyring
from tokenkit.policy import Policy

folder, number = Path(sys.argv[1]), sys.argv[2]
columns = {f"c{n}": {"scheme": "digits", "key": "people"} for n in range(10)}
policy = Policy.from_mapping({"columns": columns})
sys.stdin.readline()
with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
    for turn in range(int(sys.argv[3])):
        run(
            Job(
                operation="tokenize",
                source=folder / "a.csv",
                target=folder / "out",
                policy=policy,
                keyring=ring,
                mode="append",
                output_format=".parquet",
                # Each a job of its own, or the second would be skipped.
                limit=1 + turn + 10 * int(number),
            )
        )
"""


@pytest.mark.slow
def test_no_dataset_or_way_is_there_twice(database, database_url, tmp_path):
    """All runs are there, whole; datasets and ways once; audit batches one after the other."""
    names = ",".join(f"c{n}" for n in range(10))
    row = ",".join(["12345678"] * 10)
    (tmp_path / "a.csv").write_text("\n".join([names] + [row] * 100) + "\n")
    environment = {**os.environ, "TOKENKIT_DATABASE_URL": database_url}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(tmp_path), str(number), str(RUNS)],
            env=environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    # Imports take their time: begin together.
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, errors
    stored = Stored(database)
    runs = stored.runs
    assert [record.status for record in runs] == ["complete"] * PROCESSES * RUNS
    assert len(stored.rows("datasets")) == 2
    assert len(stored.rows("column_edges")) == 10
    assert len(stored.rows("column_runs")) == 10 * PROCESSES * RUNS
    assert len(stored.rows("policies")) == 1
    assert [stored.digests(record) for record in runs] == [{digest(record)} for record in runs]
    batches = sorted(row["number"] for row in stored.rows("audit_batches"))
    assert batches == list(range(1, 2 * PROCESSES * RUNS + 1))
