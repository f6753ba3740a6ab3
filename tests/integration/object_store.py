"""moto's S3 as a server on the loopback device, and a proxy before it that disturbs requests."""

import contextlib
import http.client
import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import polars as pl
import pytest

from tokenkit.jobs.objects import ObjectPlace

BUCKET = "lake"
SECRET = "made-up-secret-of-the-store"
OPTIONS = {
    "aws_access_key_id": "made-up-id",
    "aws_secret_access_key": SECRET,
    "aws_region": "us-east-1",
    "allow_http": "true",
    "max_retries": "1",
}
Disturbance: TypeAlias = int | Literal["drop", "stop before", "stop after"] | None
"""An answer, none, or a request that is held for good: before it is passed on, or behind that."""


class ObjectStore:
    """A bucket of moto's server, seen with another client than ours."""

    def __init__(self, endpoint):
        import boto3

        self.endpoint = endpoint
        self.options = {**OPTIONS, "aws_endpoint_url": endpoint}
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="made-up-id",
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=BUCKET)

    def place(self, key, **options):
        """Give the place of an object."""
        return ObjectPlace(f"s3://{BUCKET}/{key}", {**self.options, **options})

    def put(self, key, content):
        """Write an object."""
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def get(self, key):
        """Read an object."""
        return self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self, prefix=""):
        """List the objects."""
        found = self._client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return sorted(each["Key"] for each in found)

    def uploads(self):
        """List the uploads that aren't complete."""
        found = self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [each["Key"] for each in found]

    def clear(self):
        """Remove everything."""
        self.clear_but()

    def clear_but(self, *kept):
        """Remove everything but some objects."""
        for key in set(self.keys()) - set(kept):
            self._client.delete_object(Bucket=BUCKET, Key=key)
        for each in self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self._client.abort_multipart_upload(
                Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"]
            )


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a server, but for those that a test disturbs."""

    daemon_threads = True

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = urlsplit(server).netloc
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.disturb: Callable[[str, str], Disturbance] = lambda _method, _path: None
        self.stopped = threading.Event()
        self.ended = threading.Event()
        self.seen: list[tuple[str, str]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that were killed; those that weren't see their request fail."""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path))
        what = self.server.disturb(self.command, self.path)
        if what == "stop before":
            self.stop()
        elif isinstance(what, int):
            self.reply(what, {}, b"<Error><Code>MadeUp</Code></Error>")
        else:
            given = passed_on(self.server.host, self, body)
            if what == "stop after":
                self.stop()
            elif what == "drop":
                self.close_connection = True
            else:
                self.reply(*given)

    def stop(self) -> None:
        self.server.stopped.set()
        self.server.ended.wait()
        self.close_connection = True

    def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        headers = {name.lower(): value for name, value in headers.items()}
        headers.setdefault("content-length", str(len(content)))
        for name in headers.keys() - {"connection", "date", "server", "transfer-encoding"}:
            self.send_header(name, headers[name])
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def proxied(server: str) -> Iterator[Proxy]:
    """Serve a proxy."""
    service = Proxy(server)
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        service.ended.set()
        service.shutdown()
        service.server_close()
        thread.join()


def passed_on(host: str, handler: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Ask the server itself."""
    connection = http.client.HTTPConnection(host)
    try:
        connection.request(handler.command, handler.path, body, dict(handler.headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def parquet(frame: pl.DataFrame) -> bytes:
    """Write a frame as Parquet."""
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Give the address of moto's server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_bucket(s3_server):
    """Give a bucket."""
    return ObjectStore(s3_server)


@pytest.fixture
def s3(s3_bucket, monkeypatch):
    """Give an empty bucket, and no credentials of this machine's."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    s3_bucket.clear()
    return s3_bucket


@pytest.fixture
def proxy(s3):
    """Give a proxy before the server."""
    with proxied(s3.endpoint) as served:
        yield served
