"""The file of rejected rows, while a job writes it."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

import polars as pl

from tokenkit.errors import JobError, TokenkitError, translated
from tokenkit.jobs.aside import AsideFile, already_there, refusing
from tokenkit.jobs.rejects.description import REJECTS_KEY, RejectsDescription
from tokenkit.jobs.rejects.sinking import sink_rejects


class RejectsFile:
    """Rejected rows of every pass of a run, in one file that only its owner may read.

    A context manager: what isn't published by its end is removed.

    Parameters
    ----------
    path
        Where the file is to be.
    run
        The run's id.
    replace
        Whether a file that is there goes, whatever it holds.
    renew
        Whether it goes if it holds another run's rejected rows.

    Raises
    ------
    OutputExists
        If another run's file is there, and isn't to be replaced.
    """

    failure: TokenkitError | None = None

    def __init__(self, path: Path, run: str, *, replace: bool, renew: bool) -> None:
        self.path = path
        self._replace = replace
        self._renew = renew
        self._fresh = False
        self._run = run
        self._description: RejectsDescription | None = None
        self._stack = contextlib.ExitStack()
        self._files: list[AsideFile] = []
        self._writer: BinaryIO | None = None
        if self.path.exists() and not self._may_replace():
            raise already_there(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def writer(self, description: RejectsDescription) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
        """Give what writes the rejected rows of the next pass."""
        if self._description is not None and description != self._description:
            raise JobError(
                "the inputs have different columns, so that their rejected rows don't fit one file",
                hint="run a job for each kind of input",
            )
        self._description = description
        aside = self._stack.enter_context(AsideFile(self.path))
        self._files.append(aside)
        self._writer = aside.writer()
        writer = self._writer
        return lambda frame: sink_rejects(frame, writer, description)

    def close(self) -> None:
        """Close what the last pass wrote to."""
        if self._writer is not None:
            self._writer.close()

    def count_last(self) -> int:
        """Count the rows of the last pass, by reading them again."""
        return count_rows(self._files[-1].path)

    def clear(self) -> None:
        """Remove another run's file: this one has rejected no row."""
        with refusing(self.path):
            self.path.unlink(missing_ok=True)

    def withdraw(self) -> None:
        """Take the name away again, unless the file has replaced another one."""
        if self._fresh:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def publish(self, rows: int) -> None:
        """Give the file its name."""
        whole = self._files[0]
        if len(self._files) > 1 and self._description is not None:
            whole = self._joined(rows, self._description)
        whole.flush()
        with refusing(self.path):
            fresh = not self.path.exists()
        whole.publish(replace=self._may_replace(), private=True)
        self._fresh = fresh

    def _joined(self, rows: int, description: RejectsDescription) -> AsideFile:
        whole = self._stack.enter_context(AsideFile(self.path))
        with translated():
            parts = pl.scan_parquet([file.path for file in self._files], glob=False)
            with whole.writer() as writer:
                sink_rejects(parts, writer, description).collect(engine="streaming")
            count = count_rows(whole.path)
        if count != rows:
            raise JobError(
                f"{rows:,} rows were rejected, and {count:,} set aside; nothing was written",
                file=str(self.path),
            )
        return whole

    def _may_replace(self) -> bool:
        """Whether a file that is there may go: this same run, killed, has left it, say."""
        if self._replace:
            return True
        return _is_of_some_run(self.path) if self._renew else is_of_run(self.path, self._run)


def is_of_run(path: Path, run: str) -> bool:
    """Whether a file holds the rejected rows of a run."""
    try:
        found = pl.read_parquet_metadata(path).get(REJECTS_KEY)
        return RejectsDescription.parse(found).run == run
    except Exception:  # noqa: BLE001 - whatever it is, it isn't this run's
        return False


def remove_file(path: Path) -> None:
    """Remove a file, if it holds rejected rows."""
    if path.is_file() and _is_of_some_run(path):
        with refusing(path):
            path.unlink(missing_ok=True)


def _is_of_some_run(path: Path) -> bool:
    try:
        return bool(RejectsDescription.parse(pl.read_parquet_metadata(path).get(REJECTS_KEY)).run)
    except Exception:  # noqa: BLE001 - whatever it is, it holds no rejected rows
        return False


def count_rows(path: Path) -> int:
    """Count the rows of a file of rejected rows."""
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
