"""The service under load, beside a bare FastAPI echo of the same body in the same run.

``python -m benchmarks.service [SECONDS] [ROUNDS]`` starts a PostgreSQL that syncs every commit, the
service with one worker and everything on (API key, rights, limits, audit), and an echo that reads
the body and sends it back. wrk asks both in turns over the loopback, with 32 connections for single
values; the best round of each counts, since what else the machine does only takes away. wrk is a
package of the system (Debian: ``apt-get install wrk``).
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 5
_ROUNDS = 3
_CONNECTIONS = 32
_LIST = 1_000
_ROWS = 250_000
_ARROW = "application/vnd.apache.arrow.stream"
_POLICY = "columns:\n  card: {scheme: credit-card, key: payments, keep: {last: 4}}\n"
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Load:
    """What wrk found: requests a second, the median and the 99th percentile in seconds.

    And the seconds of processor time that the server took for a request: unlike the others it says
    little of what else the machine did.
    """

    requests: float
    median: float
    p99: float
    failed: int
    cpu: float


@dataclass(frozen=True)
class Case:
    """What is asked: the body, how many values it has, and with how many connections."""

    title: str
    body: bytes
    kind: str
    path: str
    values: int
    connections: int


def _cards(count: int) -> list[str]:
    """Make up numbers of sixteen digits with a right check digit."""
    import numpy as np

    digits = np.random.default_rng(11).integers(0, 10, (count, 15))
    doubled = digits[:, ::2] * 2
    total = (doubled - 9 * (doubled > 9)).sum(axis=1) + digits[:, 1::2].sum(axis=1)
    whole = np.column_stack([digits, -total % 10])
    return ["".join(map(str, row)) for row in whole]


def cases() -> list[Case]:
    """Make the bodies."""
    import pyarrow as pa

    cards = _cards(_ROWS)
    named = {"policy": "orders", "column": "card"}
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"value": cards})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    query = "/v1/tokenize?policy=orders&column=card"
    single = json.dumps({**named, "value": cards[0]}).encode()
    many = json.dumps({**named, "values": cards[:_LIST]}).encode()
    asked = "application/json"
    return [
        Case("one value", single, asked, "/v1/tokenize", 1, _CONNECTIONS),
        Case(f"list of {_LIST:,}", many, asked, "/v1/tokenize", _LIST, 8),
        Case(f"Arrow, {_ROWS:,} rows", sink.getvalue().to_pybytes(), _ARROW, query, _ROWS, 2),
    ]


@dataclass(frozen=True)
class Server:
    """A server's port and its process."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time so far, where the system tells."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return math.nan
        fields = stat.read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(server: Server, case: Case, key: str, seconds: int, *, echo: bool = False) -> Load:
    """Let wrk ask for some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(case.body)
        script = Path(folder) / "ask.lua"
        script.write_text(
            'wrk.method = "POST"\n'
            f'wrk.body = io.open("{body}", "rb"):read("*a")\n'
            f'wrk.headers["Content-Type"] = "{case.kind}"\n'
            f'wrk.headers["Authorization"] = "Bearer {key}"\n'
        )
        url = f"http://127.0.0.1:{server.port}{'/echo' if echo else case.path}"
        command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--latency"]
        command += ["--timeout", "30s", "-s", str(script), url]
        before = server.cpu()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        spent = server.cpu() - before
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    sockets = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said
    )
    broken = sum(map(int, sockets.groups())) if sockets else 0
    return Load(
        requests=float(_found(r"Requests/sec:\s+([\d.]+)", said)[0]),
        median=_duration(said, "50"),
        p99=_duration(said, "99"),
        failed=broken + (int(failed[1]) if failed else 0),
        cpu=spent / max(1, int(_found(r"(\d+) requests in", said)[0])),
    )


def _found(pattern: str, said: str) -> tuple[str, ...]:
    match = re.search(pattern, said)
    assert match is not None, said
    return match.groups()


def _duration(said: str, percent: str) -> float:
    number, unit = _found(rf"{percent}%\s+([\d.]+)(us|ms|s|m)", said)
    return float(number) * _UNITS[unit]


@contextmanager
def running(what: str, *arguments: str) -> Iterator[Server]:
    """Run the service or the echo in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.service", what, str(port), *arguments]
    # The service's logs are written, and nobody reads them.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=1):
                    break
            except OSError:
                assert process.poll() is None, f"{what} didn't start"
                time.sleep(0.1)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(60)


def echo(port: int) -> None:
    """Serve the echo."""
    import uvicorn
    from fastapi import FastAPI, Request, Response

    app = FastAPI()

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/echo")
    async def answer(request: Request) -> Response:
        return Response(await request.body(), media_type=request.headers["content-type"])

    # FastAPI reads annotations by name, which here are local ones.
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


