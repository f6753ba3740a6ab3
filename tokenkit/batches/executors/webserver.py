"""Dagster's webserver over GraphQL: launching a run, and what became of those with some tags.

Nothing that it answers is in an error but the kind of it: texts of others may hold anything. No
redirect is followed, since the token would go with it.
"""

import json
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from tokenkit.errors import ExecutorUnavailable, InvalidRequest

RunState: TypeAlias = Literal["open", "over"]
"""Whether a run waits or is being done, or has ended in whatever way."""

_OVER: Final = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_REFUSALS: Final = frozenset(
    {
        "ConflictingExecutionParamsError",
        "InvalidSubsetError",
        "NoModeProvidedError",
        "PipelineNotFoundError",
        "PresetNotFoundError",
        "PythonError",
        "RunConfigValidationInvalid",
        "RunConflict",
        "UnauthorizedError",
    }
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_BEGINS_WITHIN: Final = 300.0
_MOST_BYTES: Final = 2**20
_MOST_RUNS: Final = 100
_PIECE: Final = 2**14

_RUNS: Final = """\
query TokenkitRuns($filter: RunsFilter!, $limit: Int!) {
  runsOrError(filter: $filter, limit: $limit) {
    __typename
    ... on Runs { results { runId status startTime } }
  }
}"""
_LAUNCH: Final = """\
mutation TokenkitLaunch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
  }
}"""


class Webserver:
    """Dagster's webserver.

    Parameters
    ----------
    url
        Where it is, such as ``https://dagster.example``; its GraphQL endpoint lies below.
    location
        The code location of the job, such as ``tokenkit`` or ``repository@location``.
    token
        Goes with each request, as a bearer token and as Dagster+ takes it; None for none.
    seconds
        How long a request may take.

    Raises
    ------
    InvalidRequest
        If the address is none, has credentials in it, or the token would go over the network in
        clear.

    Examples
    --------
    >>> Webserver("https://dagster.example", "tokenkit", token="secret")
    Webserver('https://dagster.example')
    """

    def __init__(
        self, url: str, location: str, *, token: str | None = None, seconds: float = 10.0
    ) -> None:
        self._scheme, self._host, self._port, self._path = _checked(url, has_token=bool(token))
        # A header with a line break in it would be quoted by the error that it makes.
        if token and not (token.isascii() and token.isprintable()):
            raise InvalidRequest("the token of Dagster has characters that no header can have")
        self._repository, _, self._location = location.rpartition("@")
        self._token = token
        self._seconds = seconds

    def __repr__(self) -> str:
        port = "" if self._port is None else f":{self._port}"
        return f"{type(self).__name__}('{self._scheme}://{self._host}{port}{self._path}')"

    def runs(self, job: str, tags: Mapping[str, str]) -> list[RunState]:
        """Say what became of the runs of a job that have these tags, the newest first.

        One that started minutes ago counts as over: its batch would be running by now. Dagster may
        take a run for alive for a day when its machine has died.

        Raises
        ------
        ExecutorUnavailable
            If there is no answer, or none that can be read.
        """
        wanted = {"pipelineName": job, "tags": _tags(tags)}
        found = self._ask(_RUNS, {"filter": wanted, "limit": _MOST_RUNS}, "runsOrError")
        results = found.get("results")
        if found["__typename"] != "Runs" or not isinstance(results, list):
            raise _refused(found["__typename"])
        states: list[RunState] = []
        for run in results:
            status = run.get("status") if isinstance(run, dict) else None
            if not isinstance(status, str):
                raise _strange()
            is_over = status in _OVER or _is_stuck(status, run.get("startTime"))
            states.append("over" if is_over else "open")
        return states

    def launch(self, job: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Launch a run of a job, and give its id.

        Parameters
        ----------
        job, config
            Which job, and its run's configuration.
        tags
            The run's tags.

        Raises
        ------
        ExecutorUnavailable
            If it is refused, or there is no answer; then it may have been launched all the same.
        """
        selector = {
            "pipelineName": job,
            "repositoryLocationName": self._location,
            "repositoryName": self._repository or "__repository__",
        }
        params = {
            "selector": selector,
            "runConfigData": config,
            "executionMetadata": {"tags": _tags(tags)},
        }
        found = self._ask(_LAUNCH, {"params": params}, "launchRun")
        if found["__typename"] != "LaunchRunSuccess":
            raise _refused(found["__typename"])
        run = found.get("run")
        run_id = run.get("runId") if isinstance(run, dict) else None
        if not isinstance(run_id, str):
            raise _strange()
        return run_id

    def _ask(self, query: str, variables: Mapping[str, Any], wanted: str) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        try:
            status, content = self._post(body)
        except (OSError, HTTPException, ValueError) as exc:
            kind = "time_out" if isinstance(exc, TimeoutError) else "no_answer"
            failed = ExecutorUnavailable(
                "Dagster's webserver doesn't answer", reason=kind, hint="is it running?"
            )
        else:
            if status == 200:
                return _read(content, wanted)
            failed = ExecutorUnavailable(
                f"Dagster's webserver answers with HTTP status {status}",
                reason="status",
                hint="check its address and its token",
            )
        raise failed from None

    def _post(self, body: bytes) -> tuple[int, bytes]:
        until = time.monotonic() + self._seconds
        connection = self._connected()
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            if self._token:
                headers["Authorization"] = f"Bearer {self._token}"
                headers["Dagster-Cloud-Api-Token"] = self._token
            connection.request("POST", f"{self._path}/graphql", body, headers)
            answer = connection.getresponse()
            return answer.status, _content(answer, until)
        finally:
            connection.close()

    def _connected(self) -> HTTPConnection:
        if self._scheme == "http":
            return HTTPConnection(self._host, self._port, timeout=self._seconds)
        context = ssl.create_default_context()
        return HTTPSConnection(self._host, self._port, timeout=self._seconds, context=context)


def _checked(url: str, *, has_token: bool) -> tuple[str, str, int | None, str]:
    """Take an address apart."""
    try:
        parts = urlsplit(url if url.isascii() else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    clean = parts.username is None and not parts.query and not parts.fragment
    if not clean or not host or parts.scheme not in {"http", "https"}:
        raise InvalidRequest(
            "the address of Dagster isn't one of the form https://host:port",
            hint="it holds no user, password or query: the token is a setting of its own",
        )
    if has_token and parts.scheme == "http" and host not in _LOOPBACK:
        raise InvalidRequest(
            "the address of Dagster is http, so its token would cross the network in clear",
            hint="use https; http is for this machine alone (127.0.0.1)",
        )
    return parts.scheme, host, port, parts.path.rstrip("/").removesuffix("/graphql")


def _is_stuck(status: str, started: object) -> bool:
    return (
        status == "STARTED"
        and isinstance(started, float | int)
        and started < time.time() - _BEGINS_WITHIN
    )


def _content(answer: HTTPResponse, until: float) -> bytes:
    """Read an answer, but not for ever, and not without end."""
    content = bytearray()
    while piece := answer.read1(_PIECE):
        content += piece
        if len(content) > _MOST_BYTES:
            raise HTTPException
        if time.monotonic() > until:
            raise TimeoutError
    if answer.length:
        raise HTTPException
    return bytes(content)


def _read(content: bytes, wanted: str) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    data = answer.get("data") if isinstance(answer, dict) else None
    found = data.get(wanted) if isinstance(data, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("__typename"), str):
        raise _strange() from None
    return found


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _refused(kind: str) -> ExecutorUnavailable:
    return ExecutorUnavailable(
        f"Dagster refuses: {kind if kind in _REFUSALS else 'an error of another kind'}",
        reason="refused",
        hint="is the code location loaded, and does dagster_location name it?",
    )


def _strange() -> ExecutorUnavailable:
    return ExecutorUnavailable(
        "what answers isn't Dagster's webserver, or of another version",
        reason="answer",
        hint="check its address",
    )
