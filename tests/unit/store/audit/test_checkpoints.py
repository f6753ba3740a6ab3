"""Checkpoints: when they are made, and what is said of files that were altered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from tests.unit.store.audit.conftest import record
from tokenkit.errors import AuditBroken, StoreError
from tokenkit.keys import Keyring
from tokenkit.store.audit import AuditLog, Checkpoint, CheckpointFile, verify, verifying_keys
from tokenkit.store.audit.checkpoints import Signed
from tokenkit.store.audit.places import checkpoints_path
from tokenkit.store.audit.signing import SigningKey, VerifyingKeys, public_path
from tokenkit.store.database import Database


def append(database, log, key, *records):
    with database.begin() as connection:
        log.append(connection, records, key)


def make_old(path):
    """Let the last checkpoint be two minutes old."""
    then = time.time() - 120
    os.utime(path, (then, then))


def numbers(checkpoints):
    return [signed.statement.batch for signed in checkpoints.read()]


def test_an_append_makes_one_of_what_was_there_once_a_minute(database, log, key, checkpoints):
    """Of what others committed, never of its own, which may still be rolled back."""
    append(database, log, key, record(1))
    assert numbers(checkpoints) == []
    append(database, log, key, record(2))
    append(database, log, key, record(3))
    assert numbers(checkpoints) == [1]
    make_old(checkpoints.path)
    with database.begin() as connection:
        log.append(connection, [record(4)], key)
        make_old(checkpoints.path)
        log.append(connection, [record(5)], key)
    assert numbers(checkpoints) == [1, 3]
    for _ in range(2):
        log.checkpoint()
    assert numbers(checkpoints) == [1, 3, 5]
    last = checkpoints.read()[-1].statement
    assert (last.records, last.check_value) == (5, key.check_value.hex())


def test_an_empty_log_has_no_checkpoint(database, log, checkpoints, verified):
    """There is nothing to say, and nothing is wrong."""
    assert log.checkpoint() is None
    assert not checkpoints.path.exists()
    assert verified().holds


def test_a_log_that_was_emptied_is_missed(database, log, key, verified, checkpoints):
    """All of it, head included, as if nothing had ever been written."""
    append(database, log, key, record(1))
    log.checkpoint()
    with database.begin() as connection:
        if database.is_postgresql:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            for table in ("records", "batches"):
                connection.exec_driver_sql(f"DROP TRIGGER audit_{table}_no_delete")
        for table in ("records", "batches"):
            connection.exec_driver_sql(f"DELETE FROM audit_{table}")
        connection.exec_driver_sql("UPDATE audit_head SET number = 0")
        log_of = "'\\x" + "00" * 32 + "'" if database.is_postgresql else "x'" + "00" * 32 + "'"
        connection.exec_driver_sql(f"UPDATE audit_head SET link = {log_of}")
    fault = verified().fault
    assert (fault.what, fault.batch) == ("truncated", 1)
    # Begun anew, it is another log, and not the one that was signed.
    append(database, AuditLog(database, checkpoints), key, record(1))
    fault = verified().fault
    assert (fault.what, fault.batch) == ("not as signed", 1)


def test_lines_that_were_altered_are_told(database, log, key, checkpoints, verified):
    """Whatever is changed in the last line or a former one, or spelt otherwise."""
    for number in range(3):
        append(database, log, key, record(number))
        log.checkpoint()
    whole = checkpoints.path.read_bytes()
    lines = whole.splitlines()
    for index in (0, 2):
        content = json.loads(lines[index])
        changes = {
            "batch": content["batch"] + 10,
            "link": "00" * 32,
            "records": content["records"] + 1,
            "at": "2020-01-01T00:00:00.000000Z",
            "signature": content["signature"][:-4] + "AAA=",
        }
        for name, value in changes.items():
            if index == 0 and name in {"at", "signature"}:
                # What a former statement says is in the chain; its own signature isn't needed.
                continue
            altered = json.dumps(
                {**content, name: value}, sort_keys=True, separators=(",", ":")
            ).encode()
            checkpoints.path.write_bytes(
                b"\n".join([*lines[:index], altered, *lines[index + 1 :], b""])
            )
            with pytest.raises(AuditBroken, match=f"line {index + 1}"):
                verified()
    for line in (b"{}", b"", b"[1]", lines[0] + b" ", lines[0].replace(b'":', b'": ', 1), b"\xff"):
        checkpoints.path.write_bytes(line + b"\n" + whole)
        with pytest.raises(AuditBroken, match="line 1"):
            verified()
    checkpoints.path.write_bytes(whole)
    assert verified().holds


def test_a_line_that_a_crash_cut_off_is_not_there(database, log, key, checkpoints, verified):
    """Nobody was told that it was; the next one takes its place."""
    append(database, log, key, record(1))
    log.checkpoint()
    whole = checkpoints.path.read_bytes()
    for cut in (1, 40, len(whole) - 1):
        checkpoints.path.write_bytes(whole + whole[:cut])
        assert numbers(checkpoints) == [1]
        assert verified().holds
    append(database, log, key, record(2))
    log.checkpoint()
    assert numbers(checkpoints) == [1, 2]
    assert checkpoints.path.read_bytes().startswith(whole)


def test_statements_of_another_signer_count_for_nothing(database, log, key, verified, tmp_path):
    """Who has the database and the file, and no signing key, signs nothing."""
    append(database, log, key, record(1))
    state = log.checkpoint()
    forger = SigningKey.at(tmp_path / "forger.pem")
    CheckpointFile(tmp_path / "checkpoints.jsonl", forger).append(state)
    assert verified().holds
    forged = Checkpoint(
        log=state.log,
        batch=9,
        link="00" * 32,
        records=9,
        at=datetime.now(UTC),
        check_value=state.check_value,
    )
    CheckpointFile(tmp_path / "checkpoints.jsonl", forger).append(forged)
    with pytest.raises(AuditBroken, match="isn't signed by this key"):
        verified()


def test_the_public_key_is_found_or_asked_for(database, log, ring, key, tmp_path, monkeypatch):
    """Named, in the environment, or beside the signing key; without one nothing is believed."""
    append(database, log, key, record(1))
    log.checkpoint()
    keys, path = verifying_keys(ring), tmp_path / "checkpoints.jsonl"
    assert verify(database, keys, checkpoints=path).holds
    beside = public_path(tmp_path / "signing" / "key.pem")
    moved = beside.rename(tmp_path / "moved.pem")
    # The private key's own half does as well.
    assert verify(database, keys, checkpoints=path).holds
    monkeypatch.setenv("TOKENKIT_AUDIT_SIGNING_KEY", str(tmp_path / "none.pem"))
    with pytest.raises(StoreError, match="no public key"):
        verify(database, keys, checkpoints=path)
    assert verify(database, keys, checkpoints=path, public_key=moved).holds
    monkeypatch.setenv("TOKENKIT_AUDIT_PUBLIC_KEY", str(moved))
    assert verify(database, keys, checkpoints=path).holds
    other = public_path(tmp_path / "other.pem")
    SigningKey.at(tmp_path / "other.pem")
    with pytest.raises(AuditBroken):
        verify(database, keys, checkpoints=path, public_key=other)
    both = tmp_path / "both.pem"
    both.write_bytes(other.read_bytes() + moved.read_bytes())
    assert verify(database, keys, checkpoints=path, public_key=both).holds
    with pytest.raises(StoreError, match="there are no checkpoints"):
        verify(database, keys, checkpoints=tmp_path / "none.jsonl")


def test_signing_keys_are_private(tmp_path):
    """Made for the owner alone; refused where others have access, or if they are something else."""
    path = tmp_path / "audit" / "key.pem"
    made = SigningKey.at(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert VerifyingKeys.at(public_path(path)).verify(made.sign(b"x"), b"x")
    assert SigningKey.at(path).public.verify(made.sign(b"x"), b"x")
    path.chmod(0o644)
    with pytest.raises(StoreError, match="others have access"):
        SigningKey.at(path)
    path.write_bytes(public_path(path).read_bytes())
    path.chmod(0o600)
    for problem in (path, public_path(tmp_path / "none.pem")):
        with pytest.raises(StoreError) as caught:
            SigningKey.at(problem, make=False)
        assert caught.value.__context__ is None
    with pytest.raises(StoreError):
        VerifyingKeys.at(tmp_path / "none.pem")


def test_what_cannot_be_stated_is_not_appended(database, key, tmp_path, signing):
    """A checkpoint that is due and can't be written ends the transaction."""
    folder = tmp_path / "file"
    folder.write_bytes(b"")
    log = AuditLog(database, CheckpointFile(folder / "checkpoints.jsonl", signing))
    append(database, log, key, record(1))
    with pytest.raises(StoreError) as caught:
        append(database, log, key, record(2))
    assert caught.value.__context__ is None
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT number FROM audit_head").scalar_one() == 1


