"""How far a batch is, told to a function or shown as a bar."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

from tokenkit.client.facts import Batch

Tell: TypeAlias = Callable[[Batch], object]
Progress: TypeAlias = bool | Tell
"""A function that is told how a batch stands, each time that it is asked about; True for a bar."""


@contextmanager
def telling(progress: Progress) -> Generator[Tell, None, None]:
    """Give what is told how a batch stands.

    Examples
    --------
    >>> seen = []
    >>> with telling(seen.append) as tell:
    ...     tell("a batch")
    >>> seen
    ['a batch']
    """
    if progress is True:
        with _bar() as tell:
            yield tell
    elif progress is False:
        yield lambda _batch: None
    else:
        yield progress


@contextmanager
def _bar() -> Generator[Tell, None, None]:
    # What draws is loaded by those alone who want to see it.
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("queued", total=None)

        def tell(batch: Batch) -> None:
            total = batch.rows_read if batch.rows_read is not None else batch.progress.of
            done = batch.progress.rows if batch.rows_read is None else batch.rows_read
            # A guess of how many rows there are may be too low.
            total = None if total is None else max(total, done)
            bar.update(task, description=batch.state, completed=done, total=total)

        yield tell
