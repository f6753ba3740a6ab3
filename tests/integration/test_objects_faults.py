"""Object stores that refuse, break off or keep silent, and jobs that are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from tests.integration.object_store import BUCKET, SECRET, parquet
from tokenkit.errors import (
    ConnectorFailed,
    InputError,
    InputNotFound,
    JobError,
    OutputExists,
    TokenkitError,
)
from tokenkit.jobs import Job, run
from tokenkit.jobs.objects import ObjectPlace
from tokenkit.policy import Policy

ROOT = Path(__file__).parents[2]
CANARY = "CANARY-NAME-771205"
ROWS = 60_000
LARGE = 500_000
COLUMNS = {"name": {"scheme": "text", "key": "people"}}


def frame(rows=ROWS):
    """Give rows that hardly compress, each of them marked."""
    numbers = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {"id": numbers.hash(seed=1), "name": CANARY + numbers.cast(pl.String), "again": numbers}
    )


@pytest.fixture
def policy():
    """Give a policy."""
    return Policy.from_mapping({"columns": COLUMNS, "unlisted": "keep"})


@pytest.fixture
def job(ring, policy):
    """Make a job that tokenizes."""

    def making(source, target, **options):
        given = {"operation": "tokenize", "policy": policy, "keyring": ring, **options}
        return Job(source=source, target=target, **given)

    return making


def told(error):
    """Give everything that an error tells, with what led to it."""
    lines = traceback.TracebackException.from_exception(error).format()
    told = [str(error), repr(error), repr(vars(error)), *lines]
    seen = error.__cause__ or error.__context__
    return " ".join([*told, "" if seen is None else str(seen)])


def refusal(job):
    """Do a job that fails, and give its error, in which no secret and no value stands."""
    with pytest.raises(TokenkitError) as caught:
        run(job)
    text = told(caught.value)
    assert SECRET not in text
    assert CANARY not in text
    return caught.value


def through(proxy, s3, key):
    """Give the place of an object behind the proxy."""
    return s3.place(key, aws_endpoint_url=proxy.address)


def is_part(method, path):
    """Whether a request writes a part of an upload."""
    return method == "PUT" and "partNumber=" in path


def is_completion(method, path):
    """Whether a request completes an upload."""
    return method == "POST" and "uploadId=" in path


@pytest.mark.parametrize("status", [403, 500])
def test_a_store_that_refuses_to_read(proxy, s3, job, status):
    """Requests that are denied or fail are typed errors, whatever the format."""
    for suffix, content in ((".parquet", parquet(frame(9))), (".csv", frame(9).write_csv())):
        key = f"in{suffix}"
        s3.put(key, content)
        asked = job(through(proxy, s3, key), through(proxy, s3, "out.parquet"))
        for refused in ("HEAD", "GET"):
            proxy.disturb = lambda method, _path: status if method == refused else None  # noqa: B023
            assert isinstance(refusal(asked), ConnectorFailed | InputError)
    proxy.disturb = lambda _method, _path: None
    assert s3.keys() == ["in.csv", "in.parquet"]
    assert s3.uploads() == []


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, "drop"])
@pytest.mark.parametrize(
    ("source", "target"),
    [("in.parquet", "out.csv"), ("in.csv.gz", "out.arrow"), ("in.arrow", "out.parquet")],
)
def test_any_request_that_fails(proxy, s3, job, tmp_path, source, target, status):
    """Whichever request fails: a typed error, and an output that is whole or not there."""
    frame(3_000).write_parquet(tmp_path / "plain.parquet")
    keep = Policy.from_mapping({"columns": {}, "unlisted": "keep"})
    run(job(tmp_path / "plain.parquet", s3.place(source), policy=keep))
    asked = job(through(proxy, s3, source), through(proxy, s3, target))
    number = failed = 0
    while True:
        number += 1
        left = number

        def disturb(_method, _path):
            nonlocal left
            left -= 1
            # An interrupted answer is asked for again, so all that follow are interrupted too.
            return status if left == 0 or (left < 0 and status == "drop") else None

        proxy.disturb = disturb
        try:
            report = run(replace(asked, force=True))
        except TokenkitError as error:
            failed += 1
            text = told(error)
            assert SECRET not in text
            assert CANARY not in text
            assert "damaged" not in text
            assert isinstance(error, ConnectorFailed | InputError | InputNotFound)
        else:
            assert report.rows_written == 3_000
        if left > 0:
            break
        proxy.disturb = lambda _method, _path: None
        assert s3.uploads() == []
        if target in s3.keys(target):
            back = replace(asked, operation="detokenize", policy=None, source=s3.place(target))
            assert run(replace(back, target=None, dry_run=True)).rows_read == 3_000
            s3.clear_but(source)
    assert failed > 5


@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.ndjson.gz"])
def test_a_store_that_refuses_to_write(proxy, s3, job, target):
    """Writing that is denied ends the job with a typed error, and nothing of it stays."""
    s3.put("in.parquet", parquet(frame(9)))
    proxy.disturb = lambda method, path: 403 if method in {"PUT", "POST"} else None
    asked = job(s3.place("in.parquet"), through(proxy, s3, target))
    assert isinstance(refusal(asked), ConnectorFailed)
    assert s3.keys() == ["in.parquet"]
    proxy.disturb = lambda _method, _path: None
    assert run(asked).status == "done"


@pytest.mark.parametrize("when", [is_part, is_completion])
def test_a_large_upload_that_fails(proxy, s3, job, tmp_path, when):
    """A part or a completion that fails leaves the old object, and no upload."""
    frame(LARGE).write_ipc(tmp_path / "in.arrow")
    s3.put("out.ndjson", b"old")
    proxy.disturb = lambda method, path: 500 if when(method, path) else None
    asked = job(tmp_path / "in.arrow", through(proxy, s3, "out.ndjson"), force=True)
    assert isinstance(refusal(asked), ConnectorFailed)
    assert any(when(*request) for request in proxy.seen)
    assert s3.uploads() == []
    assert s3.keys() == ["out.ndjson"]
    assert s3.get("out.ndjson") == b"old"


def test_the_answer_to_a_completion_gets_lost(proxy, s3, job, tmp_path):
    """An object that came into being is found, though the store never said so."""
    frame(LARGE).write_ipc(tmp_path / "in.arrow")
    proxy.disturb = lambda method, path: "drop" if is_completion(method, path) else None
    asked = job(tmp_path / "in.arrow", through(proxy, s3, "out.ndjson"))
    assert run(asked).rows_written == LARGE
    assert run(asked).status == "skipped"


def test_a_store_that_is_not_there(s3, job):
    """A dead address, a missing bucket and a wrong option are typed errors."""
    s3.put("in.csv", frame(9).write_csv())
    dead = s3.place("in.csv", aws_endpoint_url="http://127.0.0.1:1")
    assert isinstance(refusal(job(dead, s3.place("out.csv"))), ConnectorFailed)
    dead = s3.place("out.csv", aws_endpoint_url="http://127.0.0.1:1")
    assert isinstance(refusal(job(s3.place("in.csv"), dead)), ConnectorFailed)
    no_bucket = ObjectPlace("s3://no-such-bucket/in.csv", s3.options)
    assert isinstance(refusal(job(no_bucket, s3.place("out.csv"))), InputNotFound | ConnectorFailed)
    for options in ({"no_such_option": SECRET}, {"max_retries": SECRET}):
        asked = job(s3.place("in.csv", **options), s3.place("out.csv"))
        assert isinstance(refusal(asked), JobError)
    assert s3.keys() == ["in.csv"]


@pytest.mark.parametrize(
    "url",
    [
        f"s3://id:{SECRET}@lake/a.csv",
        f"az://lake/a.csv?sv=1&sig={SECRET}",
        f"ftp://lake/{SECRET}",
        f"s3:///{SECRET}",
        f"s3://lake/../{SECRET}",
        f"s3://lake/a\n{SECRET}",
    ],
)
def test_urls_that_are_refused(url):
    """A URL that names no object, or holds a secret, is refused without being repeated."""
    with pytest.raises(JobError) as caught:
        ObjectPlace(url)
    assert SECRET not in told(caught.value)


def test_secrets_show_nowhere(s3, job, stored):
    """Storage options stand in no repr, no report and no record."""
    s3.put("in.parquet", parquet(frame(9)))
    asked = job(s3.place("in.parquet"), s3.place("out.csv"))
    report = run(asked)
    shown = [repr(asked), str(asked), repr(report), repr(asked.source), str(asked.target)]
    shown += [repr(asked.target.storage_options), repr(stored.runs), repr(stored.rows("runs"))]
    assert not any(SECRET in each for each in shown)
    assert CANARY not in repr(stored.runs)


def test_an_input_that_changes(proxy, s3, job):
    """An object that is replaced while it's read is no input; nothing is written."""
    for suffix, content in ((".parquet", parquet(frame(9))), (".csv", frame(9).write_csv())):
        key = f"in{suffix}"
        s3.put(key, content)
        other = parquet(frame(8)) if suffix == ".parquet" else frame(8).write_csv()
        asked = job(through(proxy, s3, key), s3.place("out.parquet"))
        proxy.seen.clear()
        reads = len(proxy.seen)

        def change(method, path, key=key, other=other):
            nonlocal reads
            reads += method == "GET"
            if reads == 2:
                s3.put(key, other)

        proxy.disturb = change
        assert isinstance(refusal(asked), JobError)
    assert s3.keys("out") == []
    assert s3.uploads() == []