def test_each_database_has_checkpoints_of_its_own(tmp_path, monkeypatch):
    """Named by where it is, not by how one logs in; one in memory has none."""
    monkeypatch.delenv("TOKENKIT_AUDIT_CHECKPOINTS", raising=False)
    paths = set()
    for name in ("a", "b"):
        with Database.open(f"sqlite:///{tmp_path / name}.db") as database:
            paths.add(checkpoints_path(database))
    with Database.open("sqlite://") as database:
        assert checkpoints_path(database) is None
        with Keyring.from_secrets({"audit": bytes(32)}) as ring:
            log = AuditLog(database)
            for number in range(2):
                append(database, log, ring["audit"].primary, record(number))
            assert log.checkpoint() is None
            assert verify(database, verifying_keys(ring)).unprotected_records == 2
    assert len(paths) == 2
    monkeypatch.setenv("TOKENKIT_AUDIT_CHECKPOINTS", "/elsewhere/checkpoints")
    with Database.open(f"sqlite:///{tmp_path / 'a.db'}") as database:
        assert str(checkpoints_path(database)) == "/elsewhere/checkpoints"


_PROCESS = """
import sys
from datetime import UTC, datetime
from tokenkit.keys import Keyring
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit import AuditLog
from tokenkit.store.database import Database

ring = Keyring.from_secrets({"audit": bytes(range(32))})
database = Database.open(sys.argv[1])
log = AuditLog(database)
record = AuditRecord(at=datetime.now(UTC), actor="ada", action="test", outcome="complete")
with database.begin() as connection:
    log.append(connection, [record], ring["audit"].primary)
if sys.argv[2] == "fails":
    raise SystemExit("failed on purpose")
"""


