"""Connections cut at every place, and a service that dies: what is asked for is done once, what is
fetched is whole, and nothing shows."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import anyio
import pytest
from sqlalchemy import func, select

from tests.cutting_proxy import Cut
from tests.integration.canaries import Walk
from tests.integration.client_places import QUICKLY, placed
from tests.integration.test_service_faults import free_port, prepared, ready
from tokenkit.client import AsyncTokenizationClient, Retries, TokenizationClient
from tokenkit.errors import (
    BatchLost,
    CallerRefused,
    RequestRefused,
    ServiceUnavailable,
    TokenkitError,
)
from tokenkit.service import idempotency
from tokenkit.store.audit import tail
from tokenkit.store.database import Database
from tokenkit.store.models.service import IdempotencyKeyRow, TokenRecordRow

# Of the marked values that the walk looks for.
CARD = "4539578763621486"
COLUMN: dict[str, Any] = {"policy": "orders", "column": "card"}
POLICY = "columns: {card: {scheme: credit-card, key: payments}}\nunlisted: keep\n"
CUTS = {
    "before the request": Cut("request", 0),
    "within its head": Cut("request", 40),
    "within its body": Cut("request", 600),
    "before the answer": Cut("answer", 0),
    "within its head, answered": Cut("answer", 30),
    "within the answer": Cut("answer", 300),
}

BODILESS = {name: cut for name, cut in CUTS.items() if name != "within its body"}


def content(rows):
    return ("card,number\n" + "".join(f"{CARD},{n}\n" for n in range(rows))).encode()


def keys(place):
    """Count the idempotency keys that the store knows."""
    with place.service.database.read() as connection:
        return connection.execute(select(func.count(IdempotencyKeyRow.fingerprint))).scalar_one()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Run a service and a worker, for all tests of this module."""
    with placed(tmp_path_factory.mktemp("worked"), workers=1, orders=POLICY) as place:
        yield place


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """Run a service without workers, where batches wait."""
    with placed(tmp_path_factory.mktemp("idle"), workers=0, orders=POLICY) as place:
        yield place


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_record_is_kept_once(place, cut):
    """Wherever the first attempts are cut, the token has one record, of its first version, under
    one idempotency key; without the key a repetition would count the version up."""
    before = keys(place)
    padding = {"note": "x" * 500, "cut": repr(cut)}
    domain = f"{cut.side}-{cut.after}"
    with place.client() as client:
        place.proxy.cut(cut, cut)
        made = client.tokenize(
            CARD, scheme="credit-card", key="payments", domain=domain, metadata=padding
        )
        assert place.proxy.made == 3
        assert (made.record.version, made.record.state) == (1, "active")
        assert client.records.get(made.record.id).metadata == padding
    known = select(func.count(TokenRecordRow.id), func.max(TokenRecordRow.version))
    with place.service.database.read() as connection:
        found = connection.execute(known.where(TokenRecordRow.domain == domain)).one()
    assert tuple(found) == (1, 1)
    assert keys(place) == before + 1


def test_without_the_key_it_would_be_changed_twice(place):
    """What the test above would find: the version of a record that is asked for again."""
    given = {"scheme": "credit-card", "key": "payments", "domain": "twice", "store": True}
    with place.client() as client:
        first, second = (client.tokenize(CARD, **given).record for _ in range(2))
    assert (first.id, first.version, second.version) == (second.id, 1, 2)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_an_upload_is_one_batch(place, tmp_path, cut):
    """Wherever the first attempts are cut: one batch, one audit record, no file left behind."""
    path = tmp_path / "in.csv"
    path.write_bytes(content(20_000))
    created = len(place.service.audited("batch.create"))
    known_keys = keys(place)
    with place.client() as client:
        known = {one.id for one in client.batches.list(limit=200).items}
    far = Cut("request", 200_000) if cut == CUTS["within its body"] else cut
    with place.client() as client:
        place.proxy.cut(far, far)
        batch = client.batches.create(path, policy="orders")
        assert place.proxy.made == 3
        until = time.monotonic() + 20
        while True:
            # What was cut in the middle is forgotten a moment later.
            fresh = {one.id for one in client.batches.list(limit=200).items} - known
            if fresh == {batch.id}:
                break
            assert time.monotonic() < until, fresh
            time.sleep(0.05)
        client.batches.cancel(batch)
    assert len(place.service.audited("batch.create")) == created + 1
    assert keys(place) == known_keys + 1


def test_an_upload_that_cannot_be_read_again(idle):
    """A pipe whose bytes are gone is not sent again, and is no second batch."""
    created = len(idle.service.audited("batch.create"))
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(content(300))
    with os.fdopen(reading, "rb") as pipe, idle.client() as client:
        idle.proxy.cut(Cut("answer", 0))
        with pytest.raises(ServiceUnavailable):
            client.batches.create(pipe, policy="orders")
    assert idle.proxy.made == 1
    assert len(idle.service.audited("batch.create")) == created + 1


