"""Batches in worker processes: each done once, whoever is killed, and as by the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

import tokenkit as tk
from tokenkit.batches.batch import NewBatch
from tokenkit.batches.executors.pool import WorkerPool
from tokenkit.batches.opening import open_workshop
from tokenkit.batches.storage import new_batch_key, open_batch_key, seal_batch_key
from tokenkit.jobs import Job, run
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.policy import load_policy
from tokenkit.store.audit import tail, verify, verifying_keys
from tokenkit.store.models.access import UserRow
from tokenkit.store.models.batches import BatchRow

ROOT = Path(__file__).parents[2]
POLICY = """\
columns:
  ssn: {scheme: us-ssn, key: people, on_invalid: reject}
  note: {scheme: text, key: people}
unlisted: keep
"""
LARGE = 7_500_000
"""Rows that take some seconds."""
ROWS = "078-05-1120,a note,1\nnonsense,b,2\n,c,3\n"


@pytest.fixture
def folder(database_url, tmp_path, monkeypatch):
    """A folder with a keyring and a policy, and the environment that names them."""
    monkeypatch.setenv("B_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:B_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", database_url)
    provider = PassphraseProvider("env:B_PASSPHRASE", cost=2)
    create_keyring(tmp_path / "keyring.json", ["people", "access", "audit"], provider).close()
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "orders.yaml").write_text(POLICY)
    return tmp_path


@pytest.fixture
def opened(folder):
    return partial(open_workshop, None, str(folder / "batches"), folder / "policies")


@pytest.fixture
def workshop(opened):
    with opened() as workshop:
        yield workshop


@pytest.fixture
def owner(workshop):
    made = uuid4()
    with workshop.database.begin() as connection:
        row = {"kind": "service", "created": datetime.now(UTC), "created_by": "root"}
        connection.execute(insert(UserRow).values(id=made, name="ann", **row))
    return made


def upload(workshop, owner, content, suffix=".csv"):
    """Upload a file, and put it into the queue."""
    batch, key = uuid4(), new_batch_key()
    new = NewBatch(
        id=batch,
        owner_id=owner,
        actor="user:ann",
        operation="tokenize",
        policy="orders",
        policy_digest=workshop.policy("orders").digest,
        purpose=None,
        input_suffix=suffix,
        output_suffix=suffix,
        text_options={},
        sealed_key=seal_batch_key(workshop.keyring, batch, key),
    )
    with workshop.database.begin() as connection:
        workshop.batches.create(connection, new)
    writer = workshop.storage.upload(batch, key)
    writer.write(content)
    writer.complete()
    with workshop.database.begin() as connection:
        workshop.batches.submit(connection, batch, writer.size)
    return batch


def ended(workshop, batch, seconds=150):
    """Wait until a batch is over."""
    until = time.monotonic() + seconds
    while (found := workshop.batches.find(batch)).is_open:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def begun(workshop, batch):
    """Wait until a batch is being worked on."""
    until = time.monotonic() + 60
    while (found := workshop.batches.find(batch)).state != "running":
        assert found.is_open
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.3)


def result(workshop, batch):
    key = open_batch_key(workshop.keyring, batch.id, batch.sealed_key)
    with workshop.storage.reader(batch.id, batch.attempt, "result", key) as reader:
        return reader.read()


def plainly(folder, workshop, content):
    """Do the same as a job on plain files."""
    (folder / "plain.csv").write_bytes(content)
    job = Job(
        operation="tokenize",
        source=folder / "plain.csv",
        target=folder / "plain.out.csv",
        policy=load_policy(folder / "policies" / "orders.yaml"),
        keyring=workshop.keyring,
        force=True,
    )
    report = run(job)
    return report, (folder / "plain.out.csv").read_bytes()


def many(rows):
    return ("ssn,note,age\n" + ROWS * (rows // 3)).encode()


def of_batch(workshop, batch):
    """Give what the audit log has of a batch."""
    return [
        (row["action"], row["outcome"])
        for row in tail(workshop.database, 1000)
        if row["object"] == f"batch:{batch}"
    ]


def alive(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process_id}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_batches_are_done_as_by_the_command_line(folder, opened, workshop, owner):
    """Twenty at once, small and large: none is lost, each result is that of a job on plain files,
    the uploads are gone, and the log has each once."""
    contents = {size: many(size) for size in (3, 3_000, 300_000)}
    expected = {size: plainly(folder, workshop, content) for size, content in contents.items()}
    sizes = [300_000, *[3, 3_000] * 9, 300_000]
    made = [(size, upload(workshop, owner, contents[size])) for size in sizes]
    with closing(WorkerPool(opened, 2, workshop.batches.give_back)):
        for size, batch in made:
            done = ended(workshop, batch)
            report, output = expected[size]
            assert done.state == "complete", done.failure
            assert (done.rows_read, done.rows_written, done.rows_rejected) == (
                report.rows_read,
                report.rows_written,
                report.rows_rejected,
            )
            assert result(workshop, done) == output
            assert of_batch(workshop, batch) == [("batch.tokenize", "complete")]
            assert not (folder / "batches" / batch.hex / "upload").exists()
    assert workshop.batches.facts().waiting == 0
    assert verify(workshop.database, verifying_keys(workshop.keyring)).holds


def test_small_ones_do_not_wait_behind_large_ones(folder, opened, workshop, owner, monkeypatch):
    """Two large ones first: a small one ends before the second of them begins."""
    monkeypatch.setattr("tokenkit.batches.queue.SMALL_BYTES", 10_000)
    large = [upload(workshop, owner, many(2_000_000)) for _ in range(2)]
    small = upload(workshop, owner, many(30))
    with closing(WorkerPool(opened, 2, workshop.batches.give_back)):
        done = ended(workshop, small)
        ends = [ended(workshop, one) for one in large]
    assert done.ended < ends[1].started


def test_a_killed_worker_s_batch_is_done_once(folder, opened, workshop, owner):
    """Killed with -9 in the middle: another one begins it anew, and nothing of the first shows."""
    content = many(LARGE)
    with closing(WorkerPool(opened, 1, workshop.batches.give_back)) as pool:
        batch = upload(workshop, owner, content)
        begun(workshop, batch)
        os.kill(pool.process_ids[0], signal.SIGKILL)
        done = ended(workshop, batch)
    assert (done.state, done.attempt) == ("complete", 2)
    assert result(workshop, done) == plainly(folder, workshop, content)[1]
    assert of_batch(workshop, batch) == [("batch.tokenize", "complete")]
    left = {path.name for path in (folder / "batches" / batch.hex).iterdir()}
    assert {name for name in left if not name.startswith(".")} == {
        "result-2",
        "result-2.json",
        "result-2.rejects.parquet",
    }


def test_the_pool_outlives_what_it_did_not_foresee(folder, opened, workshop, owner, monkeypatch):
    """A dead worker that can't be replaced at once, as without memory, is replaced later."""
    monkeypatch.setattr("tokenkit.batches.executors.pool._UNOPENED_SECONDS", 0.1)
    failures = [MemoryError(), MemoryError()]

    def give_back(name):
        if failures:
            raise failures.pop()
        return workshop.batches.give_back(name)

    with closing(WorkerPool(opened, 1, give_back)) as pool:
        (first,) = pool.process_ids
        os.kill(first, signal.SIGKILL)
        batch = upload(workshop, owner, many(30))
        assert ended(workshop, batch).state == "complete"
        assert failures == []
        assert pool.process_ids != [first]


