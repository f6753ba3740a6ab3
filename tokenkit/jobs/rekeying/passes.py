"""The two passes over a file: one makes the new tokens, the other reads them again."""

from collections.abc import Iterator, Mapping
from itertools import chain, repeat

import polars as pl

from tokenkit.engines.column import Side
from tokenkit.engines.polars.proof import Proof
from tokenkit.engines.polars.rekey import proved, rekeyed
from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import translated
from tokenkit.jobs.outlets import Outlet
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.progress import Progress
from tokenkit.jobs.queries import read_through
from tokenkit.jobs.rekeying.preparation import RekeyInput, TokenColumn, token_rows
from tokenkit.keys import KeyVersion


def write_new(
    item: RekeyInput, proofs: Mapping[str, Proof], outlet: Outlet, progress: Progress
) -> None:
    """Read the old tokens once, write the new ones, and take the sum over the values.

    Raises
    ------
    InvalidValues
        If a value is no token of its version.
    InputError, JobError, EngineError
        If the file can't be read, or the output not be written.
    """
    counter = RowCounter()
    with translated():
        rows = _numbered(item.opened)
        numbers = _numbers(counter)
        frame = rows.select(
            _column(item, name, proofs, numbers).alias(name)
            for name in item.opened.schema
            if name not in item.file.partition
        )
        outlet.check(frame.collect_schema())
        writing = outlet.write(frame, item.metadata(outlet.kind))
    complete = False
    try:
        _run(writing, counter, progress, item.opened)
        complete = True
    finally:
        outlet.close(complete=complete)


def take_sums(
    opened: Input,
    columns: Mapping[str, tuple[TokenColumn, KeyVersion]],
    proofs: Mapping[str, Proof],
    side: Side,
    progress: Progress,
) -> int:
    """Read a file of tokens, and add the values that they stand for to a side of the proofs.

    Parameters
    ----------
    opened
        The file.
    columns
        Its columns of tokens, and the version that each is of.
    proofs
        The proofs of these columns.
    side
        Whether the tokens are the old ones or the new ones.
    progress
        Is told how far it is.

    Returns
    -------
    int
        How many rows the file has.

    Raises
    ------
    InvalidValues
        If a value is no token of its version.
    InputError, EngineError
        If the file can't be read.
    """
    counter = RowCounter()
    with translated():
        numbers = _numbers(counter)
        found = [pl.len().alias("rows")]
        for place, (name, (column, version)) in enumerate(columns.items()):
            call = column.back(version)
            tweak = None if call.rule.tweak is None else token_rows(opened, call.rule.tweak)
            values = token_rows(opened, name)
            one = proved(values, call, proofs[name], side, next(numbers), tweak)
            found.append(one.sum().alias(f"proved{place}"))
        query = _numbered(opened).select(found)
    return int(_run(query, counter, progress, opened).row(0)[0])


def _column(
    item: RekeyInput, name: str, proofs: Mapping[str, Proof], numbers: Iterator[pl.Expr]
) -> pl.Expr:
    values = token_rows(item.opened, name)
    if name not in proofs:
        return values
    tweak = item.tokens[name].rule.tweak
    return rekeyed(
        values,
        item.tokens[name].forth(),
        proofs[name],
        next(numbers),
        None if tweak is None else token_rows(item.opened, tweak),
    )


def _numbered(opened: Input) -> pl.LazyFrame:
    name = "row"
    while name in opened.schema:
        name += "_"
    return opened.source.scan().with_row_index(name)


def _numbers(counter: RowCounter) -> Iterator[pl.Expr]:
    """Give the rows' numbers for each column; those of the first one are counted as they pass."""
    number = pl.nth(0).cast(pl.UInt64)
    return chain([counter.counted(number)], repeat(number))


def _run(
    query: pl.LazyFrame, counter: RowCounter, progress: Progress, opened: Input
) -> pl.DataFrame:
    return read_through([query], counter, progress, [opened])[0]
