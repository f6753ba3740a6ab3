"""Logs: four streams of JSON with the request's id throughout, which hold up no request."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import closing
from uuid import uuid4

import httpx
import pytest

from tests.integration.test_service_faults import BODY, free_port, prepared, ready
from tests.services import running
from tokenkit.errors import InvalidRequest
from tokenkit.service.logs import Logs, forwarded
from tokenkit.service.settings import ServiceSettings

TOKENIZE = ("allow", "tokenize", "*")
PATIENCE = 60
STREAMS = ("access", "error", "debug", "performance")


def lines(folder, stream):
    """Read the lines of a stream, each of which is JSON."""
    path = folder / f"{stream}.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def until_there(look):
    """Wait until something is there, and give it."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


@pytest.fixture
def logged(tmp_path):
    """Run a service with all of its logs in a folder."""
    folder = tmp_path / "logs"
    url = f"sqlite:///{tmp_path / 'store' / 'tokenkit.db'}"
    with running(url, tmp_path, log_folder=folder, log_level="debug") as service:
        yield service, folder


def test_every_request_leaves_a_line_with_its_id(logged):
    """Who asked by id, for what by route, and how it ended; the id is that of the answer."""
    service, folder = logged
    key_id, key = service.issued(TOKENIZE)
    mine = str(uuid4())
    answers = [
        service.post("/v1/tokenize", BODY, key, **{"x-request-id": mine}),
        service.post("/v1/tokenize", BODY),
        service.client.get(f"/v1/tokens/{uuid4()}"),
        service.client.get(f"/{uuid4()}"),
    ]
    found = until_there(lambda: (every := lines(folder, "access"))[3:] and every)
    assert [line["request_id"] for line in found] == [
        one.headers["x-request-id"] for one in answers
    ]
    assert answers[0].headers["x-request-id"] == mine
    assert [(line["method"], line["route"], line["status"]) for line in found] == [
        ("POST", "/v1/tokenize", 200),
        ("POST", "/v1/tokenize", 401),
        ("GET", "/v1/tokens/{record_id}", 401),
        ("GET", "unmatched", 404),
    ]
    assert found[0]["via"] == "api-key"
    assert found[0]["principal"] == str(key_id)
    assert found[0]["sent_bytes"] == len(answers[0].content)
    assert "principal" not in found[1]
    for line in found:
        assert line["stream"] == "access"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])


def test_problems_have_the_id_of_the_request(logged):
    """So that who reports one can be told what happened."""
    service, _ = logged
    answers = [
        service.post("/v1/tokenize", BODY),
        service.client.get("/v1/users?limit=x"),
        service.client.get("/nothing"),
        service.client.post("/v1/tokenize", content=b"x" * 2**21),
    ]
    for answer in answers:
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("given", ["4539578763621486", "a" * 33, "x-" * 16, "", "1" * 31 + "\xe9"])
def test_an_id_that_could_be_a_value_is_not_taken(quick_service, given):
    """Only UUIDs are; whatever else is given, the service makes one of its own."""
    answer = quick_service.client.get("/health/live", headers={b"x-request-id": given.encode()})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] != given


def test_a_defect_is_an_error_with_its_place_and_its_request(logged):
    """The error stream has what kind it was, where, and the request's id; not what it says."""
    service, folder = logged
    key = service.caller(TOKENIZE)

    class Defect:
        async def before(self, call):
            raise RuntimeError(f"{call.body!r}")

        async def after(self, call, result):
            """Not reached."""

        async def failed(self, call):
            """Not reached."""

    service.state.guards.append(Defect())
    answer = service.post("/v1/tokenize", BODY, key)
    assert answer.status_code == 500
    (line,) = until_there(lambda: lines(folder, "error"))
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["event"].startswith("an unforeseen RuntimeError at ")
    assert BODY["value"] not in (folder / "error.log").read_text()


def test_other_libraries_messages_are_not_kept(tmp_path):
    """Their texts, arguments and tracebacks may quote values: the logger and the place remain."""
    secret = "4539578763621486"
    with closing(Logs(tmp_path, level="debug")) as logs, forwarded(logs):
        for name in ("sqlalchemy.engine", "asyncio", "uvicorn.error"):
            logger = logging.getLogger(name)
            if name != "uvicorn.error":
                logger.warning("all of " + secret)  # noqa: G003 - as others do
            logger.warning("some of %s", secret)
            logger.warning("first\n%s", secret)
            try:
                raise ValueError(secret)
            except ValueError:
                logger.exception("failed")
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "sqlalchemy.engine" in text
    assert '"exception":"ValueError' in text
    assert secret not in text
    found = [line for line in lines(tmp_path, "error") if line["logger"] != "uvicorn.error"]
    assert {line["event"] for line in found} == {"a message of a library"}


