"""Lists of runs, and one run explained, on both back ends."""

import dataclasses
import random
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, text, update

from tests.integration.lineage_records import (
    POLICY,
    START,
    edge,
    file,
    log,
    record,
    store,
    with_policy,
)
from tokenkit.errors import NotRecorded
from tokenkit.lineage import ColumnCounts
from tokenkit.store.lineage import (
    RunFilter,
    check,
    find_run,
    list_runs,
    load_run,
    resolve,
)
from tokenkit.store.models import ColumnRunRow, PolicyRow, RunInputRow, RunRow

RAW, TOKENS = file("raw.csv"), file("tokens.csv")
COUNTS = ColumnCounts(
    done=9, null=1, empty=2, literal=3, sealed=4, invalid={"length": 5, "check_digit": 6}
)


@pytest.fixture
def many(database):
    """25 runs of several kinds; some begin at the same moment."""
    records = []
    for number in range(25):
        target = TOKENS if number % 2 else file(f"other{number}.csv")
        records.append(
            record(
                number,
                edge(RAW, "card", target),
                started=START + timedelta(minutes=number // 3),
                status="failed" if number % 5 == 0 else "complete",
                error_code="TK301" if number % 5 == 0 else None,
                operation="rekey" if number % 7 == 0 else "tokenize",
                actor="bob" if number % 11 == 0 else "ann",
            )
        )
    random.Random(3).shuffle(records)
    with database.begin() as connection:
        store(connection, *records)
    return sorted(records, key=lambda one: (one.started, one.id), reverse=True)


def ids(page):
    return [run.id for run in page.runs]


def test_pages_make_the_whole_list(database, many):
    """Page after page gives every run once, the newest first, also where moments are equal."""
    found, after = [], None
    with database.begin() as connection:
        while True:
            page = list_runs(connection, limit=4, after=after)
            found += ids(page)
            if not page.more:
                break
            after = page.runs[-1].id
    assert found == [one.id for one in many]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (RunFilter(status="failed"), lambda one: one.status == "failed"),
        (RunFilter(operation="rekey"), lambda one: one.operation == "rekey"),
        (RunFilter(actor="bob"), lambda one: one.actor == "bob"),
        (
            RunFilter(since=START + timedelta(minutes=3), until=START + timedelta(minutes=6)),
            lambda one: 3 <= (one.started - START).total_seconds() / 60 < 6,
        ),
        (
            RunFilter(actor="ann", status="complete", since=START + timedelta(minutes=2)),
            lambda one: (
                (one.actor, one.status) == ("ann", "complete")
                and one.started >= START + timedelta(minutes=2)
            ),
        ),
        (RunFilter(actor="nobody"), lambda one: False),
        (RunFilter(actor="\0"), lambda one: False),
    ],
)
def test_filters(database, many, wanted, fits):
    """Each filter lets exactly the runs through that fit."""
    with database.begin() as connection:
        page = list_runs(connection, wanted, limit=100)
    assert ids(page) == [one.id for one in many if fits(one)]


def test_runs_of_a_dataset(database, many):
    """Runs that read or wrote a dataset are found, each once, with what they read and wrote."""
    page = None
    with database.begin() as connection:
        for name, fits in (
            ("/data/tokens.csv", lambda one: one.columns[0].output == TOKENS),
            ("/data/raw.csv", lambda one: True),
        ):
            wanted = RunFilter(dataset_id=resolve(connection, name).id)
            page = list_runs(connection, wanted, limit=100)
            assert ids(page) == [one.id for one in many if fits(one)]
    assert page is not None
    assert {run.inputs for run in page.runs} == {(RAW,)}
    assert page.runs[0].outputs == (many[0].columns[0].output,)


def test_an_unknown_run_to_go_on_after(database, many):
    """A page after a run that isn't there is an error."""
    with database.begin() as connection, pytest.raises(NotRecorded):
        list_runs(connection, after=UUID(int=5))


def test_ids(database, many):
    """A run is found by its id, with or without hyphens, by its beginning, and by the job's id."""
    one = many[3]
    with database.begin() as connection:
        for text in (str(one.id), one.id.hex.upper(), str(one.id)[:8], one.job_run):
            assert find_run(connection, text) == one.id


