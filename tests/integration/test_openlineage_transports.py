"""Events of real jobs, delivered to a file and to a real HTTP server; and what if they can't be."""

import json
import socket
import stat
import threading
import time
import warnings

import pytest

from tests.integration.http_fake import served
from tests.unit.lineage.test_openlineage import BY_ID, check, facets
from tokenkit.errors import JobError, StoreError
from tokenkit.jobs import Job, JobRefused, run
from tokenkit.jobs.targets import FileTarget
from tokenkit.lineage import use_recorder
from tokenkit.lineage.openlineage import EventLost, emission, emitting
from tokenkit.policy import Policy


@pytest.fixture
def job(ring, tmp_path):
    """Run a job whose values fit, or one whose values don't."""

    def running(value="078-05-1120", **options):
        (tmp_path / "a.csv").write_text(f"ssn,city\n{value},Oslo\n")
        policy = Policy.from_mapping(
            {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
        )
        return run(
            Job(
                operation="tokenize",
                source=tmp_path / "a.csv",
                target=tmp_path / "b.csv",
                policy=policy,
                keyring=ring,
                **options,
            )
        )

    return running


@pytest.fixture
def told(recorder, monkeypatch):
    """Let the events of jobs go where the environment says."""

    def telling(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"TOKENKIT_OPENLINEAGE_{name}", str(value))
        return use_recorder(emitting(recorder))

    return telling


def checked(lines):
    """Parse events, and hold each against the schemas."""
    events = [json.loads(line) for line in lines]
    for event in events:
        check(BY_ID["https://openlineage.io/spec/2-0-2/OpenLineage.json"], event)
        for _, content in facets(event):
            url, _, inside = content["_schemaURL"].partition("#")
            check({"$ref": content["_schemaURL"]} if inside else BY_ID[url], content)
    return events


def test_a_file(stored, job, told, tmp_path):
    """A run is a START and a COMPLETE, as lines of a file that only its owner may read."""
    path = tmp_path / "events.jsonl"
    with told(FILE=path, NAMESPACE="night"):
        job()
        job(force=True)
    events = checked(path.read_text().splitlines())
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 2
    assert [event["run"]["runId"] for event in events[::2]] == [
        str(record.id) for record in stored.runs
    ]
    assert {event["job"]["namespace"] for event in events} == {"night"}
    complete = events[1]
    assert complete["inputs"][0]["name"] == str(tmp_path.resolve() / "a.csv")
    assert "columnLineage" in complete["outputs"][0]["facets"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_run(stored, job, told, tmp_path):
    """A run that failed is told of as such, by its code."""
    path = tmp_path / "events.jsonl"
    with told(FILE=path), pytest.raises(JobRefused):
        job("CANARY")
    _, failed = checked(path.read_text().splitlines())
    assert failed["eventType"] == "FAIL"
    assert failed["run"]["facets"]["errorMessage"]["message"] == "TK301"
    assert "CANARY" not in path.read_text()


def test_an_interrupted_run(stored, job, told, tmp_path, monkeypatch):
    """Ctrl-C is an ABORT."""

    def interrupt(_target):
        raise KeyboardInterrupt

    monkeypatch.setattr(FileTarget, "flush", interrupt)
    path = tmp_path / "events.jsonl"
    with told(FILE=path), pytest.raises(KeyboardInterrupt):
        job()
    assert [event["eventType"] for event in checked(path.read_text().splitlines())] == [
        "START",
        "ABORT",
    ]


def test_what_is_left_open_has_no_end(stored, job, told, tmp_path, monkeypatch):
    """Where nobody knows whether the output has its name, no event says either."""
    publish = FileTarget.publish

    def half(target):
        publish(target)
        raise JobError("no")

    monkeypatch.setattr(FileTarget, "publish", half)
    path = tmp_path / "events.jsonl"
    with told(FILE=path), pytest.raises(JobError):
        job()
    assert [event["eventType"] for event in checked(path.read_text().splitlines())] == ["START"]


def test_http(stored, job, told):
    """Events are posted in their order, with the key that the server asks for."""
    got = []

    def answer(path, headers, body):
        got.append((path, headers["Authorization"], headers["Content-Type"], body))
        return 201, b""

    with served(answer) as address, told(URL=address, API_KEY="s3cret"):
        job()
    events = checked(body for *_, body in got)
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    expected = ("/api/v1/lineage", "Bearer s3cret", "application/json")
    assert {each[:3] for each in got} == {expected}


def test_a_path_is_taken_as_it_is(stored, job, told):
    """An address with a path is the whole address."""
    got = []

    def answer(path, _headers, _body):
        got.append(path)
        return 200, b""

    with served(answer) as address, told(URL=f"{address}/my/events?x=1"):
        job()
    assert got == ["/my/events?x=1"] * 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [(500, "the server answered 500"), (307, "the server answered 307")],
)
def test_a_server_that_refuses(stored, job, told, tmp_path, status, reason):
    """The job is done and recorded; a warning says what was lost. No redirect is followed."""

    def answer(_path, _headers, _body):
        return status, b"http://127.0.0.1:1/elsewhere"

    with served(answer) as address, told(URL=address), pytest.warns(EventLost, match=reason):
        assert job().status == "done"
    assert stored.run.status == "complete"
    assert (tmp_path / "b.csv").exists()


def test_a_server_that_is_not_there(stored, job, told):
    """A refused connection is told of without the address, which may hold a secret."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with (
            told(URL=f"http://ann:secret@127.0.0.1:{port}/"),
            pytest.warns(EventLost) as caught,
        ):
            assert job().status == "done"
    [warning] = caught
    assert "NewConnectionError" in str(warning.message)
    assert "secret" not in str(warning.message)


def test_a_server_that_never_answers(stored, job, told, monkeypatch):
    """A job waits for its events a few seconds at most."""
    monkeypatch.setattr(emission, "_PATIENCE", 0.5)
    go_on = threading.Event()

    def answer(_path, _headers, _body):
        go_on.wait(10)
        return 200, b""

    with served(answer) as address, told(URL=address):
        begun = time.monotonic()
        with pytest.warns(EventLost, match="no answer in time"):
            assert job().status == "done"
        assert time.monotonic() - begun < 5
        go_on.set()
    assert stored.run.status == "complete"


def test_a_file_that_cannot_be_written(stored, job, told, tmp_path):
    """A folder that isn't there loses the events, not the job."""
    with (
        told(FILE=tmp_path / "nowhere" / "events.jsonl"),
        pytest.warns(EventLost, match="No such file"),
    ):
        assert job().status == "done"


def test_both(stored, job, told, tmp_path):
    """One that can't be reached keeps nothing from the other."""
    path = tmp_path / "events.jsonl"
    with (
        served(lambda *_: (503, b"")) as address,
        told(URL=address, FILE=path),
        pytest.warns(EventLost),
    ):
        job()
    assert len(checked(path.read_text().splitlines())) == 2


def test_an_address_that_is_none(recorder, monkeypatch):
    """A mistake in the environment is found before a job begins, and not quoted."""
    monkeypatch.setenv("TOKENKIT_OPENLINEAGE_URL", "lineage.example.org:secret")
    with pytest.raises(JobError) as caught:
        emitting(recorder)
    assert "secret" not in str(caught.value)


def test_a_job_that_cannot_record_says_so(stored, job, told, tmp_path, monkeypatch):
    """The store comes first: where it fails, the run has failed."""

    def refuse(*_given):
        raise StoreError("no")

    monkeypatch.setattr("tokenkit.store.recording._insert_ways", refuse)
    path = tmp_path / "events.jsonl"
    with told(FILE=path), pytest.raises(StoreError):
        job()
    assert [event["eventType"] for event in checked(path.read_text().splitlines())] == [
        "START",
        "FAIL",
    ]
    assert not (tmp_path / "b.csv").exists()
    assert (stored.run.status, stored.run.error_code) == ("failed", "TK700")


def test_nothing_is_warned_of_where_nothing_is_lost(stored, job, told, tmp_path):
    """No news is good news."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with told(FILE=tmp_path / "events.jsonl"):
            job()
