"""Dagster's webserver and daemon over pipelines/, as processes, driven over GraphQL."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
SECONDS = 180
_PID = re.compile(r"Started process for run \(pid: (\d+)\)")
_T = TypeVar("_T")

RUNS = """
query ($filter: RunsFilter) {
  runsOrError(filter: $filter) {
    ... on Runs { results { runId status jobName parentRunId tags { key value } } }
    ... on PythonError { message }
  }
}"""
LOGS = """
query ($run: ID!) {
  logsForRun(runId: $run) {
    ... on EventConnection { events { ... on MessageEvent { message } } }
  }
}"""
LAUNCH = """
mutation ($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""
ASSET = """
query ($key: AssetKeyInput!) {
  assetOrError(assetKey: $key) {
    ... on Asset {
      assetMaterializations { partition runId metadataEntries {
        label ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text } } }
    }
  }
}"""
CHECKS = """
query ($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 50) {
    runId status
  }
}"""


class Deployment:
    """A webserver, and what it answers."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._url = f"{self.url}/graphql"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send a query, and give its data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            self._url, body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        data: dict[str, Any] = found["data"]
        return data

    def is_up(self) -> bool:
        """Whether it answers, and its code location is loaded."""
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
        try:
            return bool(self.ask(query)["repositoriesOrError"].get("nodes"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """List runs, the newest first, with their tags as a mapping."""
        found = self.ask(RUNS, filter=filters)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def pid(self, run: str) -> int | None:
        """Give the process that does a run, once it has begun."""
        events = self.ask(LOGS, run=run)["logsForRun"].get("events", [])
        found = [_PID.search(event.get("message", "")) for event in events]
        return next((int(one[1]) for one in found if one), None)

    def messages(self, run: str) -> str:
        """Give everything that a run's log says."""
        return json.dumps(self.ask(LOGS, run=run))

    def launch(self, job: str) -> str:
        """Launch a job, and give its run."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "tokenkit",
            "pipelineName": job,
        }
        launched = self.ask(LAUNCH, selector=selector)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run: str = launched["run"]["runId"]
        return run

    def backfill(self, asset: str, *partitions: str) -> str:
        """Launch a backfill of an asset, and give its id."""
        params = {"assetSelection": [{"path": [asset]}], "partitionNames": partitions}
        launched = self.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        found: str = launched["backfillId"]
        return found

    def materializations(self, asset: str) -> list[dict[str, Any]]:
        """List what an asset was, with metadata as a mapping."""
        found = self.ask(ASSET, key={"path": [asset]})["assetOrError"]["assetMaterializations"]
        return [
            {
                **one,
                "metadata": {
                    entry["label"]: entry.get("intValue", entry.get("text"))
                    for entry in one["metadataEntries"]
                },
            }
            for one in found
        ]

    def checks(self, asset: str, name: str) -> list[dict[str, Any]]:
        """List how a check of an asset went."""
        found: list[dict[str, Any]] = self.ask(CHECKS, key={"path": [asset]}, name=name)[
            "assetCheckExecutions"
        ]
        return found


def until(found: Callable[[], _T], what: str, pause: float = 0.3) -> _T:
    """Wait until something is there, and give it."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        result = found()
        if result:
            return result
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {SECONDS} s")


@contextlib.contextmanager
def deployed(home: Path, settings: Path, environment: Mapping[str, str]) -> Iterator[Deployment]:
    """Start a webserver and a daemon, and stop them with all that they started."""
    home.mkdir()
    shutil.copy(settings, home / "dagster.yaml")
    port = _free_port()
    known = {
        **os.environ,
        **environment,
        "DAGSTER_HOME": str(home),
        "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
        "PYTHONPATH": str(ROOT),
    }
    commands = [
        ["dagster_webserver", "--host", "127.0.0.1", "--port", str(port)],
        ["dagster._daemon", "run"],
    ]
    with contextlib.ExitStack() as stack:
        for number, command in enumerate(commands):
            log = stack.enter_context((home / f"{number}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                # Its pyproject.toml names the code location.
                cwd=ROOT,
                env=known,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(_stop, process)
        deployment = Deployment(port)
        until(deployment.is_up, "the webserver answers")
        yield deployment


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Asked to end, it ends what it started; a code server that is left alone ends by itself.
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