def service(port: int, url: str, folder: str, secret: str) -> None:
    """Serve tokens."""
    from tokenkit.keys import Keyring
    from tokenkit.service.app import create_app
    from tokenkit.service.logs import logging_as
    from tokenkit.service.serving import DrainingServer, configuration
    from tokenkit.service.settings import ServiceSettings

    settings = ServiceSettings(
        port=port,
        database_url=url,
        policies=Path(folder),
        notice_seconds=0.1,
        # They count, and refuse nobody here.
        api_key_limit="100000000/minute",
        address_limit="100000000/minute",
    )
    with keyring(secret) as ring, logging_as(settings) as logs:
        assert isinstance(ring, Keyring)
        DrainingServer(configuration(create_app(settings, ring, logs), settings)).run()


def keyring(secret: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - imported late
    """Open the keyring of both processes."""
    from tokenkit.keys import Keyring

    content = bytes.fromhex(secret)
    return Keyring.from_secrets({"payments": content, "audit": content[::-1]})


def prepare(url: str, secret: str) -> str:
    """Make the tables, and a caller; gives its API key."""
    from tokenkit.access.auditing import ChainedAuditor
    from tokenkit.access.grants import Grant
    from tokenkit.access.tables.api_keys import issue_api_key
    from tokenkit.access.tables.changes import Work
    from tokenkit.access.tables.grants import add_grant
    from tokenkit.access.tables.roles import assign_role, create_role
    from tokenkit.access.tables.users import create_user, find_user
    from tokenkit.store.audit import AuditLog, audit_key
    from tokenkit.store.database import Database
    from tokenkit.store.upgrading import upgrade

    with keyring(secret) as ring, Database.open(url, check=False) as database:
        upgrade(database)
        auditor = ChainedAuditor(AuditLog(database), audit_key(ring))
        with database.begin() as connection:
            work = Work(connection=connection, actor="bench", auditor=auditor)
            role = create_role(work, "app")
            add_grant(work, role, Grant.build("allow", "tokenize", "policy:orders"))
            create_user(work, "app", kind="service")
            user = find_user(connection, "app")
            assign_role(work, role, user)
            return issue_api_key(work, user, "app", ["tokenize"])[1].text


def results(
    seconds: int = _SECONDS, rounds: int = _ROUNDS
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Measure, as a table: headings, and a line for each case."""
    from tokenkit.testing.postgresql import PostgresServer

    if shutil.which("wrk") is None:
        sys.exit("wrk is missing, which asks the service: install it (Debian: apt-get install wrk)")
    headings = (
        *("", "requests/s", "values/s", "p50 ms", "p99 ms", "CPU us"),
        *("echo requests/s", "echo p99 ms", "echo CPU us", "x echo", "x echo p99"),
    )
    lines: list[tuple[str, ...]] = []
    secret = secrets.token_hex(32)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["XDG_DATA_HOME"] = str(folder / "data")
        (folder / "policies").mkdir()
        (folder / "policies" / "orders.yaml").write_text(_POLICY)
        url = stack.enter_context(PostgresServer(durable=True)).url()
        key = prepare(url, secret)
        echoing = stack.enter_context(running("echo"))
        serving = stack.enter_context(running("service", url, str(folder / "policies"), secret))
        for case in cases():
            found: list[tuple[Load, Load]] = []
            for _ in range(rounds):
                ours = load(serving, case, key, seconds)
                assert not ours.failed, f"{ours.failed} requests failed"
                found.append((ours, load(echoing, case, key, seconds, echo=True)))
            ours = max((one for one, _ in found), key=lambda one: one.requests)
            bare = max((other for _, other in found), key=lambda one: one.requests)
            p99, bare_p99 = (min(pair[side].p99 for pair in found) for side in (0, 1))
            lines.append(
                (
                    case.title,
                    f"{ours.requests:,.0f}",
                    f"{ours.requests * case.values:,.0f}",
                    f"{ours.median * 1e3:.2f}",
                    f"{p99 * 1e3:.2f}",
                    f"{ours.cpu * 1e6:,.0f}",
                    f"{bare.requests:,.0f}",
                    f"{bare_p99 * 1e3:.2f}",
                    f"{bare.cpu * 1e6:,.0f}",
                    f"{ours.requests / bare.requests:.2f}",
                    f"{p99 / bare_p99:.2f}",
                )
            )
    return headings, lines


def main() -> None:
    """Measure and print, or serve in a process of its own."""
    if sys.argv[1:2] == ["echo"]:
        echo(int(sys.argv[2]))
    elif sys.argv[1:2] == ["service"]:
        service(int(sys.argv[2]), *sys.argv[3:6])
    else:
        headings, lines = results(*map(int, sys.argv[1:3]))
        for line in lines:
            named = zip(headings[1:], line[1:], strict=True)
            print(line[0], *(f"{value} {heading}" for heading, value in named), sep=", ")


if __name__ == "__main__":
    main()