def test_an_object_that_comes_meanwhile(proxy, s3, job):
    """What another job has written in the meantime stays."""
    s3.put("in.csv", frame(9).write_csv())

    def write(method, path):
        if method == "GET" and path.startswith(f"/{BUCKET}/in.csv"):
            s3.put("out.parquet", b"another job's")

    proxy.disturb = write
    target = s3.place("out.parquet")
    # Found when the job begins, or when its output is to get its name.
    assert isinstance(refusal(job(through(proxy, s3, "in.csv"), target)), OutputExists)
    assert s3.get("out.parquet") == b"another job's"
    assert s3.uploads() == []


SCRIPT = """
import sys
from pathlib import Path
from tokenkit.jobs import Job, run
from tokenkit.jobs.objects import ObjectPlace
from tokenkit.keys import Keyring
from tokenkit.policy import Policy
source, target, endpoint = sys.argv[1:]
options = {"aws_access_key_id": "made-up-id", "aws_secret_access_key": "made-up",
    "aws_region": "us-east-1", "allow_http": "true", "aws_endpoint_url": endpoint}
policy = Policy.from_mapping(
    {"columns": {"name": {"scheme": "text", "key": "people"}}, "unlisted": "keep"})
secrets = {"payments": bytes(range(32)), "people": bytes(range(1, 33))}
with Keyring.from_secrets(secrets) as ring:
    run(Job(operation="tokenize", source=Path(source), target=ObjectPlace(target, options),
        policy=policy, keyring=ring, overwrite=True))
"""


