"""Whole jobs over real tables: there and back, never doubled, and under one key version."""

import polars as pl
import psycopg
import pytest

from tests.integration.connectors.postgresql_system import PostgresSystem
from tests.integration.connectors.test_delta import DeltaFolder
from tests.integration.connectors.test_duckdb import DuckDBFile
from tokenkit.errors import InvalidValues, JobError, OutputExists
from tokenkit.jobs import Job, run
from tokenkit.jobs.proving import check_output
from tokenkit.keys import Keyring
from tokenkit.lineage import use_recorder
from tokenkit.policy import Policy
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.database import Database
from tokenkit.store.recording import StoreRecorder

COUNT = 120_000


@pytest.fixture(params=["duckdb", "postgresql", "delta"])
def system(request, tmp_path):
    """Give each system, with a table of people."""
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgresql").url
        with psycopg.connect(url, prepare_threshold=None) as connection:
            yield PostgresSystem(url, connection)
    else:
        yield {"duckdb": DuckDBFile, "delta": DeltaFolder}[request.param](tmp_path)


@pytest.fixture
def people(system):
    """Fill a table of people."""
    numbers = pl.int_range(COUNT, eager=True).alias("n")
    areas, serials = (numbers % 600 + 1).cast(str), (numbers % 9_999 + 1).cast(str)
    rows = pl.DataFrame([numbers]).with_columns(
        ssn=pl.concat_str(areas.str.zfill(3), pl.lit("-05-"), serials.str.zfill(4)),
        card=pl.when(numbers % 7 != 0).then(numbers + 10_000_000),
    )
    system.fill("people", rows)
    return rows


@pytest.fixture
def ring():
    """Give a keyring."""
    with Keyring.from_secrets({"people": bytes(range(32))}) as opened:
        yield opened


@pytest.fixture
def job(system, people, ring, tmp_path):
    """Make a job that tokenizes the people into another table, and is recorded."""
    with Database.open(f"sqlite:///{tmp_path / 'store.db'}") as database:
        recorder = StoreRecorder(database, AuditLog(database), audit_key)
        with use_recorder(recorder):

            def making(**options):
                columns = options.pop("columns", {})
                policy = Policy.from_mapping({
                    "columns": {
                        "ssn": {"scheme": "us-ssn", "key": "people"},
                        "card": {"scheme": "digits", "width": 9, "key": "people"},
                        **columns,
                    },
                    "unlisted": "keep",
                })  # fmt: skip
                return Job(
                    operation="tokenize",
                    source=system.source("people"),
                    target=system.sink("tokens"),
                    policy=policy,
                    keyring=ring,
                    **options,
                )

            yield making


@pytest.fixture
def tokenize(job):
    """Tokenize the people into another table."""
    return lambda **options: run(job(**options))


def test_a_table_goes_there_and_back(system, people, ring, tokenize):
    """Source and sink are tables of one system; the tokens come back by the store's metadata."""
    report = tokenize()
    assert (report.rows_read, report.rows_written) == (COUNT, COUNT)
    tokens = system.rows("tokens").sort("n")
    assert not (tokens["ssn"] == people["ssn"]).any()
    run(
        Job(
            operation="detokenize",
            source=system.source("tokens"),
            target=system.sink("back"),
            keyring=ring,
        )
    )
    assert system.rows("back").sort("n").equals(people)


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_what_was_written_is_checked_against_the_source(system, people, job, mode):
    """One value in clear among the tokens of a table is found, though tables have no order."""
    run(job(limit=1_000, overwrite=True))
    made = job(prove=True, mode=mode, overwrite=True)
    report = run(made)
    found = check_output(made, run=report.run)
    assert (found.holds, found.rows) == (True, COUNT)
    row = COUNT - 77
    clear = people["ssn"][row]
    rows = system.rows("tokens")
    own = pl.lit(value=True) if mode == "replace" else pl.col("tokenkit_run") == report.run
    here = (pl.col("n") == row) & own
    system.fill("tokens", rows.with_columns(ssn=pl.when(here).then(pl.lit(clear)).otherwise("ssn")))
    found = check_output(made, run=report.run)
    assert {name: column.holds for name, column in found.columns.items()} == {
        "ssn": False,
        "card": True,
    }
    assert found.columns["ssn"].differing == 1
    assert found.located
    assert clear not in repr(found)


def test_a_second_run_replaces_and_never_doubles(system, tokenize):
    """Replacing has to be said; adding twice is adding once."""
    tokenize()
    with pytest.raises(OutputExists):
        tokenize()
    tokenize(overwrite=True)
    assert system.rows("tokens").height == COUNT
    for _ in range(2):
        tokenize(mode="append", limit=100)
        assert system.rows("tokens").height == COUNT + 100


def test_adding_under_another_key_version_is_refused(system, ring, tokenize):
    """Tokens of two versions don't join, so they don't get into one table."""
    tokenize(mode="append", limit=10)
    ring.rotate("people")
    with pytest.raises(JobError, match="other key versions"):
        tokenize(mode="append", limit=5)
    assert system.rows("tokens").height == 10


def test_values_that_do_not_fit_leave_the_old_table(system, tokenize):
    """A job that is refused at its end has changed nothing."""
    tokenize(limit=10)
    with pytest.raises(InvalidValues):
        tokenize(overwrite=True, columns={"n": {"scheme": "digits", "width": 2, "key": "people",
                                                "allow_small_domain": True}})  # fmt: skip
    assert system.rows("tokens").height == 10
