"""Every system call of a job fails in turn, is interrupted, or is the last one."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.faults.calls import MAKING, READING, Calls, Fault, Killed, watched
from tests.faults.shapes import MORE_SHAPES, Shape, State, check_whole, finals, temporary
from tokenkit.errors import JobError, TokenkitError
from tokenkit.jobs import run
from tokenkit.keys import Keyring

ROWS = 60
COUNTS = ("run", "rows_read", "rows_written", "rows_rejected", "columns", "rejects", "target")
pytestmark = [
    # Who is interrupted or killed leaves files open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.slow,
]


class Trial:
    """One shape's job, done over and over, each time disturbed at another call."""

    def __init__(self, shape: Shape, folder: Path, ring: Keyring) -> None:
        self.shape, self.ring = shape, ring
        self.folder, self.clean = folder / "work", folder / "clean"
        self.clean.mkdir()
        shape.prepare(self.clean, ring, ROWS)
        self.old = self.again()
        with watched(Calls()) as calls:
            self.report = self.run()
        self.calls = calls
        self.new = self.finals()
        assert temporary(self.folder) == []

    def again(self) -> State:
        """Begin with the folder as it was, and give what is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.clean, self.folder, copy_function=shutil.copy2)
        return self.finals()

    def run(self) -> dict[str, Any]:
        """Run the job, and give its report's counts."""
        report = run(self.shape.job(self.folder, self.ring)).to_json()
        self.status = report["status"]
        return {name: report[name] for name in COUNTS}

    def finals(self) -> State:
        """Read the outputs."""
        return finals(self.folder, self.shape, self.ring)

    def entries(self) -> list[str]:
        """List every file and folder."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def interesting(self, only: set[str] | None = None) -> Iterator[tuple[int, str]]:
        """Give the calls of the main thread, which alone is interrupted, that change something."""
        for number, name in enumerate(self.calls.names, 1):
            chosen = name in only if only else name not in ("stat", "lstat", "scandir", "listdir")
            if chosen and self.calls.main[number - 1]:
                yield number, name

    def complete(self, found: State) -> None:
        """The next run completes, equals an undisturbed one, and leaves nothing behind."""
        report = self.run()
        if self.status == "skipped":
            assert found == self.new
        else:
            assert report == self.report
        assert self.finals() == self.new
        assert temporary(self.folder) == []


@pytest.fixture(params=MORE_SHAPES, ids=lambda shape: shape.name)
def trial(request, folder, ring, monkeypatch):
    """Give each shape's job. The disk isn't waited for: no test here takes its power away."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return Trial(request.param, folder, ring)


def check_after_failure(trial: Trial, before: list[str], calls: Calls) -> State:
    """Check what a job leaves that has failed: all of its output or none, and nothing aside."""
    found = trial.finals()
    check_whole(trial.shape, found, trial.old, trial.new)
    if not calls.removing:
        assert temporary(trial.folder) == []
    if not trial.shape.options.get("force"):
        assert found in (trial.old, trial.new)
        if found == trial.old and not calls.removing:
            assert trial.entries() == before
    return found


def test_a_refused_call_is_a_typed_error(trial):
    """The error says what the system said, holds no other error, and nothing partial stays."""
    problems = []
    for number, name in enumerate(trial.calls.names, 1):
        fault: Fault = "EIO" if name in READING or number % 2 else "ENOSPC"
        trial.again()
        before = trial.entries()
        error = report = None
        calls = Calls(number, fault)
        try:
            with watched(calls):
                report = trial.run()
        except (TokenkitError, OSError) as exc:
            error = exc
        try:
            if error is None:
                found = trial.finals()
                assert report == trial.report
                assert found == trial.new
            else:
                assert isinstance(error, JobError), repr(error)
                assert error.__cause__ is error.__context__ is None
                assert "CANARY" not in str(error)
                if fault == "ENOSPC":
                    assert "no space is left" in str(error)
                found = check_after_failure(trial, before, calls)
            trial.complete(found)
        except (AssertionError, TokenkitError, OSError) as exc:
            problems.append(f"{number} {name}: {type(error).__name__} {error}: {exc!r:.300}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("fault", ["interrupt", "late interrupt"])
def test_an_interrupted_call_leaves_nothing(trial, fault):
    """Ctrl-C at any call ends the job, with all of its output or none, and nothing aside."""
    problems = []
    for number, name in trial.interesting(MAKING if "late" in fault else None):
        trial.again()
        before = trial.entries()
        calls = Calls(number, fault)
        interrupted = False
        try:
            with watched(calls):
                trial.run()
        except KeyboardInterrupt as exc:
            interrupted = True
            error: BaseException | None = exc
            while error is not None:
                assert not isinstance(error, pl.exceptions.PolarsError)
                error = error.__context__
        try:
            assert interrupted
            found = check_after_failure(trial, before, calls)
            gc.collect()
            trial.complete(found)
        except (AssertionError, TokenkitError, OSError) as exc:
            problems.append(f"{number} {name}: {exc!r:.300}")
    assert not problems, "\n".join(problems)


def test_killed_at_every_call(trial):
    """Whatever call is the last one, outputs are whole, and the next run completes."""
    problems = []
    for number, name in trial.interesting():
        trial.again()
        try:
            with watched(Calls(number, "kill")):
                trial.run()
        except Killed:
            pass
        gc.collect()
        try:
            found = trial.finals()
            check_whole(trial.shape, found, trial.old, trial.new)
            trial.complete(found)
        except (AssertionError, TokenkitError, OSError) as exc:
            problems.append(f"{number} {name}: {exc!r:.300}")
    assert not problems, "\n".join(problems)
