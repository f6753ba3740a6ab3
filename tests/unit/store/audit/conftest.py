"""Logs to test with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tokenkit.keys import Keyring
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit import AuditLog, CheckpointFile, verify, verifying_keys
from tokenkit.store.audit.signing import SigningKey, public_path

START = datetime(2026, 1, 30, 12, tzinfo=UTC)


@pytest.fixture
def ring():
    with Keyring.from_secrets({"audit": bytes(range(32)), "people": bytes(32)}) as opened:
        yield opened


@pytest.fixture
def key(ring):
    return ring["audit"].primary


@pytest.fixture
def signing(tmp_path, monkeypatch):
    """Where this test's checkpoints are signed."""
    monkeypatch.setenv("TOKENKIT_AUDIT_SIGNING_KEY", str(tmp_path / "signing" / "key.pem"))
    return SigningKey.at(tmp_path / "signing" / "key.pem")


@pytest.fixture
def checkpoints(tmp_path, signing):
    return CheckpointFile(tmp_path / "checkpoints.jsonl", signing)


@pytest.fixture
def log(database, checkpoints):
    return AuditLog(database, checkpoints)


@pytest.fixture
def verified(database, ring, checkpoints):
    """Verify the log, and say what was found."""

    def found():
        path = checkpoints.path if checkpoints.path.exists() else None
        beside = public_path(checkpoints.path.parent / "signing" / "key.pem")
        return verify(database, verifying_keys(ring), checkpoints=path, public_key=beside)

    return found


def record(number: int, **fields) -> AuditRecord:
    """A record like no other; a day lies between two."""
    given: dict[str, Any] = {
        "at": START + timedelta(days=number, microseconds=number),
        "actor": "ada@host",
        "action": "tokenize",
        "outcome": "complete",
        "object": f"file:///data/{number}.parquet",
        "run": f"run-{number // 3}",
        "key": "payments",
        "key_id": 4_000_000_000,
        "count": number,
        "reason": "TK301" if number % 2 else None,
        "token_hash": number.to_bytes(32) if number % 3 else None,
        "detail": '{"digest":"00"}' if number % 5 else "",
    }
    return AuditRecord(**(given | fields))
