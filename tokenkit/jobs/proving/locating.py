"""Which rows of an output don't hold what was read: found by keyed marks, without any value."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from tokenkit.engines.polars.proof import Proof
from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import translated
from tokenkit.jobs.job import Job
from tokenkit.jobs.outcomes import FILE, PASSED, ROW
from tokenkit.jobs.partitions import turned_path
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.progress import Progress
from tokenkit.jobs.proving.marks import Types, mark_column, of_output, of_source
from tokenkit.jobs.proving.report import DifferingRow
from tokenkit.jobs.queries import beside, read_through
from tokenkit.jobs.tables.inlets import TABLE
from tokenkit.jobs.targets import renamed

_READ, _WRITTEN = "read_", "written_"
_PLACES: Final = [f"{_WRITTEN}{FILE}", f"{_WRITTEN}{ROW}", f"{_READ}{FILE}", f"{_READ}{ROW}"]


@dataclass(slots=True)
class Located:
    """The rows that differ.

    Attributes
    ----------
    counts
        How many, by column.
    rows
        The first few of each column.
    """

    most_rows: int
    counts: Counter[str] = field(default_factory=Counter)
    rows: dict[str, list[DifferingRow]] = field(default_factory=dict)

    def add(self, column: str, count: int, rows: Sequence[DifferingRow]) -> None:
        """Add what was found in a file, or in all."""
        self.counts[column] += count
        before = self.rows.setdefault(column, [])
        before += rows[: self.most_rows - len(before)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What is compared.

    Attributes
    ----------
    job
        What was done.
    inputs, outputs
        What it read, and what it has written.
    proofs
        The columns that don't hold, and the keys of their marks.
    types
        The types of tokens in text files.
    most_rows
        How many rows of each column are wanted.
    counter, progress
        Counts the rows that are read, and is told of them.
    """

    job: Job
    inputs: Sequence[Input]
    outputs: Sequence[Input]
    proofs: Mapping[str, Proof]
    types: Types
    most_rows: int
    counter: RowCounter
    progress: Progress

    def read(self, inputs: Sequence[Input]) -> pl.LazyFrame:
        """Give the marks of what was read."""
        limit = self.job.limit
        return of_source(inputs, self.proofs, limit, self.counter, by_row=True)

    def written(self, outputs: Sequence[Input]) -> pl.LazyFrame:
        """Give the marks of what was written."""
        return of_output(outputs, self.proofs, self.types, self.counter, by_row=True)

    def run(self, frames: Sequence[pl.LazyFrame], inputs: Sequence[Input]) -> list[pl.DataFrame]:
        """Run queries over some of it."""
        return read_through(frames, self.counter, self.progress, inputs)


def locate(sides: Sides, *, mirrored: bool, ordered: bool) -> Located:
    """Find the rows that differ.

    Parameters
    ----------
    sides
        What is compared.
    mirrored
        Whether each input has an output of its own.
    ordered
        Whether the rows of the output stand in the source's order. If not, values are looked for
        that stand on one side more often than on the other.
    """
    found = Located(sides.most_rows)
    for read, written in _pairs(sides) if mirrored else [(sides.inputs, sides.outputs)]:
        if ordered:
            _in_order(sides, read, written, found)
        else:
            _in_any_order(sides, read, written, found)
    return found


def find_foreign(sides: Sides) -> Located:
    """Find values of the output that are no tokens: what can be said without the source."""
    with translated():
        written = sides.written(sides.outputs)
        marks = [pl.col(mark_column(number)) for number in range(len(sides.proofs))]
        frames = [
            *(
                written.filter(mark.is_null()).select(FILE, ROW).head(sides.most_rows)
                for mark in marks
            ),
            written.select(*(mark.null_count() for mark in marks), pl.col(PASSED).sum()),
        ]
    *rows, counts = sides.run(frames, sides.outputs)
    found = Located(sides.most_rows)
    for name, places, count in zip(sides.proofs, rows, counts.row(0)[:-1], strict=True):
        found.add(name, count, _of_output(sides.outputs, name, places))
    return found


