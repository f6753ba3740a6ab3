"""One pass: rows read once, accepted ones, rejected ones and counts written from the same frame."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from tokenkit.engines.polars.proof import Proof
from tokenkit.engines.polars.rejects import RejectCell
from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import InputError, TokenkitError
from tokenkit.jobs.outcomes import FILE, PASSED, REJECTED, ROW, Part
from tokenkit.jobs.progress import Progress
from tokenkit.jobs.rejects.sealing import sealed_rows
from tokenkit.jobs.streaming import collect
from tokenkit.jobs.tallies import Counts, read_counts, tally

Write: TypeAlias = Callable[[pl.LazyFrame], pl.LazyFrame]
"""Turns rows into the lazy frame that writes them when it runs, or gives them back to keep them."""


@dataclass(frozen=True, slots=True)
class Results:
    """What a pass gave.

    Attributes
    ----------
    counts
        What went through.
    accepted, rejected
        What the writers gave, which is empty for files.
    """

    counts: Counts
    accepted: pl.DataFrame | None
    rejected: pl.DataFrame | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass over one or more inputs of the same columns.

    Attributes
    ----------
    parts
        The inputs, one after the other.
    cells
        The input's columns and their keys, if rejected rows are to be sealed.
    run
        The run's id.
    proofs
        What the values of columns are added to, by column; none if nothing is to be proved.
    omitted
        Columns of the output that aren't in its rows, since they stand in its path.
    accept, reject
        What to do with the rows; None counts them only.
    """

    parts: Sequence[Part]
    cells: Sequence[RejectCell]
    run: str
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    omitted: Collection[str] = ()
    accept: Write | None = None
    reject: Write | None = None

    def execute(self, counter: RowCounter, progress: Progress) -> Results | BaseException:
        """Run; what Polars raises is given back, so that its text isn't attached to anything.

        Raises
        ------
        InputError
            If the inputs have different columns.
        UnsupportedType
            If a column's type can't be tokenized.
        """
        try:
            frames, places = self._frames(counter)
        except TokenkitError:
            raise
        except Exception as exc:  # noqa: BLE001 - what it means, the caller asks the inputs
            return exc
        results = collect(frames, counter, progress)
        if isinstance(results, BaseException):
            return results

        def at(what: str) -> pl.DataFrame | None:
            return results[places[what]] if what in places else None

        counts = read_counts(self.parts[0], results[places["counts"]])
        return Results(counts, at("accept"), at("reject"))

    def _frames(self, counter: RowCounter) -> tuple[list[pl.LazyFrame], dict[str, int]]:
        shared = self._shared(counter)
        first = self.parts[0]
        names = [name for name in first.calls.by_column if name not in self.omitted]
        frames: list[pl.LazyFrame] = []
        places: dict[str, int] = {}
        if self.accept is not None:
            accepted = shared.filter(~pl.col(REJECTED)) if first.rejecting else shared
            output = accepted.select(first.token(name).alias(name) for name in names)
            places["accept"] = len(frames)
            frames.append(self.accept(output))
        if self.reject is not None:
            rejected = shared.filter(pl.col(REJECTED)).select(
                sealed_rows(
                    self.cells,
                    first.schema,
                    self.run,
                    values=[first.source(name) for name in first.schema],
                    reasons={name: first.reason(name) for name in first.rejecting},
                    row=pl.col(ROW).cast(pl.UInt64),
                    file=pl.lit(first.file, pl.String) if len(self.parts) == 1 else pl.col(FILE),
                )
            )
            places["reject"] = len(frames)
            frames.append(self.reject(rejected))
        places["counts"] = len(frames)
        frames.append(shared.select(tally(first, self.proofs)))
        return frames, places

    def _shared(self, counter: RowCounter) -> pl.LazyFrame:
        several = len(self.parts) > 1
        sealing = self.reject is not None
        parts = [
            part.outcomes(sealing=sealing, several=several, proving=bool(self.proofs))
            for part in self.parts
        ]
        # Types that can't be tokenized show here, before anything is written.
        schemas = [part.collect_schema() for part in parts]
        for part, schema in zip(self.parts, schemas, strict=True):
            same = list(part.calls.by_column) == list(self.parts[0].calls.by_column)
            if not same or schema != schemas[0]:
                raise InputError(
                    "its columns or their types are not the first file's",
                    file=part.file,
                    hint="write to a folder: then every file is turned for itself",
                )
        rows = pl.concat(parts) if several else parts[0]
        first = self.parts[0]
        column = next(iter(first.calls.by_column))
        flags = first.reason(column) if first.is_judged(column) else first.token(column)
        # Counted before the branches part: an error in one branch alone can leave the other running
        # to its end.
        return rows.with_columns(counter.counted(flags.is_null()).alias(PASSED))
