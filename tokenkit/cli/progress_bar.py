"""A progress bar on standard error, for what takes longer than a moment."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_PATIENCE = 1.0
"""Seconds after which a progress bar is worth showing."""


class ProgressBar:
    """Shows how far a job is."""

    def __init__(self, label: str, console: "Console") -> None:
        self._console = console
        self._label = label
        self._begun = time.monotonic()
        self._rows: int | None = None
        self._exact = False
        self._shown: tuple[Progress, TaskID] | None = None

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Remember how many rows there are."""
        self._begun = time.monotonic()
        self._rows, self._exact = rows, exact

    def advance(self, rows: int) -> None:
        """Move the bar, once there is something to wait for."""
        if self._shown is None:
            if time.monotonic() - self._begun < _PATIENCE:
                return
            self._shown = self._open()
        bar, task = self._shown
        # An estimate that turns out too low grows with what has been read.
        total = None if self._rows is None else max(self._rows, rows)
        bar.update(task, completed=rows, total=total)

    def finish(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown[0].stop()

    def _open(self) -> "tuple[Progress, TaskID]":
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        about = "" if self._exact else "about "
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,} of " + about + "{task.total:,} rows"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        bar.start()
        return bar, bar.add_task(self._label, total=self._rows or 0)
