"""Inboxes: each file is done once, when nobody writes to it any more."""

import json
import os

import dagster as dg
import polars as pl
import pytest

from tests.unit.dagster.conftest import ROWS
from tokenkit.dagster.inbox import Looks, find, look_into
from tokenkit.errors import InputNotFound, JobError

JOB = """
source: ${FILE}
policy: policies/people.yaml
sink: lake/${PARTITION}.parquet
partitions: {inbox: inbox}
"""


@pytest.fixture
def inbox(location):
    """Give an inbox with its job."""
    location.write("customers", JOB)
    for name in ("inbox", "lake"):
        (location.folder / name).mkdir()
    return location.folder / "inbox"


@pytest.fixture
def look(location, inbox, instance):
    """Look into the inbox, as the daemon does; gives the sensor's result."""
    cursors = [None]

    def looking(cursor=...):
        definitions = location.definitions()
        sensor = definitions.resolve_sensor_def("customers_inbox_sensor")
        context = dg.build_sensor_context(
            instance=instance,
            cursor=cursors[-1] if cursor is ... else cursor,
            definitions=definitions,
        )
        result = sensor(context)
        cursors.append(result.cursor)
        return result

    return looking


def do(location, instance, result):
    """Do what a look asks for, as the daemon does."""
    done = []
    for request in result.run_requests or []:
        for partitions in result.dynamic_partitions_requests:
            instance.add_dynamic_partitions(
                partitions.partitions_def_name, partitions.partition_keys
            )
        tags = {"dagster/run_key": request.run_key}
        done.append(
            location.run("customers_job", instance, partition_key=request.partition_key, tags=tags)
        )
    return done


def test_a_file_is_taken_at_the_second_look_and_only_once(location, inbox, look, instance):
    """One look sees it, the next one takes it, later ones leave it alone."""
    (inbox / "a.csv").write_text(ROWS)
    assert not look().run_requests
    [done] = do(location, instance, look())
    assert done.success
    assert not look().run_requests
    assert not look().run_requests
    [output] = (location.folder / "lake").glob("*.parquet")
    assert output.name.startswith("a.csv@")
    assert pl.read_parquet(output).height == 3


def test_a_file_that_is_still_written_waits(inbox, look):
    """Each change puts it off to the look after the next."""
    path = inbox / "a.csv"
    for rows in range(3):
        path.write_text(ROWS * (rows + 1))
        assert not look().run_requests
    assert look().run_requests


@pytest.mark.parametrize(
    "name", [".a.csv", "_a.csv", "a.csv.part", "a.csv.tmp", "a.txt", "a.rejects.parquet"]
)
def test_temporary_and_foreign_names_are_passed_over(inbox, look, name):
    """Hidden files, names without a known ending, and files of rejected rows are no input."""
    (inbox / name).write_text(ROWS)
    (inbox / "folder").mkdir()
    (inbox / "folder" / "a.csv").write_text(ROWS)
    look()
    assert not look().run_requests


def test_a_replaced_file_is_another_one(location, inbox, look, instance):
    """A new file of the same name is done as well, and the old key isn't done over new rows."""
    path = inbox / "a.csv"
    path.write_text(ROWS)
    look()
    [first] = look().run_requests
    path.write_text(ROWS + "219-09-9998,Nice\n")
    instance.add_dynamic_partitions("customers_inbox", [first.partition_key])
    late = location.run("customers_job", instance, partition_key=first.partition_key)
    [failed] = [event for event in late.all_events if event.is_step_failure]
    assert failed.step_failure_data.user_failure_data.metadata["code"].value == "TK603"
    assert not list((location.folder / "lake").iterdir())
    look()
    [second] = look().run_requests
    assert second.partition_key != first.partition_key


def test_a_file_that_is_replaced_between_looking_and_reading_is_refused(
    location, inbox, instance, monkeypatch
):
    """The fingerprint of what is read must be that of the key, or nothing is written."""
    path = inbox / "a.csv"
    path.write_text(ROWS)

    def replacing(folder, key):
        found = find(folder, key)
        path.write_text("ssn,city\n219-09-9997,Lyon\n")
        return found

    monkeypatch.setattr("tokenkit.dagster.assets.find", replacing)
    [file] = look_into(inbox)
    instance.add_dynamic_partitions("customers_inbox", [file.key])
    result = location.run("customers_job", instance, partition_key=file.key)
    assert not result.success
    assert not list((location.folder / "lake").iterdir())


def test_a_request_that_was_lost_is_made_again(inbox, look):
    """A file counts as taken when a run is there, not when one was asked for."""
    (inbox / "a.csv").write_text(ROWS)
    look()
    [lost] = look().run_requests
    [again] = look().run_requests
    assert again.run_key == lost.run_key


def test_a_lost_cursor_takes_nothing_twice(location, inbox, look, instance):
    """Runs that are there are found by their keys, whatever the sensor remembers."""
    (inbox / "a.csv").write_text(ROWS)
    look()
    do(location, instance, look())
    look("not a cursor")
    assert not look().run_requests


def test_the_cursor_forgets_files_that_are_gone(inbox, look, instance, location):
    """What is remembered doesn't grow with all files that ever were there."""
    (inbox / "a.csv").write_text(ROWS)
    look()
    do(location, instance, look())
    assert json.loads(look().cursor)["taken"]
    (inbox / "a.csv").unlink()
    assert json.loads(look().cursor) == {"waiting": [], "taken": []}


def test_names_of_any_kind_are_keys(inbox):
    """What Dagster can't take in a key stands there in another way, and no two files share one."""
    names = [
        "a...b.csv",
        "tab\t.csv",
        "100%.csv",
        "long" * 50 + ".csv",
        "å.csv",
        "å" * 120 + ".csv",
    ]
    for name in names:
        (inbox / name).write_text(ROWS)
    (inbox / os.fsdecode(b"caf\xe9.csv")).write_text(ROWS)
    keys = [file.key for file in look_into(inbox)]
    assert len(set(keys)) == len(names) + 1
    for key in keys:
        assert "..." not in key
        assert key.isprintable()
        assert len(key.encode()) < 150
        assert find(inbox, key).key == key


def test_a_missing_inbox_is_an_error(location, inbox, look):
    """A folder that isn't mounted isn't an empty one."""
    inbox.rmdir()
    with pytest.raises(InputNotFound, match="no such inbox"):
        look()


def test_many_files_are_taken_some_at_a_time(inbox):
    """One look gives no more than so many files to runs, and none is passed over."""
    for number in range(250):
        (inbox / f"{number:03}.csv").write_text(ROWS)
    files = look_into(inbox)
    looks = Looks().after(files, frozenset())
    assert looks.settled(files) == files
    taken = frozenset(file.key for file in files[:100])
    assert looks.after(files, taken).settled(files) == files[100:]


def test_an_inbox_needs_its_variables_when_it_is_looked_into(location, look, monkeypatch):
    """The location loads without them; the look says which one is missing."""
    location.write("customers", JOB.replace("{inbox: inbox}", "{inbox: '${INBOX}'}"))
    with pytest.raises(JobError, match="variable INBOX has no value"):
        look()
    monkeypatch.setenv("INBOX", "inbox")
    assert not look().run_requests