def _pairs(sides: Sides) -> list[tuple[list[Input], list[Input]]]:
    suffix = sides.job.output_format
    read = {renamed(turned_path(item), suffix): item for item in sides.inputs}
    written = {item.inlet.relative: item for item in sides.outputs}
    return [
        ([read[name]] if name in read else [], [written[name]] if name in written else [])
        for name in dict.fromkeys([*read, *written])
    ]


def _in_order(
    sides: Sides, read: Sequence[Input], written: Sequence[Input], found: Located
) -> None:
    with translated():
        both = beside(
            sides.read(read).select(pl.all().name.prefix(_READ)),
            sides.written(written).select(pl.all().name.prefix(_WRITTEN)),
        )
        differ = [_differs(number) for number in range(len(sides.proofs))]
        passed = [pl.col(f"{side}{PASSED}").sum() for side in (_READ, _WRITTEN)]
        counts = [one.sum().alias(mark_column(number)) for number, one in enumerate(differ)]
        frames = [both.filter(one).select(_PLACES).head(sides.most_rows) for one in differ]
        frames.append(both.select(*counts, *passed))
    *rows, counted = sides.run(frames, [*read, *written])
    for name, places, count in zip(sides.proofs, rows, counted.row(0)[:-2], strict=True):
        located = [
            DifferingRow(column=name, file=file, row=row, source_file=source_file, source_row=other)
            for file, row, source_file, other in places.rows()
        ]
        found.add(name, count, located)


def _differs(number: int) -> pl.Expr:
    read, written = (pl.col(f"{side}{mark_column(number)}") for side in (_READ, _WRITTEN))
    # What has no mark is no token, or a row that one side lacks.
    return read.ne_missing(written) | written.is_null()


def _in_any_order(
    sides: Sides, read: Sequence[Input], written: Sequence[Input], found: Located
) -> None:
    for number, name in enumerate(sides.proofs):
        mark = mark_column(number)
        with translated():
            ours = sides.read(read).select(pl.col(mark).alias("mark"), ROW, FILE, PASSED)
            theirs = sides.written(written).select(pl.col(mark).alias("mark"), ROW, FILE, PASSED)
            times = [_times(ours, _READ), _times(theirs, _WRITTEN)]
        [in_read, in_written] = sides.run(times, [*read, *written])
        both = in_read.join(in_written, on="mark", how="full", coalesce=True, nulls_equal=True)
        more = pl.col(_WRITTEN).fill_null(0) - pl.col(_READ).fill_null(0)
        unequal = both.select("mark", more.alias("more")).filter(pl.col("more") != 0)
        lost, added = unequal.filter(pl.col("more") < 0), unequal.filter(pl.col("more") > 0)
        with translated():
            frames = [
                frame.filter(pl.col("mark").is_in(some["mark"].implode(), nulls_equal=True))
                .select(FILE, ROW)
                .head(sides.most_rows)
                for frame, some in ((theirs, added), (ours, lost))
            ]
        places, source_places = sides.run(frames, [*read, *written])
        count = max(-int(lost["more"].sum()), int(added["more"].sum()))
        located = _of_output(written, name, places)
        located += [
            DifferingRow(column=name, source_file=file, source_row=row)
            for file, row in source_places.rows()
        ]
        found.add(name, count, located)


def _times(frame: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Count how often each mark is there; what is no token has none."""
    counted = [pl.len().cast(pl.Int64).alias(name), pl.col(PASSED).sum().alias(f"{name}{PASSED}")]
    return frame.group_by("mark").agg(counted)


def _of_output(outputs: Sequence[Input], column: str, places: pl.DataFrame) -> list[DifferingRow]:
    has_order = all(item.inlet.kind != TABLE for item in outputs)
    return [
        DifferingRow(column=column, file=file, row=row if has_order else None)
        for file, row in places.rows()
    ]