def started(proxy, source, target):
    """Do a job in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(source), f"s3://{BUCKET}/{target}", proxy.address],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TOKENKIT_LINEAGE": "off"},
        stderr=subprocess.PIPE,
    )


def killed(proxy, source, target):
    """Do a job in a process of its own, and kill it where the proxy holds a request."""
    with started(proxy, source, target) as process:
        while not proxy.stopped.wait(0.05):
            assert process.poll() is None, process.communicate()
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["stop before", "stop after"])
@pytest.mark.parametrize("when", [is_part, is_completion])
def test_killed_while_it_uploads(proxy, s3, job, ring, tmp_path, when, moment):
    """A job killed with signal 9 leaves the old object or the new one, and can be done again."""
    source = tmp_path / "in.arrow"
    frame(LARGE).write_ipc(source)
    run(job(source, s3.place("old.parquet"), limit=10))
    old = s3.get("old.parquet")
    s3.put("out.parquet", old)
    proxy.disturb = lambda method, path: moment if when(method, path) else None
    killed(proxy, source, "out.parquet")
    proxy.disturb = lambda _method, _path: None
    new = when is is_completion and moment == "stop after"
    assert (s3.get("out.parquet") == old) is not new
    # What is left of an upload is no object.
    assert s3.keys("out") == ["out.parquet"]
    assert s3.uploads() == ([] if new else ["out.parquet"])
    again = run(job(source, s3.place("out.parquet"), overwrite=True))
    assert again.status == ("skipped" if new else "done")
    tokens = pl.read_parquet(s3.get("out.parquet"))
    assert tokens.height == LARGE
    assert tokens["again"].equals(frame(LARGE)["again"])


@pytest.mark.slow
def test_interrupted_while_it_uploads(proxy, s3, tmp_path):
    """Ctrl-C ends the job, and aborts its upload."""
    source = tmp_path / "in.arrow"
    frame(LARGE).write_ipc(source)
    begun = threading.Event()

    def slow(method, path):
        if is_part(method, path):
            begun.set()
            time.sleep(1)

    proxy.disturb = slow
    with started(proxy, source, "out.csv") as process:
        assert begun.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    assert s3.keys() == []
    assert s3.uploads() == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["stop before", "stop after"])
@pytest.mark.parametrize("number", range(5))
def test_killed_between_object_and_sidecar(proxy, s3, job, ring, tmp_path, number, moment):
    """Wherever a job is killed, there are the old tokens or the new, beside their own metadata."""
    source = tmp_path / "in.arrow"
    frame(LARGE).write_ipc(source)
    run(job(source, s3.place("out.csv"), limit=10))
    writing = []

    def stop(method, path):
        if method not in {"PUT", "POST", "DELETE"} or is_part(method, path):
            return None
        writing.append((method, path))
        return moment if len(writing) == number + 1 else None

    proxy.disturb = stop
    killed(proxy, source, "out.csv")
    proxy.disturb = lambda _method, _path: None
    back = Job(
        operation="detokenize",
        source=s3.place("out.csv"),
        target=s3.place("back.csv"),
        keyring=ring,
    )
    # The upload is begun, the sidecar written, the upload completed, the sidecar gets its name.
    new = number > 2 or (number == 2 and moment == "stop after")
    assert run(back).rows_written == (LARGE if new else 10)
    again = run(job(source, s3.place("out.csv"), overwrite=True))
    assert again.status == ("skipped" if new else "done")
    assert s3.keys("out") == ["out.csv", "out.csv.tokenkit.json"]
    assert s3.get("out.csv").count(b"\n") == LARGE + 1
