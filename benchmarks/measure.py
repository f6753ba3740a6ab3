"""How one workload is measured: inputs made anew, outputs verified, the bound taken beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# FF1 with ten rounds of one block each: what a value of sixteen digits needs at least.
BYTES_PER_VALUE = 160


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table: its title, how many cores it may use, and the kernel asked for."""

    title: str
    cores: int = 1
    kernel: str = "auto"


@dataclasses.dataclass(frozen=True)
class Workload:
    """Something to measure.

    ``prepare`` makes an input and isn't timed, ``run`` is, and ``verify`` raises where an output
    is wrong.
    """

    rows: int
    prepare: Callable[[], Any]
    run: Callable[[Any], Any]
    verify: Callable[[Any, Any], None]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Medians over the repeats.

    ``wall`` and ``cpu`` are seconds for ``rows`` values; ``bound`` is the AES rate of one core in
    values a second, taken between the repeats; ``peak`` is the process's peak memory in bytes.
    """

    rows: int
    wall: float
    cpu: float
    bound: float
    peak: int

    @property
    def rate(self) -> float:
        """Values a CPU second."""
        return self.rows / self.cpu

    @property
    def ratio(self) -> float:
        """Values a CPU second, as a multiple of the bound."""
        return self.rate / self.bound

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what a child process printed."""
        return cls(**json.loads(text))


def aes_rate(seconds: float = 0.15) -> float:
    """Bytes a CPU second that OpenSSL's AES-256-ECB encrypts, in buffers of 64 KiB."""
    buffer = os.urandom(65_536)
    target = bytearray(len(buffer) + 15)
    encryptor = Cipher(algorithms.AES(os.urandom(32)), modes.ECB()).encryptor()
    calls = 0
    start = time.process_time()
    while (elapsed := time.process_time() - start) < seconds:
        for _ in range(64):
            encryptor.update_into(buffer, target)
        calls += 64
    return calls * len(buffer) / elapsed


def bound() -> float:
    """Values a second of one core if AES were all there is."""
    return aes_rate() / BYTES_PER_VALUE


def measure(workload: Workload, repeats: int) -> Measurement:
    """Measure a workload; the first round warms up and is thrown away."""
    wall, cpu, bounds = [], [], []
    for number in range(repeats + 1):
        given = workload.prepare()
        bounds.append(bound())
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        output = workload.run(given)
        wall_end, cpu_end = time.perf_counter(), time.process_time()
        wall.append(wall_end - wall_start)
        cpu.append(cpu_end - cpu_start)
        if number == repeats:
            # Before the verification, whose own copies don't count.
            peak = peak_memory()
            workload.verify(given, output)
            return Measurement(
                rows=workload.rows,
                wall=statistics.median(wall[1:]),
                cpu=statistics.median(cpu[1:]),
                bound=statistics.median(bounds),
                peak=peak,
            )
        del given, output
    raise ValueError("at least one repeat")


def peak_memory() -> int:
    """Peak resident memory of this process, in bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Stay on one core, and let child processes inherit that, where the system can (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
