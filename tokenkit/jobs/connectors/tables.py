"""What a connector gives to jobs: a table to read, and one to write."""

from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import polars as pl

from tokenkit.errors import JobError
from tokenkit.lineage.datasets import Dataset

TableMode: TypeAlias = Literal["replace", "append"]
"""Whether a table holds what a job wrote and nothing else, or that beside what was there."""


class TableSource(Protocol):
    """A table, or the result of a query, to read.

    Making one connects to nothing: the columns are asked for when they are needed.
    """

    @property
    def shown(self) -> str:
        """Its name for messages and reports: never a password, nor the text of a query."""

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage, see :mod:`tokenkit.lineage.naming`."""

    @property
    def is_versioned(self) -> bool:
        """Whether the fingerprint changes whenever a row does."""

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns, as :meth:`scan` gives them.

        Raises
        ------
        InputError, InputNotFound
            If there is no such table, or it can't be reached; with the system's error number at
            most, since its text may hold values or secrets.
        UnsupportedType
            If a column is of a type that can't be read, with a hint how to cast it.
        """

    @property
    def estimated_rows(self) -> int | None:
        """How many rows there are about, for a progress bar."""

    def fingerprint(self) -> list[object]:
        """Give what says which table this is, or which version of it: no secret among it."""

    def scan(self) -> pl.LazyFrame:
        """Give the rows lazily, in bounded memory, all of one moment.

        Several sinks of one query share one reading;
        :class:`~tokenkit.jobs.connectors.streams.Stream` makes such a frame of batches.
        """

    def explain(self, text: str) -> JobError | None:
        """Say in our own words what an error of the scan says; ``text`` may hold values."""


class TableWriting(Protocol):
    """Rows on their way into a table, where nobody else sees them yet."""

    def write(self, rows: pl.DataFrame) -> None:
        """Take some more rows. Called by one thread at a time, not always the same one."""

    def count(self) -> int:
        """Count the rows that were taken, as the system says."""

    def publish(self) -> None:
        """Make them the table, or a part of it, in one step.

        Raises
        ------
        JobError
            If it can't be done; then nothing has changed.
        """

    def is_published(self) -> bool:
        """Whether that step was taken, or may have been."""


class TableSink(Protocol):
    """A table to write. Making one connects to nothing."""

    @property
    def shown(self) -> str:
        """Its name for messages and reports: never a password."""

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""

    def exists(self) -> bool:
        """Whether there is such a table now.

        Raises
        ------
        JobError
            If the system can't be reached.
        """

    def check(self, schema: pl.Schema, mode: TableMode) -> None:
        """Refuse columns that the table can't hold.

        Raises
        ------
        UnsupportedType
            If a column is of a type that the system lacks.
        JobError
            If rows are to be added to a table of other columns.
        """

    def writing(
        self, schema: pl.Schema, mode: TableMode, run: str
    ) -> AbstractContextManager[TableWriting]:
        """Begin to write. What isn't published by the end of the block is gone.

        Parameters
        ----------
        schema
            The columns of all rows that will come.
        mode
            ``replace``: the rows become the whole table. ``append``: rows that an earlier run of
            the same id has added go in the same step, so that none is there twice.
        run
            The run's id, 32 hexadecimal digits.

        Raises
        ------
        JobError
            If it can't be begun.
        """


@runtime_checkable
class ReadableTable(Protocol):
    """A sink whose rows can be read again, so that what was written can be checked."""

    def written(self, mode: TableMode, run: str) -> TableSource:
        """Give what a run has written, to read: its dataset is the sink's.

        Parameters
        ----------
        mode
            How the run wrote: of a table that was replaced it's the whole table, of one that was
            added to it's the rows of this run.
        run
            The run's id.
        """