def test_a_field_that_is_no_plain_value_is_told_by_its_kind(tmp_path):
    """What an object says of itself could be anything; long texts are cut."""
    with closing(Logs(tmp_path)) as logs:
        logs.error.error("told", found={"card": "4539578763621486"}, text="x" * 1_000)
    (line,) = lines(tmp_path, "error")
    assert line["found"] == "dict"
    assert line["text"] == "x" * 256


@pytest.mark.parametrize(
    ("environment", "level", "written"),
    [
        ("production", "", {"access", "error", "performance"}),
        ("development", "", set(STREAMS)),
        ("development", "warning", {"error"}),
    ],
)
def test_the_environment_sets_the_level(tmp_path, environment, level, written):
    """Unless a level is named."""
    with closing(Logs(tmp_path, environment=environment, level=level)) as logs:
        logs.access.info("request")
        logs.performance.info("process")
        logs.error.error("failed")
        logs.debug.debug("looked")
    assert {stream for stream in STREAMS if lines(tmp_path, stream)} == written


@pytest.mark.parametrize("given", [{"environment": "prod"}, {"level": "loud"}])
def test_a_level_that_there_is_not_is_refused(tmp_path, given):
    """Rather than that a service runs without the logs that were asked for."""
    with pytest.raises(InvalidRequest):
        Logs(tmp_path, **given)


def test_what_nobody_reads_holds_up_nothing(tmp_path):
    """With its pipe full, lines are dropped and counted; when it is read it says how many."""
    reading, writing = os.pipe()
    kept = os.dup(2)
    os.dup2(writing, 2)
    try:
        logs = Logs(most_waiting=100)
        for number in range(10_000):
            logs.error.error("told", number=number, text="x" * 200)
        dropped = logs.writer.dropped["error"]
        assert dropped > 9_000
        seen = bytearray()

        def read():
            while piece := os.read(reading, 65_536):
                seen.extend(piece)

        thread = threading.Thread(target=read)
        thread.start()
        until_there(lambda: b"log_lines_dropped" in seen)
        logs.close()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writing)
    thread.join(PATIENCE)
    os.close(reading)
    told = [json.loads(line) for line in bytes(seen).splitlines()]
    assert sum(line.get("count", 0) for line in told) == dropped
    assert sum("number" in line for line in told) == 10_000 - dropped


def test_a_file_that_is_moved_away_is_made_anew(tmp_path):
    """As programs that rotate logs do it; nothing is lost, and others can't read it."""
    with closing(Logs(tmp_path)) as logs:
        logs.access.info("one")
        until_there(lambda: lines(tmp_path, "access"))
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        logs.access.info("two")
        until_there(lambda: lines(tmp_path, "access"))
    assert [line["event"] for line in lines(tmp_path, "access")] == ["two"]
    assert (tmp_path / "access.log").stat().st_mode & 0o077 == 0


def test_slow_requests_and_the_process_are_in_the_performance_stream(tmp_path):
    """Requests beyond the limit, and every so often how the process does."""
    url = f"sqlite:///{tmp_path / 'tokenkit.db'}"
    folder = tmp_path / "logs"
    given = {"log_folder": folder, "slow_seconds": 0.0, "performance_seconds": 0.05}
    with running(url, tmp_path, **given) as service:
        answer = service.client.get("/health/live")
        until_there(
            lambda: (
                {"process", "slow_request"}
                <= {line["event"] for line in lines(folder, "performance")}
            )
        )
    slow = [line for line in lines(folder, "performance") if line["event"] == "slow_request"]
    assert slow[0]["request_id"] == answer.headers["x-request-id"]


def test_settings_name_the_folder_and_the_environment():
    """Each is an environment variable, as all settings are."""
    found = ServiceSettings.from_environment(
        {
            "TOKENKIT_SERVICE_ENVIRONMENT": "development",
            "TOKENKIT_SERVICE_LOG_FOLDER": "logs",
            "TOKENKIT_SERVICE_SLOW_SECONDS": "0.5",
        }
    )
    assert found.environment == "development"
    assert str(found.log_folder) == "logs"
    assert found.slow_seconds == 0.5


@pytest.mark.slow
def test_workers_write_whole_lines_into_the_same_files(tmp_path, monkeypatch):
    """Two processes, many requests: as many lines as answers, each of them JSON."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    url = f"sqlite:///{tmp_path / 'tokenkit.db'}"
    environment, key = prepared(url, tmp_path)
    folder = tmp_path / "logs"
    environment |= {
        "TOKENKIT_SERVICE_WORKERS": "2",
        "TOKENKIT_SERVICE_LOG_FOLDER": str(folder),
    }
    port = free_port()
    command = [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    ids = []
    try:
        ready(url, process)
        headers = {"authorization": f"Bearer {key}", "connection": "close"}
        for _ in range(60):
            answer = httpx.post(f"{url}/v1/tokenize", json=BODY, headers=headers)
            assert answer.status_code == 200
            ids.append(answer.headers["x-request-id"])
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    found = [line for line in lines(folder, "access") if line["route"] == "/v1/tokenize"]
    assert sorted(line["request_id"] for line in found) == sorted(ids)
