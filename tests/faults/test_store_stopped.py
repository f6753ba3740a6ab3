"""PostgreSQL stopped in the middle of a job: nothing gets its name, and it can be run again."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.shapes import MORE_SHAPES, SHAPES, finals, temporary
from tests.integration.stored import Stored
from tokenkit.errors import StoreUnavailable
from tokenkit.jobs import execution, run
from tokenkit.jobs.passes import Pass
from tokenkit.jobs.rekeying import RekeyRequest, rekey_files
from tokenkit.jobs.rekeying import execution as rekeying
from tokenkit.jobs.rekeying.passes import write_new
from tokenkit.jobs.targets import FileTarget
from tokenkit.lineage import Unrecorded, use_recorder
from tokenkit.lineage.canonical import digest
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.database import Database
from tokenkit.store.recording import StoreRecorder
from tokenkit.store.upgrading import upgrade
from tokenkit.testing.postgresql import PostgresServer

ROOT = Path(__file__).parents[2]
ROWS = 2_000


@pytest.fixture(scope="module")
def server():
    """Start a server that may be stopped; its database has the store's tables."""
    with PostgresServer() as started:
        with Database.open(started.url(), check=False) as database:
            upgrade(database)
        yield started


@pytest.fixture
def stored(server):
    """Record in it, and give what it holds; it runs again afterwards."""
    with Database.open(server.url()) as database:
        with use_recorder(StoreRecorder(database, AuditLog(database), audit_key)):
            yield Stored(database)
        with contextlib.suppress(StoreUnavailable), database.read():
            return
        server.start()


def stopping(server, method):
    """Stop the server just before a method does its work."""

    def stopped(*given, **named):
        server.stop()
        return method(*given, **named)

    return stopped


@pytest.mark.parametrize("shape", MORE_SHAPES, ids=lambda shape: shape.name)
def test_stopped_before_the_outputs_get_their_names(
    shape, folder, ring, server, stored, monkeypatch
):
    """Whatever is written: nothing appears or goes, and the same job completes later."""
    with use_recorder(Unrecorded()):
        shape.prepare(folder, ring, ROWS)
    old = finals(folder, shape, ring)
    with monkeypatch.context() as patch:
        patch.setattr(execution._Passes, "flush", stopping(server, execution._Passes.flush))
        with pytest.raises(StoreUnavailable):
            run(shape.job(folder, ring))
    assert finals(folder, shape, ring) == old
    assert temporary(folder) == []
    server.start()
    before = len(stored.runs)
    report = run(shape.job(folder, ring))
    assert report.status == "done"
    record = stored.runs[-1]
    assert len(stored.runs) == before + 1
    assert (record.status, record.job_run) == ("complete", report.run)
    assert stored.digests(record) == {digest(record)}


def test_stopped_while_rows_are_read(folder, ring, server, stored, monkeypatch):
    """The pass itself needs no store; what comes after it does."""
    shape = SHAPES[0]
    shape.prepare(folder, ring, ROWS)
    with monkeypatch.context() as patch:
        patch.setattr(Pass, "execute", stopping(server, Pass.execute))
        with pytest.raises(StoreUnavailable) as caught:
            run(shape.job(folder, ring))
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "can't be reached" in str(caught.value)
    assert not (folder / shape.target).exists()
    assert temporary(folder) == []


def test_stopped_before_the_job(folder, ring, server, stored, monkeypatch):
    """Without a store no row is read at all."""
    shape = SHAPES[0]
    shape.prepare(folder, ring, ROWS)
    server.stop()

    def never(*_given):
        raise AssertionError("rows were read")

    monkeypatch.setattr(Pass, "execute", never)
    with pytest.raises(StoreUnavailable):
        run(shape.job(folder, ring))
    assert not (folder / shape.target).exists()


def test_stopped_after_the_output_has_its_name(folder, ring, server, stored, monkeypatch):
    """The error says that the output is there; the same command is skipped and completes it."""
    shape = SHAPES[0]
    shape.prepare(folder, ring, ROWS)
    with monkeypatch.context() as patch:
        publish = FileTarget.publish

        def stopped(target):
            publish(target)
            server.stop()

        patch.setattr(FileTarget, "publish", stopped)
        with pytest.raises(StoreUnavailable) as caught:
            run(shape.job(folder, ring))
    assert "the outputs are complete and in their places" in str(caught.value)
    assert (folder / shape.target).exists()
    server.start()
    assert stored.runs[-1].status == "publishing"
    assert run(shape.job(folder, ring)).status == "skipped"
    assert stored.runs[-1].status == "complete"


def test_stopped_in_a_rekey(folder, ring, server, stored, monkeypatch):
    """The file stays as it was, and the same rekey completes later."""
    shape = SHAPES[2]
    shape.prepare(folder, ring, ROWS)
    run(shape.job(folder, ring))
    tokens = folder / shape.target
    before = tokens.read_bytes()
    ring.rotate("people")
    request = RekeyRequest(source=tokens, target=None, keyring=ring)
    with monkeypatch.context() as patch:
        patch.setattr(rekeying, "write_new", stopping(server, write_new))
        with pytest.raises(StoreUnavailable):
            rekey_files(request)
    assert tokens.read_bytes() == before
    assert temporary(folder) == []
    server.start()
    assert rekey_files(request).files[0].status == "done"
    assert stored.runs[-1].status == "complete"


def test_the_command(folder, ring, server):
    """A process of its own, the server killed: exit code 1 and a hint; later exit code 0."""
    shape = SHAPES[0]
    shape.prepare(folder, ring, 1_000_000)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TOKENKIT_DATABASE_URL": server.url(),
    }
    command = [sys.executable, "-m", "tokenkit.cli.app", *shape.command()]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not temporary(folder):
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    server.stop(signal.SIGQUIT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"error: " in errors
    assert b"hint: " in errors
    assert b"Traceback" not in errors
    assert not (folder / shape.target).exists()
    assert temporary(folder) == []
    server.start()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    with Database.open(server.url()) as database:
        assert Stored(database).runs[-1].status == "complete"
