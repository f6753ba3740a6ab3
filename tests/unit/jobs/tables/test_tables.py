"""Jobs over tables: whole or not at all, never doubled, and their metadata in the store."""

import contextlib
import time

import polars as pl
import pytest

from tests.unit.jobs.tables.memory_tables import (
    RUN,
    Memory,
    MemorySink,
    MemorySource,
    MemoryWriting,
)
from tokenkit.errors import (
    ConnectorFailed,
    InvalidValues,
    JobError,
    MetadataMismatch,
    MetadataMissing,
    OutputExists,
    StoreUnavailable,
)
from tokenkit.jobs import Job, run
from tokenkit.jobs.connectors import Stream
from tokenkit.lineage import Unrecorded, use_recorder
from tokenkit.policy import Policy
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.recording import StoreRecorder

COUNT = 1_000
SSN = {"scheme": "us-ssn", "key": "people"}


@pytest.fixture
def memory():
    """Give tables, one of them with values."""
    ssns = [f"{number % 600 + 1:03d}-05-{number + 1:04d}" for number in range(COUNT)]
    return Memory({"people": pl.DataFrame({"ssn": ssns, "n": range(COUNT)})})


@pytest.fixture
def recorder(database):
    """Let jobs be recorded in the store."""
    made = StoreRecorder(database, AuditLog(database), audit_key)
    with use_recorder(made):
        yield made


@pytest.fixture
def tokenize(memory, ring, recorder):
    """Tokenize a table into another."""
    del recorder

    def running(source="people", target="tokens", column=SSN, **options):
        policy = Policy.from_mapping({"columns": {"ssn": column}, "unlisted": "keep"})
        return run(
            Job(
                operation="tokenize",
                source=memory.source(source),
                target=memory.sink(target),
                policy=policy,
                keyring=options.pop("keyring", ring),
                **options,
            )
        )

    return running


def detokenize(memory, ring, source="tokens", target="values"):
    """Turn a table back."""
    return run(
        Job(
            operation="detokenize",
            source=memory.source(source),
            target=memory.sink(target),
            keyring=ring,
            overwrite=True,
        )
    )


def test_a_table_goes_there_and_back(memory, ring, tokenize):
    """Tokens in a table come back by the metadata that the store keeps, without a policy."""
    report = tokenize()
    assert (report.rows_read, report.rows_written) == (COUNT, COUNT)
    assert not set(memory.tables["tokens"]["ssn"]) & set(memory.tables["people"]["ssn"])
    detokenize(memory, ring)
    assert memory.tables["values"].drop(RUN).equals(memory.tables["people"])


def test_tokens_of_a_table_are_not_tokenized_again(tokenize):
    """The store knows that a table holds tokens already."""
    tokenize()
    with pytest.raises(MetadataMismatch, match="tokens already"):
        tokenize(source="tokens", target="twice")


def test_a_second_run_replaces_and_never_doubles(memory, tokenize):
    """Replacing needs to be said; adding puts the same run's rows in the place of the old ones."""
    tokenize()
    with pytest.raises(OutputExists):
        tokenize()
    tokenize(overwrite=True)
    assert len(memory.tables["tokens"]) == COUNT
    for _ in range(2):
        tokenize(target="more", mode="append")
        assert len(memory.tables["more"]) == COUNT


def test_what_no_run_has_written_is_not_overwritten(memory, tokenize):
    """A table that is somebody else's stays, unless it is forced to go."""
    memory.tables["tokens"] = before = pl.DataFrame({"precious": [1]})
    with pytest.raises(OutputExists, match="no older run"):
        tokenize(overwrite=True)
    assert memory.tables["tokens"] is before
    tokenize(force=True)
    tokenize(overwrite=True)
    assert len(memory.tables["tokens"]) == COUNT