@pytest.fixture(scope="module")
def complete(place):
    """A batch that is complete, with a result of some megabytes."""
    with place.client() as client:
        batch = client.batches.create(content(150_000), policy="orders")
        return client.batches.wait(batch, poll_seconds=0.2, seconds=90)


def test_a_download_goes_on_through_cuts(place, complete, tmp_path):
    """Cut a dozen times at other places, it is the file, to the byte, of parts that were fetched
    once each."""
    with place.client() as client:
        place.proxy.cut()
        whole = client.batches.download(complete, tmp_path / "whole.csv").read_bytes()
    assert len(whole) > 3_000_000
    with place.client(retries=Retries(attempts=4, first=0.02, most=0.1)) as client:
        cuts = [Cut("request", 0), Cut("answer", 0), Cut("answer", 100)]
        cuts += [Cut("answer", 1_000 + 37_777 * n) for n in range(9)]
        place.proxy.cut(*cuts)
        target = client.batches.download(complete, tmp_path / "cut.csv")
        assert target.read_bytes() == whole
        assert place.proxy.made == len(cuts) + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.csv", "whole.csv"]


def test_an_awaited_download_does_too(place, complete, tmp_path):
    """The other client."""

    async def main():
        async with AsyncTokenizationClient(place.key, place.proxy.url, retries=QUICKLY) as client:
            place.proxy.cut(*[Cut("answer", 50_000)] * 4)
            await client.batches.download(complete, tmp_path / "cut.csv")
            place.proxy.cut(Cut("answer", 0), Cut("request", 300))
            return await client.tokenize(CARD, **COLUMN, metadata={"awaited": True})

    made = anyio.run(main)
    assert made.record is not None
    with place.client() as client:
        client.batches.download(complete, tmp_path / "whole.csv")
        assert client.records.get(made.record.id).metadata == {"awaited": True}
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_download_that_is_cut_for_good_leaves_nothing(place, complete, tmp_path):
    """Neither the file nor a part of it, and what was there stays."""
    (tmp_path / "there.csv").write_text("mine")
    with place.client(retries=Retries(attempts=3, first=0.02)) as client:
        for name in ("new.csv", "there.csv"):
            place.proxy.cut(Cut("answer", 90_000), *[Cut("answer", 10)] * 3)
            with pytest.raises(ServiceUnavailable):
                client.batches.download(complete, tmp_path / name, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text() == "mine"


@pytest.mark.parametrize("cut", BODILESS.values(), ids=BODILESS)
def test_a_batch_is_cancelled_once(idle, cut):
    """Wherever the first attempts are cut; one that had been cancelled is an error as ever."""
    with idle.client() as client:
        idle.proxy.cut()
        batch = client.batches.create(content(3), policy="orders")
    before = len(idle.service.audited("batch.cancel"))
    with idle.client() as client:
        idle.proxy.cut(cut, cut)
        assert client.batches.cancel(batch).state == "cancelled"
        with pytest.raises(RequestRefused) as caught:
            client.batches.cancel(batch)
    assert caught.value.means(BatchLost)
    assert len(idle.service.audited("batch.cancel")) == before + 1


@pytest.mark.parametrize("cut", BODILESS.values(), ids=BODILESS)
def test_a_result_is_removed_once(place, cut):
    """The same."""
    with place.client() as client:
        place.proxy.cut()
        batch = client.batches.create(content(3), policy="orders")
        client.batches.wait(batch, poll_seconds=0.2, seconds=90)
    before = len(place.service.audited("batch.remove"))
    with place.client() as client:
        place.proxy.cut(cut, cut)
        assert client.batches.delete(batch).state == "expired"
        with pytest.raises(RequestRefused):
            client.batches.delete(batch)
    assert len(place.service.audited("batch.remove")) == before + 1


@pytest.mark.parametrize("ends", ["answered", "dead"])
def test_an_attempt_that_is_under_way_is_waited_for(idle, monkeypatch, ends):
    """Its connection is gone, and it is carried out still, or its worker died: the repetition waits
    until it is done or given up, a minute that is two seconds here, and nothing is done twice."""
    monkeypatch.setattr(idempotency, "HELD_FOR", timedelta(seconds=2))
    records, keep = idle.service.state.records, idle.service.state.records.keep
    begun, goes_on = threading.Event(), threading.Event()

    def slowly(*given):
        monkeypatch.setattr(records, "keep", keep)
        begun.set()
        assert goes_on.wait(60)
        if ends == "dead":
            raise RuntimeError
        return keep(*given)

    monkeypatch.setattr(records, "keep", slowly)
    idle.proxy.cut()
    with idle.client() as client, ThreadPoolExecutor(1) as pool:
        given = {"scheme": "credit-card", "key": "payments", "domain": f"under-way-{ends}"}
        making = pool.submit(client.tokenize, CARD, **given, store=True)
        assert begun.wait(20)
        idle.proxy.break_open()
        if ends == "answered":
            time.sleep(0.5)
            goes_on.set()
        made = making.result(60)
        goes_on.set()
    assert idle.proxy.made >= 2
    assert made.record.version == 1


@contextmanager
def serving(environment, port):
    """Run the service in a process, and kill it at the end unless that was done."""
    command = [sys.executable, "-m", "tokenkit.cli.app", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_service_that_is_killed_and_started_again(tmp_path, monkeypatch):
    """Calls that are under way when it dies are done once by the next one; what it died over is
    waited for."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    url = f"sqlite:///{tmp_path / 'store' / 'tokenkit.db'}"
    Database.open(url).close()
    environment, key = prepared(url, tmp_path)
    (tmp_path / "policies" / "orders.yaml").write_text(POLICY)
    environment["TOKENKIT_SERVICE_BATCHES"] = str(tmp_path / "batches")
    environment["TOKENKIT_SERVICE_BATCH_WORKERS"] = "0"
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    patient = Retries(attempts=200, seconds=90, first=0.2, most=0.4)
    made: list[Any] = []
    with TokenizationClient(key, address, retries=patient) as client, ExitStack() as stack:
        first = stack.enter_context(serving(environment, port))
        ready(address, first)
        client.tokenize(CARD, **COLUMN)
        path = tmp_path / "in.csv"
        path.write_bytes(content(400_000))
        upload = threading.Thread(
            target=lambda: made.append(client.batches.create(path, policy="orders"))
        )
        upload.start()
        # Begun, and killed in the middle of it.
        until = time.monotonic() + 20
        while not list((tmp_path / "batches").glob("*")):
            assert time.monotonic() < until
            time.sleep(0.002)
        first.send_signal(signal.SIGKILL)
        first.wait(20)
        second = stack.enter_context(serving(environment, port))
        assert client.tokenize(CARD, **COLUMN, store=True).record is not None
        upload.join(60)
        assert not upload.is_alive()
        assert second.poll() is None
        assert [one.state for one in made] == ["queued"]
        shown = client.batches.list().items
        assert [one.id for one in shown if one.state != "uploading"] == [made[0].id]
    with Database.open(url) as database:
        assert len(tail(database, 100, action="batch.create")) == 1


def test_nothing_shows(place, complete, tmp_path, caplog):
    """Through every kind of fault, at the most talkative level: neither a value nor the key is in a
    log, an error, what hangs on it, or a repr."""
    walk = Walk()
    caught: list[BaseException] = []
    with caplog.at_level(logging.DEBUG):
        once = Retries(attempts=1)
        with (
            place.client(retries=once) as client,
            TokenizationClient("tkk_" + "A" * 43, place.proxy.url) as stranger,
            TokenizationClient(place.key, "http://127.0.0.1:9", retries=once) as nowhere,
        ):
            calls = [
                lambda: client.tokenize(CARD, **COLUMN, store=True),
                lambda: client.tokenize_many([CARD, "x"], **COLUMN),
                lambda: client.detokenize(CARD, **COLUMN),
                lambda: client.batches.create(content(30_000), policy="orders"),
                lambda: client.batches.download(complete, tmp_path / "a.csv"),
            ]
            for cut in CUTS.values():
                for call in calls:
                    client._transmitter._client._transport.close()
                    place.proxy.cut(cut)
                    with_error(caught, call)
            place.proxy.cut()
            for call in (
                lambda: stranger.tokenize(CARD, **COLUMN),
                lambda: nowhere.tokenize(CARD, **COLUMN),
                lambda: client.tokenize(f"{CARD}1", **COLUMN),
                lambda: client.tokenize(CARD, policy=CARD, column=CARD),
                lambda: client.tokenize(CARD, policy="orders", column="card", key=CARD),
                lambda: client.records.get(CARD),
            ):
                with_error(caught, call)
            for part in (client, client.batches, client.records, stranger):
                walk.look("repr", repr(part))
    assert len(caught) > 25
    kinds = {type(error) for error in caught}
    assert {ServiceUnavailable, RequestRefused, CallerRefused} <= kinds
    for error in caught:
        walk.error(error)
        assert place.key not in f"{error}{error!r}{vars(error)}"
        if isinstance(error, TokenkitError):
            assert error.__context__ is None
    assert "/v1/tokenize" in caplog.text
    walk.look("logs", caplog.text)
    assert place.key not in caplog.text
    assert walk.found == []
    # A cut that lies beyond a request's end lets its download be.
    assert {path.name for path in tmp_path.iterdir()} <= {"a.csv"}


def with_error(caught, call):
    try:
        call()
    except (TokenkitError, ValueError) as error:
        caught.append(error)