def test_workers_end_with_the_process_that_started_them(folder, opened, workshop, owner):
    """The whole service killed with -9: its workers are gone, and the next one does the batch."""
    command = [sys.executable, "-m", "tests.integration.batch_processes", str(folder), "2"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        workers = [int(word) for word in process.stdout.readline().split()]
        assert len(workers) == 2
        batch = upload(workshop, owner, many(LARGE))
        begun(workshop, batch)
        process.kill()
    until = time.monotonic() + 20
    while any(map(alive, workers)):
        assert time.monotonic() < until
        time.sleep(0.05)
    with closing(WorkerPool(opened, 1, workshop.batches.give_back)):
        done = ended(workshop, batch)
    assert (done.state, done.attempt) == ("complete", 2)


def test_a_running_batch_is_cancelled(folder, opened, workshop, owner):
    """It ends within seconds, nothing of it stays, and its worker goes on with the next.

    That is so too if the service was started with interrupts ignored, as in a script's background.
    """
    handled = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pool = WorkerPool(opened, 1, workshop.batches.give_back)
    finally:
        signal.signal(signal.SIGINT, handled)
    with closing(pool):
        first = pool.process_ids
        batch = upload(workshop, owner, many(LARGE))
        begun(workshop, batch)
        with workshop.database.begin() as connection:
            assert workshop.batches.cancel(connection, batch) == "running"
        over = ended(workshop, batch, seconds=20)
        assert (over.state, over.sealed_key) == ("cancelled", None)
        after = upload(workshop, owner, many(30))
        assert ended(workshop, after).state == "complete"
        assert pool.process_ids == first
    assert not (folder / "batches" / batch.hex).exists()
    assert of_batch(workshop, batch) == [("batch.tokenize", "failed")]


def test_told_to_end_a_worker_gives_its_batch_back(folder, opened, workshop, owner):
    """The next pool does it; that was no death."""
    pool = WorkerPool(opened, 1, workshop.batches.give_back)
    batch = upload(workshop, owner, many(LARGE))
    begun(workshop, batch)
    pool.close()
    assert workshop.batches.find(batch).state == "queued"
    with closing(WorkerPool(opened, 1, workshop.batches.give_back)):
        assert ended(workshop, batch).state == "complete"


def test_an_interrupt_from_the_terminal_is_no_death(folder, opened, workshop, owner):
    """It reaches the whole process group: the service ends its workers, and they give back."""
    command = [sys.executable, "-m", "tests.integration.batch_processes", str(folder), "1"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        batch = upload(workshop, owner, many(LARGE))
        begun(workshop, batch)
        os.killpg(process.pid, signal.SIGINT)
    assert workshop.batches.find(batch).state == "queued"
    with workshop.database.read() as connection:
        assert connection.execute(select(BatchRow.deaths)).scalar_one() == 0


def test_a_worker_waits_for_what_it_cannot_open(folder, opened, workshop, owner):
    """Without its keyring the same process stays, and does the batch once that is back."""
    (folder / "keyring.json").rename(folder / "away.json")
    batch = upload(workshop, owner, many(30))
    with closing(WorkerPool(opened, 1, workshop.batches.give_back)) as pool:
        first = pool.process_ids
        # Longer than a process takes to come up and find none.
        time.sleep(6)
        assert workshop.batches.find(batch).state == "queued"
        (folder / "away.json").rename(folder / "keyring.json")
        assert ended(workshop, batch).state == "complete"
        assert pool.process_ids == first


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"ssn,note\n1,2,CANARY-078-05-1120\n", "TK601"),
        (b"", "TK601"),
        (b"note,age\nCANARY-078-05-1120,1\n", "TK100"),
    ],
)
def test_a_batch_that_fails_says_why_and_no_value(folder, opened, workshop, owner, content, code):
    """Broken input, and a file that the policy isn't about; nothing of it stays but the reason."""
    with closing(WorkerPool(opened, 1, workshop.batches.give_back)):
        batch = upload(workshop, owner, content)
        failed = ended(workshop, batch)
    assert (failed.state, failed.failure.code) == ("failed", code)
    assert "CANARY" not in str(failed)
    assert not (folder / "batches" / batch.hex).exists()
    assert of_batch(workshop, batch) == [("batch.tokenize", "failed")]


def test_a_policy_that_changed_meanwhile_is_not_used(folder, opened, workshop, owner):
    """What the caller agreed to is what is done, or nothing."""
    batch = upload(workshop, owner, many(30))
    (folder / "policies" / "orders.yaml").write_text(POLICY.replace("keep", "drop"))
    with closing(WorkerPool(opened, 1, workshop.batches.give_back)):
        assert ended(workshop, batch).failure.code == "TK953"
        later = upload(workshop, owner, many(30))
        assert ended(workshop, later).state == "complete"


def test_a_rotation_is_taken_up(folder, opened, workshop, owner):
    """A worker makes tokens with the version that is primary now."""
    with closing(WorkerPool(opened, 1, workshop.batches.give_back)):
        first = ended(workshop, upload(workshop, owner, many(30)))
        with tk.keys.edit_keyring(folder / "keyring.json") as ring:
            ring.rotate("people")
        second = ended(workshop, upload(workshop, owner, many(30)))
        assert result(workshop, first) != result(workshop, second)
