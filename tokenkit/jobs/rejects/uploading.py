"""The object of rejected rows, while a job writes it."""

import contextlib
from collections.abc import Callable
from typing import Self

import polars as pl

from tokenkit.errors import JobError, TokenkitError
from tokenkit.jobs.aside import already_there
from tokenkit.jobs.connectors.formats.parquet import footer_of, rows_of_end
from tokenkit.jobs.connectors.passing import Tail
from tokenkit.jobs.objects.files import find
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.requests import delete
from tokenkit.jobs.objects.upload import Upload
from tokenkit.jobs.rejects.description import REJECTS_KEY, RejectsDescription
from tokenkit.jobs.rejects.sinking import sink_rejects


class RejectsObject:
    """Rejected rows of the one pass of a run, in one object; who may read it, the bucket says.

    A context manager: what isn't published by its end is gone.

    Parameters
    ----------
    place
        Where the object is to be.
    run
        The run's id.
    replace
        Whether an object that is there goes, whatever it holds.
    renew
        Whether it goes if it holds another run's rejected rows.

    Raises
    ------
    OutputExists
        If another run's object is there, and isn't to be replaced.
    """

    def __init__(self, place: ObjectPlace, run: str, *, replace: bool, renew: bool) -> None:
        self.path = self._place = place
        self._run = run
        self._replace = replace
        self._renew = renew
        self._fresh = False
        self._upload: Upload | None = None
        self._tail: Tail | None = None
        if find(place) is not None and not self._may_replace():
            raise already_there(place.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._upload is not None:
            self._upload.abort()

    @property
    def failure(self) -> TokenkitError | None:
        """What writing failed with."""
        return None if self._upload is None else self._upload.failure

    def writer(self, description: RejectsDescription) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
        """Give what writes the rejected rows."""
        if self._upload is not None:
            raise JobError(
                "the rejected rows of several outputs don't go into one object",
                file=self._place.shown,
                hint="rejects: a file on this machine",
            )
        self._upload = Upload(self._place)
        tail = self._tail = Tail(self._upload)
        return lambda frame: sink_rejects(frame, tail, description)

    def close(self) -> None:
        """Do nothing: the rest goes when the object is published."""

    def count_last(self) -> int:
        """Count the rows that were written, by the footer that went by."""
        return 0 if self._tail is None else rows_of_end(self._tail.end())

    def clear(self) -> None:
        """Remove another run's object: this one has rejected no row."""
        if find(self._place) is not None:
            delete(self._place)

    def withdraw(self) -> None:
        """Remove the object again, unless it has replaced another one."""
        if self._fresh:
            with contextlib.suppress(TokenkitError):
                delete(self._place)

    def publish(self, rows: int) -> None:
        """Complete the object."""
        del rows
        if self._upload is None:
            return
        fresh = find(self._place) is None
        if not fresh and not self._may_replace():
            raise already_there(self._place.url)
        self._fresh = fresh
        self._upload.complete()

    def _may_replace(self) -> bool:
        """Whether an object that is there may go: this same run, killed, has left it, say."""
        found = None if self._replace else described(self._place)
        ours = found is not None and (self._renew or found.run == self._run)
        return self._replace or ours


def remove_object(place: ObjectPlace) -> None:
    """Remove an object, if it holds rejected rows."""
    if described(place) is not None:
        delete(place)


def count_object(place: ObjectPlace, run: str) -> int:
    """Count the rows of an object that a run has set aside, if it's that run's."""
    found = described(place)
    file = None if found is None or found.run != run else find(place)
    return 0 if file is None else int(footer_of(file).num_rows)


def described(place: ObjectPlace) -> RejectsDescription | None:
    """Read what an object of rejected rows says of itself; None if there is none."""
    file = find(place)
    try:
        entries = None if file is None else footer_of(file).metadata
        text = (entries or {}).get(REJECTS_KEY.encode())
        return None if text is None else RejectsDescription.parse(text.decode())
    except Exception:  # noqa: BLE001 - whatever it is, it holds no rejected rows
        return None
