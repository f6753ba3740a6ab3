"""The client against the service as it is: each call, waited for and awaited, and the files of
batches from the upload to the result."""

from __future__ import annotations

import inspect
import io
import logging
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import anyio.from_thread
import polars as pl
import pytest

import tokenkit as tk
from tests.integration.client_places import RIGHTS, placed
from tests.services import running
from tokenkit import errors
from tokenkit.client import (
    AsyncTokenizationClient,
    Batch,
    Retries,
    Timeouts,
    TokenizationClient,
    ValueFault,
)
from tokenkit.errors import BatchLost, CallerRefused, RequestRefused, ServiceUnavailable
from tokenkit.jobs import Job, run
from tokenkit.policy import load_policy

CARD, OTHER, SSN = "4539578763621486", "6011000990139424", "078-05-1120"
COLUMN: dict[str, Any] = {"policy": "orders", "column": "card"}
POLICY = """\
columns:
  card: {scheme: credit-card, key: payments, keep: {last: 4}}
  ssn: {scheme: us-ssn, key: people, on_invalid: reject}
  account: {scheme: alphanumeric, key: people, tweak: tenant}
  tenant: {action: keep}
unlisted: keep
"""
FILES = "columns: {ssn: {scheme: us-ssn, key: people, on_invalid: reject}}\nunlisted: keep\n"
ROWS = f"{SSN},1\nnonsense,2\n,3\n"


