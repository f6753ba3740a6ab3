"""The GraphQL client of Dagster's webserver, against a real HTTP server."""

from __future__ import annotations

import json
import time

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from tests.unit.batches.dagster_fake import drip, fake_webserver, send
from tokenkit.batches.executors import webserver
from tokenkit.batches.executors.webserver import Webserver
from tokenkit.errors import ExecutorUnavailable, InvalidRequest

TOKEN = "CANARY-dagster-token-77"
CANARY = "CANARY-078-05-1120"
TAGS = {"tokenkit/batch": "b", "tokenkit/attempt": "0"}


@pytest.fixture
def fake():
    with fake_webserver() as found:
        yield found


@pytest.fixture
def client(fake):
    return Webserver(fake.url, "there", token=TOKEN, seconds=1.0)


def test_a_run_is_launched_and_found_by_its_tags(fake, client):
    """Job, location, configuration and tags arrive; its states are told apart."""
    assert client.runs("job", TAGS) == []
    assert client.launch("job", {"ops": {}}, TAGS) == "run-0"
    [run] = fake.runs
    assert run["selector"] == {
        "pipelineName": "job",
        "repositoryLocationName": "there",
        "repositoryName": "__repository__",
    }
    assert (run["config"], run["tags"]) == ({"ops": {}}, TAGS)
    for status, state in (("STARTED", "open"), ("CANCELING", "open"), ("FAILURE", "over")):
        run["status"] = status
        assert client.runs("job", TAGS) == [state]
    assert client.runs("job", TAGS | {"tokenkit/attempt": "1"}) == []
    named = Webserver(f"{fake.url}/graphql/", "repository@there")
    named.launch("job", {}, TAGS)
    assert fake.runs[1]["selector"]["repositoryName"] == "repository"


def test_a_run_that_began_long_ago_and_took_no_batch_is_over(fake, client):
    """Its machine may have died; one that has only begun is waited for."""
    client.launch("job", {}, TAGS)
    for age, state in ((10, "open"), (1_000, "over")):
        fake.runs[0] |= {"status": "STARTED", "startTime": time.time() - age}
        assert client.runs("job", TAGS) == [state]
    fake.runs[0]["status"] = "QUEUED"
    assert client.runs("job", TAGS) == ["open"]


def test_what_is_asked_is_in_dagster_s_own_schema():
    """Each field and each type, as the version that is installed has them."""
    schema = create_schema().graphql_schema
    for query in (webserver._RUNS, webserver._LAUNCH):
        assert validate(schema, parse(query)) == []


def test_the_token_is_in_the_headers_and_nowhere_else(fake, client):
    """Not in a query, nor in the repr."""
    client.launch("job", {}, TAGS)
    assert fake.headers[0]["authorization"] == f"Bearer {TOKEN}"
    assert fake.headers[0]["dagster-cloud-api-token"] == TOKEN
    assert TOKEN not in json.dumps(fake.asked)
    assert TOKEN not in repr(client)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "answer"),
        (b"<html>" + CANARY.encode(), "answer"),
        (b"\xff\xfe", "answer"),
        (b"[" * 100_000, "answer"),
        (b"1" * 10_000, "answer"),
        (b"[1]", "answer"),
        (b'{"data": null}', "answer"),
        (b'{"data": {"launchRun": null}}', "answer"),
        (b'{"data": {"launchRun": {"__typename": 3}}}', "answer"),
        (b'{"data": {"launchRun": {"__typename": "LaunchRunSuccess"}}}', "answer"),
        (b'{"data": {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": 3}}}}',) * 1
        + ("answer",),
        (b'{"errors": [{"message": "%s"}]}' % CANARY.encode(), "answer"),
        (b'{"data": {"launchRun": {"__typename": "%s"}}}' % CANARY.encode(), "refused"),
        (b'{"data": {"launchRun": {"__typename": "PipelineNotFoundError"}}}', "refused"),
        (b" " * (2**20 + 1), "no_answer"),
    ],
)
def test_what_cannot_be_read_is_an_error_without_its_text(fake, client, content, reason):
    """Whatever it answers: one kind of error, and nothing of the answer or the token in it."""
    fake.answer = lambda handler: send(handler, content)
    with pytest.raises(ExecutorUnavailable) as raised:
        client.launch("job", {}, TAGS)
    assert raised.value.reason == reason
    told = f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"
    assert CANARY not in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    "content",
    [
        b'{"data": {"runsOrError": {"__typename": "PythonError"}}}',
        b'{"data": {"runsOrError": {"__typename": "Runs", "results": 3}}}',
        b'{"data": {"runsOrError": {"__typename": "Runs", "results": [null]}}}',
        b'{"data": {"runsOrError": {"__typename": "Runs", "results": [{"status": 1}]}}}',
    ],
)
def test_runs_that_cannot_be_read_are_not_no_runs(fake, client, content):
    """Otherwise a second run would be launched."""
    fake.answer = lambda handler: send(handler, content)
    with pytest.raises(ExecutorUnavailable):
        client.runs("job", TAGS)


@pytest.mark.parametrize("status", [301, 307, 401, 500])
def test_other_answers_are_errors_and_no_redirect_is_followed(fake, client, status):
    """The token goes to no other place."""
    fake.answer = lambda handler: send(handler, b"", status, location=f"{fake.url}/elsewhere")
    with pytest.raises(ExecutorUnavailable, match=str(status)):
        client.launch("job", {}, TAGS)
    assert len(fake.asked) == 1


def test_it_does_not_wait_for_ever(fake, client):
    """A server that says nothing, one that drips, one that hangs up, and none at all."""

    def silent(_):
        time.sleep(3)

    def cut(handler):
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")

    for answer, reason in ((silent, "time_out"), (drip, "time_out"), (cut, "no_answer")):
        fake.answer = answer
        started = time.monotonic()
        with pytest.raises(ExecutorUnavailable) as raised:
            client.launch("job", {}, TAGS)
        assert raised.value.reason == reason
        assert time.monotonic() - started < 2.5
    with pytest.raises(ExecutorUnavailable):
        Webserver("http://127.0.0.1:1", "there").launch("job", {}, TAGS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "dagster",
        "ftp://dagster.example",
        f"https://user:{CANARY}@dagster.example",
        f"https://dagster.example?token={CANARY}",
        "https://dagster.example:port",
        "https://[",
        "https://däster.example",
        "http://dagster.example",
    ],
)
def test_addresses_that_are_refused(url):
    """Credentials in it, a token in clear, or none at all; it isn't quoted."""
    with pytest.raises(InvalidRequest) as raised:
        Webserver(url, "there", token=TOKEN)
    assert CANARY not in str(raised.value)
    with pytest.raises(InvalidRequest):
        Webserver("https://dagster.example", "there", token="two\nlines")
