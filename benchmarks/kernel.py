"""The native kernel alone, without Python, Arrow or memory: the crate's own throughput example."""

from __future__ import annotations

import re
import statistics
import subprocess
from pathlib import Path

from benchmarks.measure import Line, Measurement, bound, one_core

_NATIVE = Path(__file__).parents[1] / "native"
_COMMAND = ["cargo", "run", "--release", "--locked", "--quiet", "-p", "tokenkit-algorithms"]
_LINE = re.compile(r"(?P<name>\S.*?)\s+(?P<rate>\d+\.\d+)\s+\d+\.\d+ %")
# What the example calls a path, and what the table calls it.
_PATHS = {
    "16 digits, text": "kernel alone",
    "radix 62 x 20, text": "kernel alone, 20 letters and digits",
    "radix 62 x 32, text": "kernel alone, 32 letters and digits",
}
_DIRECTIONS = {"Encrypt": "", "Decrypt": ", detokenize"}
# Values that the example works on at once.
_ROWS = 1 << 15


def measure(repeats: int = 5) -> list[tuple[Line, Measurement]]:
    """Run the example several times on one core, the bound between the runs; medians.

    Each run of the example has inputs of its own, tells the median of its rounds in 0.4 s, and
    checks that what it encrypted comes back.
    """
    rates: dict[str, list[float]] = {}
    bounds = []
    _run([*_COMMAND, "--example", "throughput", "nothing"])
    with one_core():
        for _ in range(repeats):
            bounds.append(bound())
            for path in _PATHS:
                for name, rate in _lines(_run([*_COMMAND, "--example", "throughput", path])):
                    rates.setdefault(name, []).append(rate)
    return [
        (Line(_title(name), kernel=_kernel(name)), _measured(found, bounds))
        for name, found in rates.items()
    ]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=_NATIVE, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def _lines(output: str) -> list[tuple[str, float]]:
    matches = [_LINE.fullmatch(line.strip()) for line in output.splitlines()]
    return [(found["name"], float(found["rate"]) * 1e6) for found in matches if found]


def _title(name: str) -> str:
    path, kernel, direction = name.rsplit(", ", 2)
    portable = ", portable" if kernel == "portable" else ""
    return _PATHS[path] + _DIRECTIONS[direction] + portable


def _kernel(name: str) -> str:
    return name.rsplit(", ", 2)[1]


def _measured(rates: list[float], bounds: list[float]) -> Measurement:
    seconds = _ROWS / statistics.median(rates)
    return Measurement(_ROWS, seconds, seconds, statistics.median(bounds), peak=0)