@pytest.mark.slow
def test_the_end_of_a_process_makes_one(database, database_url, checkpoints, verified):
    """However it ends, unless it's killed."""
    environment = os.environ | {"TOKENKIT_AUDIT_CHECKPOINTS": str(checkpoints.path)}
    for count, how in enumerate(("ends", "fails"), 1):
        done = subprocess.run(
            [sys.executable, "-c", _PROCESS, database_url, how],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (how == "fails"), done.stderr
        assert numbers(checkpoints)[-1] == count
    found = verified()
    assert (found.holds, found.records, found.unprotected_records) == (True, 2, 0)


def test_signatures_cover_every_field(checkpoints):
    """None of them can be changed, the kind of statement among them."""
    start = datetime(2027, 1, 31, tzinfo=UTC)
    checkpoints.append(
        Checkpoint(log="00", batch=1, link="00", records=1, at=start, check_value="00")
    )
    (signed,) = checkpoints.read()
    assert checkpoints.public is not None
    signed.require(checkpoints.public, checkpoints.path)
    line = json.loads(checkpoints.path.read_bytes())
    assert set(line) == {
        *("at", "batch", "check_value", "format", "format_version"),
        *("link", "log", "records", "signature"),
    }
    for name, value in (("log", "01"), ("batch", 2), ("link", "01"), ("records", 2)):
        fields = {
            "log": "00",
            "batch": 1,
            "link": "00",
            "records": 1,
            "at": start,
            "check_value": "00",
        }
        other = Signed(1, Checkpoint(**(fields | {name: value})), signed.signature)  # type: ignore[arg-type]
        with pytest.raises(AuditBroken):
            other.require(checkpoints.public, checkpoints.path)
