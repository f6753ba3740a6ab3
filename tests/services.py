"""A running service for tests: a real server on a socket of its own, and those who may use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn

from tokenkit.access.auditing import ChainedAuditor
from tokenkit.access.grants import Grant
from tokenkit.access.tables.api_keys import issue_api_key, revoke_api_key
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.grants import add_grant
from tokenkit.access.tables.roles import assign_role, create_role
from tokenkit.access.tables.users import create_user, find_user
from tokenkit.keys import Keyring
from tokenkit.service.app import create_app
from tokenkit.service.logs import logging_as
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.state import ServiceState
from tokenkit.store.audit import AuditLog, audit_key, tail
from tokenkit.store.database import Database

POLICY = """\
columns:
  card: {scheme: credit-card, key: payments, keep: {last: 4}}
  ssn: {scheme: us-ssn, key: people}
  note: {scheme: text, key: people}
  number: {scheme: digits, key: people, width: 9}
  account: {scheme: alphanumeric, key: people, tweak: tenant}
  tenant: {action: keep}
unlisted: keep
"""
_SECRETS = {
    name: bytes(range(start, start + 32))
    for start, name in enumerate(("payments", "people", "audit", "access"))
}


def said(problem: httpx.Response) -> dict[str, Any]:
    """Give what a problem says, but for the id of its request."""
    found: dict[str, Any] = problem.json()
    assert found.pop("request_id") == problem.headers["x-request-id"]
    return found


def are_alike(problems: Iterable[httpx.Response]) -> bool:
    """Whether problems say the same, so that nobody learns anything by comparing them."""
    first, *others = [said(problem) for problem in problems]
    return all(other == first for other in others)


@dataclass
class Service:
    """A running service, and the ways in."""

    url: str
    state: ServiceState
    database: Database
    keyring: Keyring
    client: httpx.Client
    server: uvicorn.Server
    _roles: int = field(default=0)

    def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
        """Send JSON, as the owner of an API key."""
        sent = dict(headers) if key is None else {"authorization": f"Bearer {key}", **headers}
        return self.client.post(path, json=body, headers=sent)

    @contextmanager
    def work(self) -> Generator[Work, None, None]:
        """Begin a change of access, as an administrator."""
        auditor = ChainedAuditor(AuditLog(self.database), audit_key(self.keyring))
        with self.database.begin() as connection:
            yield Work(connection=connection, actor="root", auditor=auditor)

    def caller(
        self, *grants: tuple[str, ...] | Grant, scopes: Iterable[str] = ("*", "detokenize")
    ) -> str:
        """Make a user with one role of these grants, and give an API key of it."""
        return self.issued(*grants, scopes=scopes)[1]

    def issued(
        self, *grants: tuple[str, ...] | Grant, scopes: Iterable[str] = ("*", "detokenize")
    ) -> tuple[UUID, str]:
        """As :meth:`caller`, with the API key's id."""
        self._roles += 1
        name = f"caller{self._roles}"
        with self.work() as work:
            role = create_role(work, name)
            for grant in grants:
                add_grant(work, role, grant if isinstance(grant, Grant) else Grant.build(*grant))
            create_user(work, name, kind="service")
            user = find_user(work.connection, name)
            assign_role(work, role, user)
            key_id, bearer = issue_api_key(work, user, name, scopes)
        self.state.rights.refresh()
        return key_id, bearer.text

    def revoke(self, key_id: UUID) -> None:
        """Revoke an API key; workers learn of it by themselves."""
        with self.work() as work:
            revoke_api_key(work, key_id)

    def audited(self, action: str) -> list[dict[str, Any]]:
        """Give what the audit log has of an action, the oldest first."""
        return tail(self.database, 1000, action=action)

    def audited_all(self) -> list[dict[str, Any]]:
        """Give what the audit log has, the oldest first."""
        return tail(self.database, 10_000)


@contextmanager
def running(
    database_url: str,
    folder: Path,
    *,
    policy: str = POLICY,
    keyring: Keyring | None = None,
    **settings: Any,
) -> Generator[Service, None, None]:
    """Run the service in a thread, on a port of the system's choice.

    The keyring is in memory, unless another one is given.
    """
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "policies" / "orders.yaml").write_text(policy)
    chosen = ServiceSettings(
        database_url=database_url, policies=folder / "policies", port=0, **settings
    )
    with (
        keyring or Keyring.from_secrets(_SECRETS) as ring,
        Database.open(database_url) as database,
        ExitStack() as stack,
    ):
        logs = None
        if chosen.log_folder is not None:
            logs = stack.enter_context(logging_as(chosen))
        app = create_app(chosen, ring, logs)
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level="warning",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the service didn't start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=30) as client:
            yield Service(url, app.state.service, database, ring, client, server)
        server.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive(), "the service didn't end"


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Generator[Service, None, None]:
    """Run a service, on each back end."""
    with running(database_url, tmp_path) as found:
        yield found


@pytest.fixture
def quick_service(tmp_path: Path) -> Generator[Service, None, None]:
    """Run a service on SQLite, where the back end makes no difference."""
    with running(f"sqlite:///{tmp_path / 'store' / 'tokenkit.db'}", tmp_path) as found:
        yield found
