"""Writes a table step by step in a process of its own, which the kit kills.

``python -m tokenkit.testing.connectors.writing CONNECTOR OPTIONS MODE RUN START ROWS`` says each
step on standard output before it takes it, and waits for a line of standard input.
"""

import json
import sys
from typing import Final

from tokenkit.jobs.connectors import find_connector
from tokenkit.testing.connectors.values import numbered

BATCHES: Final = 3
STEPS: Final = ("begin", *(["write"] * BATCHES), "count", "publish", "end")
"""What it says."""


def main(connector: str, options: str, mode: str, run: str, start: str, rows: str) -> None:
    """Write rows that are numbered from a start."""
    sink = find_connector(connector).open_sink(json.loads(options))
    frames = [numbered(int(rows), int(start) + number * int(rows)) for number in range(BATCHES)]
    _step("begin")
    with sink.writing(
        frames[0].schema, "append" if mode == "append" else "replace", run
    ) as writing:
        for frame in frames:
            _step("write")
            writing.write(frame)
        _step("count")
        if writing.count() != BATCHES * int(rows):
            raise SystemExit("the count is wrong")
        _step("publish")
        writing.publish()
        _step("end")


def _step(name: str) -> None:
    print(name, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