def many(rows):
    return ("ssn,age\n" + ROWS * (rows // 3)).encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Run a service and a worker, for all tests of this module."""
    folder = tmp_path_factory.mktemp("client")
    with placed(folder, workers=1, orders=POLICY, customers=FILES) as place:
        yield place


class Awaited:
    """The client that is awaited, called as the other one is."""

    def __init__(self, portal, inner):
        self._portal, self._inner = portal, inner

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return Awaited(self._portal, found)
        return lambda *given, **more: self._portal.call(partial(found, *given, **more))


@contextmanager
def connected(kind, service, key, **options):
    """Make a client of a kind."""
    if kind == "waiting":
        with TokenizationClient(key, service.url, **options) as client:
            yield client
        return
    with anyio.from_thread.start_blocking_portal() as portal:
        inner = AsyncTokenizationClient(key, service.url, **options)
        yield Awaited(portal, inner)
        portal.call(inner.close)


@pytest.fixture(params=["waiting", "awaited"])
def client(request, place):
    """A client of either kind, that may do everything with tokens."""
    with connected(request.param, place.service, place.service.caller(*RIGHTS)) as client:
        yield client


def test_one_value(client):
    """By policy and column, by scheme and key; with a tweak, a version; null, an integer."""
    made = client.tokenize(CARD, **COLUMN)
    assert (made.key, made.version, made.record) == ("payments", 1, None)
    assert made.token != CARD
    assert made.token[-4:] == CARD[-4:]
    assert client.detokenize(made.token, **COLUMN).value == CARD
    direct = {"scheme": "credit-card", "key": "payments", "parameters": {"keep": {"last": 4}}}
    assert client.tokenize(CARD, **direct).token == made.token
    assert client.detokenize(made.token, **direct, version=1).value == CARD
    assert client.tokenize(CARD, **direct, version="primary", domain="other").token != made.token
    assert client.tokenize(None, **COLUMN).token is None
    digits = {"scheme": "digits", "key": "people", "parameters": {"width": 9}}
    number = client.tokenize(123_456_789, **digits).token
    assert type(number) is int
    assert client.detokenize(number, **digits).value == 123_456_789
    tweaked = {"policy": "orders", "column": "account"}
    one, two = (client.tokenize("ZQ81X99ABC", **tweaked, tweak=tweak).token for tweak in "ab")
    assert one != two
    assert client.detokenize(two, **tweaked, tweak="b").value == "ZQ81X99ABC"


def test_lists(client):
    """In their order; what doesn't fit is named by its place, and raised only on demand."""
    made = client.tokenize_many([CARD, None, "x", OTHER], **COLUMN)
    assert made.faults == (ValueFault(index=2, reason="character"),)
    assert made.tokens[1:3] == (None, None)
    with pytest.raises(errors.InvalidValues, match="character"):
        made.require_all()
    back = client.detokenize_many(made.tokens, **COLUMN)
    assert back.values == (CARD, None, None, OTHER)
    back.require_all()
    column = {"policy": "orders", "column": "account"}
    given = ["ZQ81X99ABC", "ZQ81X99ABC"]
    tweaked = client.tokenize_many(given, **column, tweaks=["a", "b"])
    assert client.tokenize("ZQ81X99ABC", **column, tweak="b").token == tweaked.tokens[1]
    assert client.detokenize_many(tweaked.tokens, **column, tweaks=["a", "b"]).values == (*given,)
    same = client.tokenize_many(given, **column, tweak="a").tokens
    assert set(same) == {tweaked.tokens[0]}
    direct = {"scheme": "us-ssn", "key": "people", "parameters": {"literals": ["N/A"]}}
    kept = client.tokenize_many([SSN, "N/A"], **direct)
    assert (kept.faults, kept.tokens[1]) == ((), "N/A")
    assert client.detokenize_many(kept.tokens, **direct).values == (SSN, "N/A")


def test_records(client):
    """Kept where that is asked, read, listed page by page, validated, revoked."""
    expires = datetime.now(UTC) + timedelta(hours=1)
    made = client.tokenize(CARD, **COLUMN, metadata={"order": 17}, expires_at=expires)
    record = client.records.get(made.record.id)
    assert (record.token, record.metadata, record.expires_at) == (
        made.token, {"order": 17}, expires
    )  # fmt: skip
    assert (record.version, record.state, record.scheme) == (1, "active", "credit-card")
    several = client.tokenize_many([OTHER, None], **COLUMN, store=True)
    assert [one and one.state for one in several.records] == ["active", None]
    first = client.records.list(limit=1)
    second = client.records.list(limit=1, cursor=first.next)
    assert [one.id for one in (*first.items, *second.items)] == [
        made.record.id, several.records[0].id
    ]  # fmt: skip
    assert client.validate(made.token, **COLUMN).record == "active"
    assert client.records.revoke(str(record.id)).state == "revoked"
    looked = client.validate_many([made.token, several.tokens[0], "x"], **COLUMN)
    assert [one.record for one in looked] == ["revoked", "active", "none"]
    assert [one.well_formed for one in looked] == [True, True, False]
    with pytest.raises(RequestRefused) as caught:
        client.detokenize(made.token, **COLUMN)
    assert (caught.value.reason, caught.value.means(errors.InvalidValues)) == ("revoked", True)


def test_refusals(client, place):
    """Each is of the class of its status, with what the service says and the id of its logs."""
    refused = {}
    for name, call in {
        "value": lambda: client.tokenize("x", **COLUMN),
        "column": lambda: client.tokenize(CARD, policy="orders", column="none"),
        "target": lambda: client.tokenize(CARD, policy="orders"),
        "record": lambda: client.records.get(uuid4()),
        "batch": lambda: client.batches.get(uuid4()),
        "list": lambda: client.tokenize_many([CARD] * 1_001, **COLUMN),
        "upload": lambda: client.batches.create(many(3), policy="none"),
        "surrogate": lambda: client.tokenize("\ud800", **COLUMN),
    }.items():
        with pytest.raises(RequestRefused) as caught:
            call()
        error = refused[name] = caught.value
        assert len(error.request_id or "") in {32, 36}, name
        assert error.__context__ is None
        assert CARD not in f"{error}{vars(error)}"
    found = {name: (error.status, error.problem) for name, error in refused.items()}
    assert found == {
        "value": (422, "TK301"),
        "column": (404, "TK905"),
        "target": (422, "TK901"),
        "record": (404, "TK905"),
        "batch": (404, "TK905"),
        "list": (413, "TK902"),
        "upload": (403, "TK804"),
        "surrogate": (422, "TK901"),
    }
    assert refused["list"].means(errors.RequestTooLarge)
    assert refused["target"].location == "body"
    assert isinstance(refused["upload"], CallerRefused)


@pytest.mark.parametrize("kind", ["waiting", "awaited"])
def test_a_wrong_key(place, kind):
    """Said as that, also of a large upload; it is asked once, and the key isn't quoted."""
    wrong = "tkk_" + "A" * 43
    with connected(kind, place.service, wrong) as client:
        for call in (
            lambda: client.tokenize(CARD, **COLUMN),
            lambda: client.batches.create(io.BytesIO(bytes(20_000_000)), policy="customers"),
        ):
            with pytest.raises(CallerRefused) as caught:
                call()
            assert (caught.value.status, caught.value.means(errors.NotAuthenticated)) == (401, True)
            assert wrong not in f"{caught.value}{vars(caught.value)}"
        assert wrong not in f"{client!r}"


def refused():
    return pytest.raises(ServiceUnavailable)


def plainly(place, content):
    source, target = place.folder / "plain.csv", place.folder / "plain.out.csv"
    source.write_bytes(content)
    for left in place.folder.glob("plain.out*"):
        left.unlink()
    policy = load_policy(place.folder / "policies" / "customers.yaml")
    keyring = place.service.keyring
    run(Job(operation="tokenize", source=source, target=target, policy=policy, keyring=keyring))
    return target.read_bytes()


def test_three_calls(client, place, tmp_path):
    """Upload, wait, download: the bytes of a job on plain files, with the metadata and the rejected
    rows beside them; progress is told; and the result is removed."""
    content = many(30_000)
    (tmp_path / "customers.csv").write_bytes(content)
    told: list[Batch] = []
    batch = client.batches.create(tmp_path / "customers.csv", policy="customers")
    done = client.batches.wait(batch, poll_seconds=0.3, seconds=90, progress=told.append)
    target = client.batches.download(done, tmp_path / "tokens.csv")
    assert target.read_bytes() == plainly(place, content)
    assert (done.rows_read, done.rows_written, done.rows_rejected) == (30_000, 20_000, 10_000)
    assert told[-1] == done
    assert {one.id for one in told} == {batch.id}
    sidecar = client.batches.download_metadata(batch, tmp_path / "tokens.csv.tokenkit.json")
    assert sidecar.exists()
    assert set(tk.read_metadata(target).columns) == {"ssn"}
    rejects = client.batches.download_rejects(str(batch.id), tmp_path / "rejects.parquet")
    assert tk.open_rejects(rejects, keyring=place.service.keyring).height == 10_000
    assert client.batches.delete(batch).state == "expired"
    with pytest.raises(RequestRefused) as caught:
        client.batches.download(batch, tmp_path / "again.csv")
    assert caught.value.means(BatchLost)
    with pytest.raises(BatchLost):
        client.batches.wait(batch)
    assert len(list(tmp_path.iterdir())) == 4


def test_sources_formats_and_pages(client, tmp_path):
    """Bytes, an open file and a pipe; Parquet out; one's batches page by page; cancelled."""
    frame = pl.read_csv(many(300), infer_schema=False)
    frame.write_parquet(tmp_path / "in.parquet")
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(many(300))
    with os.fdopen(reading, "rb") as pipe, (tmp_path / "in.parquet").open("rb") as opened:
        made = [
            client.batches.create(many(300), policy="customers", output="parquet"),
            client.batches.create(opened, policy="customers", format="parquet"),
            client.batches.create(tmp_path / "in.parquet", policy="customers"),
            client.batches.create(pipe, policy="customers", output="parquet"),
        ]
    for number, batch in enumerate(made):
        client.batches.wait(batch, poll_seconds=0.3, seconds=90)
        target = client.batches.download(batch, tmp_path / f"{number}.parquet")
        assert pl.read_parquet(target).height == 200
    first = client.batches.list(limit=3)
    second = client.batches.list(limit=3, cursor=first.next)
    assert [one.id for one in (*first.items, *second.items)] == [one.id for one in made[::-1]]
    assert second.next is None
    long = client.batches.create(many(600_000), policy="customers")
    assert client.batches.cancel(long).id == long.id
    with pytest.raises(BatchLost, match="cancelled"):
        client.batches.wait(long, poll_seconds=0.3, seconds=90)
    assert client.batches.wait(long, check=False).state == "cancelled"


def test_a_limit_is_waited_for(tmp_path):
    """As long as the service asks; every call goes well, and no more get through than may."""
    url = f"sqlite:///{tmp_path / 'store' / 'tokenkit.db'}"
    with running(url, tmp_path, api_key_limit="4/second") as service:
        key = service.caller(*RIGHTS)
        retries = Retries(attempts=50, seconds=60, first=0.1, most=0.5)
        with TokenizationClient(key, service.url, retries=retries) as client:
            began = time.monotonic()
            assert len({client.tokenize(CARD, **COLUMN).token for _ in range(10)}) == 1
            assert time.monotonic() - began > 1
        once = Retries(attempts=1)
        with TokenizationClient(key, service.url, retries=once) as hasty, refused() as caught:
            for _ in range(10):
                hasty.tokenize(CARD, **COLUMN)
        assert (caught.value.status, caught.value.problem) == (429, "TK911")
        assert caught.value.means(errors.TooManyRequests)
        assert (caught.value.retry_after or 0) >= 1


def test_silence_ends_in_time(place):
    """A service that takes the request and says nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        timeouts, retries = Timeouts(read=0.2), Retries(attempts=2, first=0.1)
        with TokenizationClient("tkk_x", url, timeouts=timeouts, retries=retries) as client:
            began = time.monotonic()
            with pytest.raises(TimeoutError) as caught:
                client.tokenize(CARD, **COLUMN)
    assert isinstance(caught.value, errors.ServiceTimedOut)
    assert 0.4 <= time.monotonic() - began < 5
    assert len(caught.value.request_id or "") == 32


def test_both_clients_have_the_same_calls():
    """The same names, parameters and defaults."""
    from tokenkit.client import asynchronous, synchronous

    for name in ("TokenizationClient", "Batches", "TokenRecords"):
        waiting, awaited = getattr(synchronous, name), getattr(asynchronous, f"Async{name}")
        calls = {n: inspect.signature(f) for n, f in vars(waiting).items() if n[0] != "_"}
        assert {n for n in vars(awaited) if n[0] != "_"} == set(calls)
        for call, signature in calls.items():
            other = getattr(awaited, call)
            assert inspect.iscoroutinefunction(other)
            assert inspect.signature(other) == signature, call


def test_a_task_that_is_cancelled_leaves_nothing(place, tmp_path):
    """In the middle of a download."""
    key = place.service.caller(*RIGHTS)

    async def main():
        async with AsyncTokenizationClient(key, place.service.url) as client:
            batch = await client.batches.create(many(300), policy="customers")
            await client.batches.wait(batch, poll_seconds=0.3)
            with anyio.move_on_after(0) as scope:
                await client.batches.download(batch, tmp_path / "a.csv")
            assert scope.cancelled_caught

    anyio.run(main)
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_true(place, tmp_path):
    """The Python of docs/client.md runs against the service, one block after the other."""
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
    found = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(found) >= 4
    (tmp_path / "page.py").write_text("\n".join(found), encoding="utf-8")
    (tmp_path / "customers.csv").write_bytes(many(300))
    key = place.service.caller(*RIGHTS)
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"],
        cwd=tmp_path,
        env=os.environ | {"TOKENKIT_API_KEY": key, "TOKENKIT_BASE_URL": place.service.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert key not in done.stdout + done.stderr


def test_nothing_shows(client, place, caplog):
    """At the most talkative level, neither the key nor a value is in a log or a repr."""
    with caplog.at_level(logging.DEBUG):
        made = client.tokenize(CARD, **COLUMN, store=True)
        several = client.tokenize_many([CARD, OTHER], **COLUMN)
        back = client.detokenize_many(several.tokens, **COLUMN)
        kept = client.records.get(made.record.id)
        for odd in (f"{CARD}7", f"{CARD} é"):
            with pytest.raises(RequestRefused):
                client.tokenize(odd, **COLUMN)
    shown = f"{made!r}{several!r}{back!r}{kept!r}{client.detokenize(made.token, **COLUMN)!r}"
    ours = "".join(
        record.getMessage()
        for record in caplog.records
        if record.name.startswith(("httpx", "httpcore", "tokenkit.client"))
    )
    assert "/v1/tokenize" in ours
    for value in (CARD, OTHER, made.token, several.tokens[1], "tkk_"):
        assert str(value) not in shown
        assert str(value) not in ours
