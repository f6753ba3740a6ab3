"""How far a job is: rows that have gone through it."""

from typing import Protocol


class Progress(Protocol):
    """Is told how far a job is, a few times a second, from the thread that runs it."""

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Hear that the job begins, and how many rows it has: exactly, about, or None."""

    def advance(self, rows: int) -> None:
        """Hear how many rows have gone through since the beginning."""

    def finish(self) -> None:
        """Hear that the job has ended, well or not."""


class Silent:
    """Tells nobody."""

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Do nothing."""

    def advance(self, rows: int) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""
