"""Reads a table in a process of its own, and says how many rows and how much memory that took.

``python -m tokenkit.testing.connectors.reading CONNECTOR OPTIONS``
"""

import json
import re
import resource
import sys
from pathlib import Path

import polars as pl

from tokenkit.jobs.connectors import find_connector


def main(connector: str, options: str) -> None:
    """Count a table's rows in a streaming query."""
    rows = []

    def take(frame: pl.DataFrame) -> None:
        rows.append(frame.height)

    source = find_connector(connector).open_source(json.loads(options))
    # The batches that jobs take.
    source.scan().sink_batches(take, chunk_size=50_000)
    print(json.dumps({"rows": sum(rows), "peak": peak_memory()}))


def peak_memory() -> int:
    """Give the peak of this process's memory in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # The other count begins with what the parent had when it forked.
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii"))
        if found is not None:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