def test_the_newest_run_of_a_job(database):
    """Of runs of one job, which share the id in its outputs, the newest is meant."""
    shared = "ab" * 16
    records = [record(n, edge(RAW, "card", TOKENS), job_run=shared) for n in (2, 3, 1)]
    with database.begin() as connection:
        store(connection, *records)
        assert find_run(connection, shared) == records[1].id


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ffffffff", "no run ffffffff is recorded"),
        ("0000", "several runs' ids begin with 0000"),
        ("abc", "no run's id"),
        ("xyz1", "no run's id"),
        ("", "no run's id"),
        ("1" * 33, "no run's id"),
        ("%", "no run's id"),
    ],
)
def test_wrong_ids(database, many, text, says):
    """What is no id, none's or several runs' is an error that says which."""
    with database.begin() as connection, pytest.raises(NotRecorded, match=says):
        find_run(connection, text)


@pytest.fixture
def whole(database):
    """A record that has everything, of a run that two others stand beside."""
    one = record(
        1,
        edge(RAW, "card", TOKENS, counts=COUNTS),
        edge(RAW, "id", TOKENS, action="keep"),
        edge(file("more.csv"), "card", TOKENS),
        rejects="/data/tokens.csv.rejects.parquet",
        proofs={"tokens.csv": {"card": "ab" * 32}},
        error_code=None,
        **with_policy(),
    )  # fmt: skip
    others = [
        record(0, edge(RAW, "card", TOKENS, key_version=8)),
        record(2, edge(RAW, "card", TOKENS, key_version=9), **with_policy()),
    ]
    with database.begin() as connection:
        store(connection, others[0], one, others[1])
    return one


def test_a_record_comes_back(database, whole):
    """A run's record is put together again as it was, policy and proofs included."""
    with database.begin() as connection:
        found = load_run(connection, whole.id)
    assert found == dataclasses.replace(
        whole,
        inputs=tuple(sorted(whole.inputs, key=lambda use: use.dataset)),
        columns=found.columns,
    )
    assert sorted(found.columns, key=repr) == sorted(whole.columns, key=repr)
    assert [way.output_column for way in found.columns] == ["card", "card", "id"]
    assert found.policy == POLICY


def test_no_such_run(database, whole):
    """A run that isn't there is an error."""
    with database.begin() as connection, pytest.raises(NotRecorded):
        load_run(connection, UUID(int=1))


def unguarded(connection):
    """Switch the triggers off that refuse changes, as the database's superuser can."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    else:
        connection.execute(text("DROP TRIGGER runs_settled"))


def verdict(database, run):
    with database.begin() as connection:
        return check(connection, load_run(connection, run.id))


def test_intact(database, whole):
    """A record whose digest is in the audit log is intact, and it is said since when."""
    with database.begin() as connection:
        log(connection, whole, "prepared", number=1)
        log(connection, whole, "complete", number=2)
    found = verdict(database, whole)
    assert (found.verdict, found.altered, found.at) == ("intact", (), whole.started)
    assert found.recorded == found.digest


def test_nothing_in_the_audit_log(database, whole):
    """Without a digest in the audit log, nothing is claimed; other details are passed over."""
    assert verdict(database, whole).verdict == "unknown"
    with database.begin() as connection:
        log(connection, whole, "prepared", number=1, reason="something else")
    assert verdict(database, whole).verdict == "unknown"


@pytest.mark.parametrize(
    ("change", "altered"),
    [
        (update(RunRow).values(rows_rejected=0), ("record",)),
        (update(RunRow).values(actor="mallory"), ("record",)),
        (update(RunRow).values(status="failed"), ("status",)),
        (update(RunRow).values(proofs={}), ("record",)),
        (update(ColumnRunRow).values(key_version=3), ("record",)),
        (update(ColumnRunRow).values(null=0), ("record",)),
        (update(RunInputRow).values(fingerprint="cd" * 32), ("record",)),
        (update(PolicyRow).values(content="{}"), ("policy",)),
        (delete(ColumnRunRow), ("record",)),
        (delete(RunInputRow), ("record",)),
    ],
    ids=lambda value: " ".join(str(value).split()[:3]) if not isinstance(value, tuple) else None,
)
def test_altered(database, whole, change, altered):
    """Whatever is changed of a record, and whoever changes it, is noticed."""
    with database.begin() as connection:
        log(connection, whole, "prepared", number=1)
        log(connection, whole, "complete", number=2)
        unguarded(connection)
        connection.execute(change)
    found = verdict(database, whole)
    assert (found.verdict, found.altered) == ("altered", altered)


def test_publishing_is_not_complete(database):
    """A run that the audit log knows no end of can be publishing, but not complete."""
    one = record(1, edge(RAW, "card", TOKENS), status="publishing", ended=None)
    with database.begin() as connection:
        store(connection, one)
        log(connection, one, "prepared")
    assert verdict(database, one).verdict == "intact"
    with database.begin() as connection:
        connection.execute(update(RunRow).values(status="complete"))
    assert verdict(database, one).altered == ("status",)
