"""A small HTTP server that answers as Dagster's webserver does, or as it never should."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeWebserver:
    """Keeps runs by their tags; ``answer`` takes the place of what it would say."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.loses_launches = False
        self.port = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def said(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if "runsOrError" in query:
                wanted = {tag["key"]: tag["value"] for tag in variables["filter"]["tags"]}
                found = [run for run in self.runs if wanted.items() <= run["tags"].items()]
                known = ("runId", "status", "startTime")
                results = [{name: run.get(name) for name in known} for run in found]
                return {"runsOrError": {"__typename": "Runs", "results": results[::-1]}}
            params = variables["params"]
            run = {
                "runId": f"run-{len(self.runs)}",
                "status": "QUEUED",
                "config": params["runConfigData"],
                "selector": params["selector"],
                "tags": {tag["key"]: tag["value"] for tag in params["executionMetadata"]["tags"]},
            }
            self.runs.append(run)
            kind = {"__typename": "LaunchRunSuccess", "run": {"runId": run["runId"]}}
            return {"launchRun": kind}


@contextmanager
def fake_webserver() -> Iterator[FakeWebserver]:
    """Run it on a port of the system's choice."""
    fake = FakeWebserver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            fake.asked.append(body)
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            if fake.answer is not None:
                fake.answer(self)
                return
            data = fake.said(body["query"], body["variables"])
            if fake.loses_launches and "launchRun" in data:
                self.close_connection = True
                return
            send(self, json.dumps({"data": data}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, content: bytes, status: int = 200, **more: str) -> None:
    """Send an answer."""
    handler.send_response(status)
    for name, value in {"content-length": str(len(content)), **more}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte at a time, each in time."""
    handler.send_response(200)
    handler.send_header("content-length", "1000000")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.1)
    except OSError:
        return
