"""Where events go: a file of JSON lines, or an HTTP endpoint."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from tokenkit.errors import JobError

FILE_VARIABLE: Final = "TOKENKIT_OPENLINEAGE_FILE"
URL_VARIABLE: Final = "TOKENKIT_OPENLINEAGE_URL"
API_KEY_VARIABLE: Final = "TOKENKIT_OPENLINEAGE_API_KEY"
_ENDPOINT: Final = "/api/v1/lineage"
_CONNECT, _READ = 2.0, 3.0


class NotDelivered(Exception):  # noqa: N818 - what happened, as the tree of errors says it
    """An event didn't get where it was to go; says why, in a few words."""


class Transport(Protocol):
    """Takes events."""

    def send(self, content: bytes) -> None:
        """Deliver one event, as JSON.

        Raises
        ------
        NotDelivered
            If it can't.
        """


@dataclass(frozen=True, slots=True)
class FileTransport:
    """Adds each event as a line to a file, which only its owner may read if it is new."""

    path: Path

    def send(self, content: bytes) -> None:
        """Add a line; in one write, so that processes can share the file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        try:
            descriptor = os.open(self.path, flags, 0o600)
            try:
                written = os.write(descriptor, content + b"\n")
            finally:
                os.close(descriptor)
        except OSError as exc:
            reason = os.strerror(exc.errno) if exc.errno else "the system refuses"
            raise NotDelivered(reason) from None
        if written != len(content) + 1:
            raise NotDelivered("no space is left on the disk")


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """Posts each event; once, since a run's events are told again by later runs of the job."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    def send(self, content: bytes) -> None:
        """Post."""
        # An extra, and slow to import: in the thread that sends.
        import urllib3  # noqa: PLC0415

        headers = {"Content-Type": "application/json"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        problem = None
        try:
            with urllib3.PoolManager() as pool:
                answer = pool.request(
                    "POST",
                    self.url,
                    body=content,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=_CONNECT, read=_READ),
                    retries=False,
                    redirect=False,
                )
            if not 200 <= answer.status < 300:
                problem = f"the server answered {answer.status}"
        except urllib3.exceptions.HTTPError as exc:
            # Its text may name the address, with what is secret in it.
            problem = type(exc).__name__
        if problem is not None:
            raise NotDelivered(problem)


def transports_of(environment: Mapping[str, str]) -> list[Transport]:
    """Give the transports that the environment names.

    Raises
    ------
    JobError
        If the address is none, or what HTTP needs isn't installed.

    Examples
    --------
    >>> transports_of({"TOKENKIT_OPENLINEAGE_URL": "https://lineage.example.org"})
    [HttpTransport(url='https://lineage.example.org/api/v1/lineage')]
    """
    found: list[Transport] = []
    if path := environment.get(FILE_VARIABLE):
        found.append(FileTransport(Path(path)))
    if url := environment.get(URL_VARIABLE):
        found.append(HttpTransport(_address(url), environment.get(API_KEY_VARIABLE) or None))
    return found


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise JobError(
            f"{URL_VARIABLE} is no address of HTTP",
            hint=f"{URL_VARIABLE}=https://HOST, or with the whole path: https://HOST{_ENDPOINT}",
        )
    _require_urllib3()
    return url if parts.path.strip("/") else parts._replace(path=_ENDPOINT).geturl()


def _require_urllib3() -> None:
    from importlib.util import find_spec  # noqa: PLC0415 - needed here alone

    if find_spec("urllib3") is None:
        raise JobError(
            "sending OpenLineage events over HTTP needs urllib3",
            hint="pip install 'tokenkit-vaultless[openlineage]'",
        )
