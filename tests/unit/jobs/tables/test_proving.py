"""Tables are checked through their connectors, though they have no order."""

from dataclasses import replace

import polars as pl
import pytest

from tests.unit.jobs.tables.memory_tables import Memory
from tokenkit.errors import JobError
from tokenkit.jobs import Job, run
from tokenkit.jobs.proving import check_output
from tokenkit.lineage import use_recorder
from tokenkit.policy import Policy
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.recording import StoreRecorder

COUNT = 500
POLICY = Policy.from_mapping(
    {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
)


@pytest.fixture
def memory():
    """Give tables of values."""
    ssns = [f"{number % 600 + 1:03d}-05-{number + 1:04d}" for number in range(2 * COUNT)]
    frame = pl.DataFrame({"ssn": ssns, "n": range(2 * COUNT)})
    return Memory({"old": frame.head(COUNT), "new": frame.tail(COUNT)})


@pytest.fixture
def job(memory, ring, database):
    """Make a job over tables that is to be proved, and recorded in the store."""

    def making(source, **options):
        return Job(
            operation="tokenize",
            source=memory.source(source),
            target=memory.sink("tokens"),
            policy=POLICY,
            keyring=ring,
            prove=True,
            **options,
        )

    with use_recorder(StoreRecorder(database, AuditLog(database), audit_key)):
        yield making


def tampered(rows: pl.DataFrame, place: int, value: str) -> pl.DataFrame:
    """Put a value into a row."""
    ssns = rows["ssn"].to_list()
    ssns[place] = value
    return rows.with_columns(pl.Series("ssn", ssns))


def test_a_table_is_checked_whatever_its_order(memory, job):
    """By the record of its run; a value in clear shows, and which one isn't there any more."""
    made = job("old")
    report = run(made)
    rows = memory.tables["tokens"].sample(fraction=1, shuffle=True, seed=5)
    memory.tables["tokens"] = rows
    assert check_output(made, run=report.run).holds
    clear = memory.tables["old"]["ssn"][rows["n"][77]]
    memory.tables["tokens"] = tampered(rows, 77, clear)
    found = check_output(made, run=report.run)
    assert (found.holds, found.columns["ssn"].differing) == (False, 1)
    here = [row for row in found.differing if row.source_row is None]
    [there] = [row for row in found.differing if row.source_row is not None]
    assert [(row.file, row.row) for row in here] == [("memory:tokens", None)]
    assert (there.source_file, there.source_row) == ("memory:old", rows["n"][77])
    assert clear not in repr(found)


def test_what_a_run_has_added_is_checked_by_itself(memory, job):
    """Rows of other runs are others' to prove."""
    first, second = job("old", mode="append"), job("new", mode="append")
    runs = [run(one).run for one in (first, second)]
    rows = memory.tables["tokens"]
    memory.tables["tokens"] = tampered(rows, COUNT + 3, rows["ssn"][0])
    assert check_output(first, run=runs[0]).holds
    found = check_output(second, run=runs[1])
    assert (found.holds, found.rows, found.columns["ssn"].differing) == (False, COUNT, 1)


def test_a_table_that_cannot_be_read_again_is_refused(memory, job):
    """What can't be checked isn't taken for good."""

    class WriteOnly:
        shown = "memory:tokens"
        dataset = memory.sink("tokens").dataset

    made = job("old")
    report = run(made)
    with pytest.raises(JobError, match="can't read the table that it writes"):
        check_output(replace(made, target=WriteOnly()), run=report.run)
