"""The audit log: rows chained into a real PostgreSQL that syncs every commit, and verified again.

``python -m benchmarks.audit [ROWS] [BATCH]`` starts a server of its own with fsync and
synchronous_commit on, appends ROWS records (default a million) in batches of BATCH (default
50,000, each a transaction), then verifies the chain in a process of its own. It prints rows a
second, and the CPU seconds of each side; issue the command on an idle machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks.measure import peak_memory

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import Connection

    from tokenkit.keys import Keyring

_ROWS = 1_000_000
_BATCH = 50_000
# Records of a run stand together, as jobs write them.
_ROWS_OF_RUN = 20
_START = datetime(2027, 1, 1, tzinfo=UTC)


def records(rows: int) -> pl.DataFrame:
    """Make up records, about as long as those of jobs."""
    import numpy as np
    import polars as pl

    generator = np.random.default_rng(7)
    runs = [
        str(UUID(bytes=generator.bytes(16), version=4)) for _ in range(-(-rows // _ROWS_OF_RUN))
    ]
    number = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {
            "at": _START + number * timedelta(seconds=2),
            "actor": pl.Series(["etl@worker-1"]).new_from_index(0, rows),
            "action": pl.Series(["tokenize"]).new_from_index(0, rows),
            "outcome": pl.Series(["complete"]).new_from_index(0, rows),
            "object": "file:///data/customers/part-" + (number % 1_000).cast(pl.String),
            "run": pl.Series(runs).gather(number // _ROWS_OF_RUN),
            "key": pl.Series(["payments"]).new_from_index(0, rows),
            "key_id": pl.Series([305_419_896]).new_from_index(0, rows),
            "count": number,
        }
    )


def keyring() -> Keyring:
    """Open the keyring of both processes."""
    from tokenkit.keys import Keyring

    return Keyring.from_secrets({"audit": bytes(range(32))})


def backend_seconds(connection: Connection) -> float | None:
    """CPU seconds so far of the server's process behind a connection, where the system tells."""
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    fields = stat.read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_peak() -> int:
    """Peak memory in bytes; on Linux without what the parent had when it started this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_memory()
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def ingest(url: str, rows: int, batch: int) -> dict[str, Any]:
    """Append the records; gives seconds, and those of each side's processor."""
    from tokenkit.store.audit import AuditLog
    from tokenkit.store.database import Database

    frame = records(rows)
    with Database.open(url) as database, keyring() as ring:
        log = AuditLog(database)
        key = ring["audit"].primary
        with database.read() as connection:
            server = backend_seconds(connection)
        wall, client = time.perf_counter(), time.process_time()
        for start in range(0, rows, batch):
            with database.begin() as connection:
                log.append_many(connection, frame.slice(start, batch), key)
        log.checkpoint()
        wall, client = time.perf_counter() - wall, time.process_time() - client
        with database.read() as connection:
            settings = [
                connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                for name in ("fsync", "synchronous_commit")
            ]
            assert settings == ["on", "on"], settings
            after = backend_seconds(connection)
    spent = None if server is None or after is None else after - server
    return {"wall": wall, "client": client, "server": spent}


def verify(url: str) -> dict[str, Any]:
    """Verify the whole log; gives seconds and this process's peak memory, libraries included."""
    from tokenkit.store.audit import verify as verified
    from tokenkit.store.audit import verifying_keys
    from tokenkit.store.database import Database

    with Database.open(url) as database, keyring() as ring:
        wall, client = time.perf_counter(), time.process_time()
        found = verified(database, verifying_keys(ring))
        wall, client = time.perf_counter() - wall, time.process_time() - client
    found.require()
    assert found.unprotected_records == 0
    return {
        "wall": wall,
        "client": client,
        "records": found.records,
        "peak": own_peak(),
    }


def measure(rows: int, batch: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Append and verify on a server of its own; gives the facts of each."""
    from tokenkit.store.database import Database
    from tokenkit.store.upgrading import upgrade
    from tokenkit.testing.postgresql import PostgresServer

    with tempfile.TemporaryDirectory() as folder, PostgresServer(durable=True) as server:
        os.environ["XDG_DATA_HOME"] = folder
        with Database.open(server.url(), check=False) as database:
            upgrade(database)
        done = ingest(server.url(), rows, batch)
        command = [sys.executable, "-m", "benchmarks.audit", "verify", server.url()]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    found: dict[str, Any] = json.loads(output)
    assert found["records"] == rows
    return done, found


def results(
    rows: int = _ROWS, batch: int = _BATCH
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Measure, as a table: headings, and a line for appending and for verifying."""
    headings = ("", "records/s", "s", "client CPU s", "server CPU s", "peak MiB")
    lines: list[tuple[str, ...]] = []
    for name, one in zip(("append", "verify"), measure(rows, batch), strict=True):
        server = one.get("server")
        lines.append(
            (
                f"{name} {rows:,} records",
                f"{rows / one['wall']:,.0f}",
                f"{one['wall']:.2f}",
                f"{one['client']:.2f}",
                "" if server is None else f"{server:.2f}",
                f"{one['peak'] / 2**20:.0f}" if "peak" in one else "",
            )
        )
    return headings, lines


def main() -> None:
    """Measure and print, or do a step in a process of its own."""
    if sys.argv[1:2] == ["verify"]:
        print(json.dumps(verify(sys.argv[2])))
        return
    sizes = [int(word) for word in sys.argv[1:3]]
    headings, lines = results(*sizes)
    for line in lines:
        named = zip(headings[1:], line[1:], strict=True)
        print(line[0], *(f"{value} {heading}" for heading, value in named if value), sep=", ")


if __name__ == "__main__":
    main()