def test_a_slow_table_holds_its_source_up(memory, ring, recorder):
    """Rows don't pile up before a table that is slower than its source, and the job ends."""
    total, block, ahead = 2_000_000, 20_000, []
    rows = pl.DataFrame({"ssn": ["078-05-1120"] * block})
    given = taken = 0

    def blocks():
        nonlocal given
        for _ in range(total // block):
            given += block
            yield rows

    class Endless(MemorySource):
        schema = rows.schema

        def scan(self):
            return Stream(blocks, self.schema).scan()

    class Slow(MemorySink):
        @contextlib.contextmanager
        def writing(self, schema, mode, run):
            yield Taking(self.memory, self.name, pl.DataFrame(schema=schema), mode, run)

    class Taking(MemoryWriting):
        def write(self, rows):
            nonlocal taken
            time.sleep(0.05)
            ahead.append(given - taken)
            taken += len(rows)

        def count(self):
            return taken

    policy = Policy.from_mapping({"columns": {"ssn": SSN}})
    source, target = Endless(memory, "endless"), Slow(memory, "slow")
    report = run(
        Job(operation="tokenize", source=source, target=target, policy=policy, keyring=ring)
    )
    assert report.rows_written == total
    assert max(ahead) < total // 2


def test_adding_under_another_key_version_is_refused(memory, ring, tokenize):
    """Tokens of two versions don't join, so they don't get into one table."""
    tokenize(mode="append")
    before = memory.tables["tokens"]
    ring.rotate("people")
    with pytest.raises(JobError, match="other key versions"):
        tokenize(mode="append", limit=5)
    assert memory.tables["tokens"] is before


def test_adding_to_rows_that_nobody_recorded_is_refused(memory, tokenize):
    """A table that no run wrote may hold values in clear."""
    memory.tables["tokens"] = memory.tables["people"].with_columns(pl.lit("").alias(RUN))
    with pytest.raises(JobError, match="holds tokens of other columns"):
        tokenize(mode="append")


def test_a_failing_table_leaves_the_old_one(memory, tokenize):
    """An error while rows are taken comes out as it was, and nothing has changed."""
    tokenize()
    before = memory.tables["tokens"]
    memory.refuses_after = 500
    with pytest.raises(ConnectorFailed, match="memory is full") as caught:
        tokenize(overwrite=True)
    assert caught.value.__cause__ is None
    assert memory.tables["tokens"] is before


def test_values_that_do_not_fit_leave_the_old_table(memory, tokenize):
    """A job that is refused over values publishes nothing."""
    tokenize()
    before = memory.tables["tokens"]
    people = memory.tables["people"]
    memory.tables["people"] = people.vstack(pl.DataFrame({"ssn": ["?"], "n": [0]}, people.schema))
    with pytest.raises(InvalidValues):
        tokenize(overwrite=True)
    assert memory.tables["tokens"] is before


def test_rejected_rows_need_a_place(memory, ring, tokenize, tmp_path):
    """There is no folder beside a table: without a place, nothing is read; with one, it is kept."""
    people = memory.tables["people"]
    memory.tables["people"] = people.vstack(pl.DataFrame({"ssn": ["?"], "n": [0]}, people.schema))
    rejecting = {**SSN, "on_invalid": "reject"}
    with pytest.raises(JobError, match="place of their own"):
        tokenize(column=rejecting)
    place = tmp_path / "rejected.parquet"
    report = tokenize(column=rejecting, rejects=place)
    assert (report.rows_written, report.rows_rejected, report.rejects) == (COUNT, 1, str(place))
    # What was rejected in the run before is no longer: its file goes.
    memory.tables["people"] = people
    tokenize(column=rejecting, rejects=place, overwrite=True)
    assert not place.exists()


def test_without_a_store_tokens_do_not_get_into_tables(tokenize):
    """Nothing would say how they were made."""
    with use_recorder(Unrecorded()), pytest.raises(JobError, match="kept in the store"):
        tokenize()


def test_a_run_that_broke_off_while_publishing_is_not_trusted(memory, ring, tokenize, recorder):
    """Whether a table holds old tokens or new is not guessed at; the next run settles it."""
    tokenize()

    def broken(connection, records, key):
        if any(record.outcome == "complete" for record in records):
            raise StoreUnavailable("gone")
        taken(connection, records, key)

    taken = recorder._audit.append
    recorder._audit.append = broken
    with pytest.raises(StoreUnavailable):
        tokenize(overwrite=True)
    recorder._audit.append = taken
    with pytest.raises(MetadataMissing, match="may or may not"):
        detokenize(memory, ring)
    tokenize(overwrite=True)
    detokenize(memory, ring)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "partition", "partition_by": ("n",)}, "partitions"),
        ({"output_format": ".csv"}, "no format"),
        ({"target": "people"}, "same table"),
    ],
)
def test_what_tables_cannot_is_refused(tokenize, options, words):
    """Options of files, and a table over itself, are refused before anything is read."""
    with pytest.raises(JobError, match=words):
        tokenize(**options)


def test_a_dry_run_writes_nothing(memory, tokenize):
    """Counting needs no table, no store and no place for rejected rows."""
    with use_recorder(Unrecorded()):
        report = tokenize(dry_run=True)
    assert (report.status, report.rows_read) == ("dry-run", COUNT)
    assert set(memory.tables) == {"people"}


def test_files_and_tables_mix(memory, ring, tokenize, tmp_path):
    """Tokens go from a table to a file and back into values, by the file's own metadata."""
    tokenize()
    policy = Policy.from_mapping({"columns": {"ssn": SSN}, "unlisted": "keep"})
    out = tmp_path / "tokens.parquet"
    source, target = memory.source("people"), memory.sink("values")
    run(Job(operation="tokenize", source=source, target=out, policy=policy, keyring=ring))
    assert pl.read_parquet(out).equals(memory.tables["tokens"].drop(RUN))
    run(Job(operation="detokenize", source=out, target=target, keyring=ring))
    assert memory.tables["values"].drop(RUN).equals(memory.tables["people"])
