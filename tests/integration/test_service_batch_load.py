"""Many batches at once: none starves, memory stays bounded, and the metrics are true."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from tests.integration.test_service_batch_restart import serving, waited
from tests.integration.test_service_faults import prepared
from tokenkit.batches.queue import SMALL_BYTES
from tokenkit.store.database import Database
from tokenkit.store.models.batches import BatchRow

POLICY = "columns: {ssn: {scheme: us-ssn, key: people}}\nunlisted: keep\n"
LARGE, SMALL = 4, 16
LARGE_ROWS, SMALL_ROWS = 2_000_000, 60_000
MOST_RESIDENT = 2 * 2**30
"""Of the service and its two workers together; 800 MiB were seen."""
HELD = timedelta(seconds=1)
"""How long a metric is given again."""
SLACK = timedelta(seconds=1)
"""A state's moment is taken before its transaction ends, which may have to wait for another one."""


@dataclass
class Watched:
    """What was seen of the service while it worked."""

    scrapes: list[tuple[datetime, datetime, dict[tuple[str, ...], float]]] = field(
        default_factory=list
    )
    most_resident: int = 0


def scraped(client):
    """Give the metrics of the queue, by size where they have one."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("tokenkit_batch_queue", "tokenkit_running"))
    }


def resident(client):
    """Give what the service and all its processes hold."""
    port = client.base_url.port
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.cmdline()[-2:] == ["--port", str(port)]:
                held = [child, *child.children(recursive=True)]
                return sum(one.memory_info().rss for one in held)
    return 0


@contextmanager
def watching(client, watched):
    """Look ten times a second for as long as this lasts."""
    over = threading.Event()

    def watch():
        while not over.wait(0.1):
            began = datetime.now(UTC)
            found = scraped(client)
            watched.scrapes.append((began - HELD - SLACK, datetime.now(UTC) + SLACK, found))
            watched.most_resident = max(watched.most_resident, resident(client))

    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(watch)
        try:
            yield
        finally:
            over.set()
        seen.result()


def content(number, rows):
    """Give a file whose rows say which one it is."""
    return b"batch,ssn\n" + b"%d,078-05-1120\n" % number * rows


class Past:
    """What the store's rows say of each moment that has been."""

    def __init__(self, rows):
        self._rows = rows
        moments = {moment for row in rows for moment in (row.queued, row.started, row.ended)}
        self._changes = sorted(moments)

    def moments(self, begin, end):
        """Give the moments that a scrape may be of: one in each state."""
        return [begin, *(one for one in self._changes if begin <= one <= end), end]

    def waiting(self, at, *, small):
        return sum(row.queued <= at < row.started for row in self._rows if row.is_small == small)

    def running(self, at):
        return sum(row.started <= at < row.ended for row in self._rows)

    def age(self, at):
        waits = [at - row.queued for row in self._rows if row.queued <= at < row.started]
        return max(waits, default=timedelta(0)).total_seconds()

    def ages(self, begin, end):
        """Give the ages that a scrape may be of, ten milliseconds apart."""
        step = timedelta(milliseconds=10)
        return [self.age(begin + step * number) for number in range(int((end - begin) / step) + 1)]


@pytest.mark.slow
def test_twenty_batches_at_once(database_url, tmp_path, monkeypatch):
    """Small ones go past large ones, each size in its order, and the queue is as the store says."""
    monkeypatch.setenv("TEST_PASSPHRASE", "")
    environment, key = prepared(database_url, tmp_path)
    (tmp_path / "policies" / "orders.yaml").write_text(POLICY)
    environment["TOKENKIT_SERVICE_BATCHES"] = str(tmp_path / "batches")
    headers = {"authorization": f"Bearer {key}"}
    watched = Watched()
    files = [content(number, LARGE_ROWS) for number in range(LARGE)]
    files += [content(number, SMALL_ROWS) for number in range(LARGE, LARGE + SMALL)]
    assert len(files[LARGE]) <= SMALL_BYTES < len(files[0])

    def upload(file):
        made = client.post(
            "/v1/batches", params={"policy": "orders"}, content=file, headers=headers
        )
        assert made.status_code == 202, made.text
        return made.json()["id"]

    waiting = {**environment, "TOKENKIT_SERVICE_BATCH_WORKERS": "0"}
    with serving(waiting) as client, watching(client, watched), ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(upload, files[:LARGE])) + list(pool.map(upload, files[LARGE:]))
    with serving(environment) as client:
        with watching(client, watched):
            for batch in ids:
                waited(client, headers, batch, lambda found: found["state"] == "complete")
        for number, batch in enumerate(ids):
            result = client.get(f"/v1/batches/{batch}/result", headers=headers).content
            lines, own = result.splitlines()[1:], b"%d," % number
            assert len(lines) == (LARGE_ROWS if number < LARGE else SMALL_ROWS)
            assert all(line.startswith(own) for line in lines)
            assert b"078-05-1120" not in result
        time.sleep(2 * HELD.total_seconds())
        assert set(scraped(client).values()) == {0}
    with Database.open(database_url) as database, database.read() as connection:
        columns = BatchRow.queued, BatchRow.started, BatchRow.ended, BatchRow.is_small
        rows = connection.execute(select(*columns, BatchRow.attempt)).all()
    assert [row.attempt for row in rows] == [1] * (LARGE + SMALL)
    for small in (True, False):
        mine = sorted((row for row in rows if row.is_small == small), key=lambda row: row.queued)
        assert all(one.started < next_one.started + SLACK for one, next_one in pairwise(mine))
    assert min(row.started for row in rows if row.is_small) < min(
        row.ended for row in rows if not row.is_small
    )
    past = Past(rows)
    queue = "tokenkit_batch_queue_batches"
    for begin, end, found in watched.scrapes:
        moments = past.moments(begin, end)
        for size in ("small", "large"):
            possible = {past.waiting(one, small=size == "small") for one in moments}
            assert found[queue, size] in possible
        assert found[("tokenkit_running_batches",)] in {past.running(one) for one in moments}
        age = found[("tokenkit_batch_queue_oldest_seconds",)]
        assert min(abs(age - one) for one in past.ages(begin, end)) < 0.1
    assert max(found[queue, "small"] for *_, found in watched.scrapes) == SMALL
    assert max(found[queue, "large"] for *_, found in watched.scrapes) == LARGE
    assert 0 < watched.most_resident < MOST_RESIDENT
