"""Jobs killed with signal 9 at random moments: nothing partial has a name, the next completes."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.shapes import SHAPES, Shape, check_whole, finals, temporary
from tokenkit.jobs import run

ROOT = Path(__file__).parents[2]
ROWS = 60_000
MOMENTS = 8
"""For each shape: more than fifty in all."""
BEFORE_WRITING = 2
COUNTS = ("status", "rows_read", "rows_written", "rows_rejected", "columns")


def started(shape: Shape, folder: Path) -> subprocess.Popen[bytes]:
    """Start the job in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tokenkit.cli.app", *shape.command()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextlib.contextmanager
def copied(folder: Path, name: str) -> Iterator[Path]:
    """Give a copy of the folder as it was before the job."""
    copy = folder.parent / f"{folder.name}-{name}"
    shutil.copytree(folder, copy, copy_function=shutil.copy2)
    yield copy
    shutil.rmtree(copy)


def wait_for_writing(process: subprocess.Popen[bytes], folder: Path) -> float:
    """Wait until the job has begun to write, and give the time."""
    while not temporary(folder):
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    return time.monotonic()


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_killed_at_random_moments(shape, folder, ring):
    """Every file under a final name is whole; the next run gives what an undisturbed one does."""
    shape.prepare(folder, ring, ROWS)
    old = finals(folder, shape, ring)
    with copied(folder, "undisturbed") as copy:
        begun = time.monotonic()
        process = started(shape, copy)
        writing = wait_for_writing(process, copy)
        output, errors = process.communicate(timeout=60)
        ended = time.monotonic()
        assert process.returncode == 0, errors.decode()
        undisturbed = json.loads(output)
        new = finals(copy, shape, ring)
        assert temporary(copy) == []
    seed = random.SystemRandom().randrange(2**32)
    source = random.Random(seed)
    # Shown when the test fails.
    print(f"seed {seed}, {writing - begun:.2f} s before writing, {ended - writing:.2f} s after")  # noqa: T201
    for number in range(MOMENTS):
        early = number < BEFORE_WRITING
        moment = source.uniform(0, writing - begun if early else ended - writing)
        with copied(folder, str(number)) as copy:
            process = started(shape, copy)
            if not early:
                wait_for_writing(process, copy)
            time.sleep(moment)
            process.kill()
            process.communicate()
            found = finals(copy, shape, ring)
            left = len(temporary(copy))
            print(f"{moment:.3f} s: {process.returncode}, {left} left, {len(found)} there")  # noqa: T201
            check_whole(shape, found, old, new)
            report = run(shape.job(copy, ring)).to_json()
            assert finals(copy, shape, ring) == new
            assert temporary(copy) == []
            assert report["run"] == undisturbed["run"]
            if report["status"] == "skipped":
                assert found == new
            else:
                assert {name: report[name] for name in COUNTS} == {
                    name: undisturbed[name] for name in COUNTS
                }
