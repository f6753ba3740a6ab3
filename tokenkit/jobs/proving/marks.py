"""What is read of the source and of the output to compare them: sums, or the marks of rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.proof import Proof, tokens_digested, values_digested
from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import JobError
from tokenkit.jobs.calls import Calls
from tokenkit.jobs.declared_types import read_as
from tokenkit.jobs.outcomes import FILE, PASSED, REJECTED, ROW
from tokenkit.jobs.preparation import Input

Types = Mapping[str, pl.DataType]
"""The types of tokens that a text file holds as text, by column."""

_PLACES: Final = {ROW: pl.Int64(), FILE: pl.String(), PASSED: pl.Boolean()}
_PLACE: Final = [pl.col(ROW).cast(pl.Int64), pl.col(FILE), pl.col(PASSED)]


def mark_column(number: int) -> str:
    """Name the column that holds what was digested of one that is checked."""
    return f"mark{number}"


def of_source(
    inputs: Sequence[Input],
    proofs: Mapping[str, Proof],
    limit: int | None,
    counter: RowCounter,
    *,
    by_row: bool,
) -> pl.LazyFrame:
    """Give the accepted rows of the source, in its order.

    ``mark0``, ... for the columns, ``row``, ``file``, and ``passed``, which has to be looked at for
    rows to be counted.

    Parameters
    ----------
    inputs
        The source.
    proofs
        The columns to look at, and what they are added to.
    limit
        How many rows of each input the job read.
    counter
        Counts the rows that are read.
    by_row
        Whether the marks of rows are wanted, and nothing is to be added.
    """
    frames = []
    for item in inputs:
        part = item.part(limit)
        rows = part.outcomes(sealing=True, several=True, proving=True)
        if part.rejecting:
            rows = rows.filter(~pl.col(REJECTED))
        marks = [
            values_digested(
                part.value(name),
                call,
                proof,
                fits=part.fits(name),
                by_row=by_row,
            )
            if (call := part.calls.by_column.get(name)) is not None
            else _absent(by_row=by_row)
            for name, proof in proofs.items()
        ]
        passed = counter.counted(pl.col(ROW).is_null()).alias(PASSED)
        frames.append(rows.with_columns(passed).select(*_named(marks), *_PLACE))
    return pl.concat(frames) if frames else _empty(proofs, by_row=by_row)


def of_output(
    outputs: Sequence[Input],
    proofs: Mapping[str, Proof],
    types: Types,
    counter: RowCounter,
    *,
    by_row: bool,
) -> pl.LazyFrame:
    """Give the rows of the output, in its order.

    What is no token has no mark, or isn't added. The rest is as for :func:`of_source`.
    """
    frames = []
    for item in outputs:
        kept = replace(item, calls=Calls(dict.fromkeys(item.schema), ()))
        taken: list[pl.Expr] = []
        marks: list[pl.Expr] = []
        for number, (name, proof) in enumerate(proofs.items()):
            call = item.calls.by_column.get(name)
            if call is None:
                marks.append(_absent(by_row=by_row))
                continue
            taken += _tokens(item, name, call, number, types)
            tweak = None if call.rule.tweak is None else pl.col(f"tweak{number}")
            tokens = pl.col(f"token{number}")
            row = pl.col(ROW)
            mark = tokens_digested(tokens, call, proof, row=row, tweak=tweak, by_row=by_row)
            read = pl.col(f"read{number}")
            marks.append(pl.when(read).then(mark).otherwise(_absent(by_row=by_row)))
        shown = pl.lit(item.inlet.shown, pl.String).alias(FILE)
        passed = counter.counted(pl.nth(0).is_null()).alias(PASSED)
        rows = kept.part(None).values().select(*taken, shown, passed).with_row_index(ROW)
        frames.append(rows.select(*_named(marks), *_PLACE))
    return pl.concat(frames) if frames else _empty(proofs, by_row=by_row)


def _tokens(
    item: Input, name: str, call: ColumnCall, number: int, types: Types
) -> Iterator[pl.Expr]:
    """Give a column's tokens, whether each is of the type that tokens are of, and its tweaks."""
    schema = list(item.schema)
    text = pl.nth(schema.index(name))
    as_type = types.get(name) if item.schema[name] == pl.String else None
    tokens = text if as_type is None else read_as(text, as_type)
    yield tokens.alias(f"token{number}")
    yield (text.is_null() | tokens.is_not_null()).alias(f"read{number}")
    if call.rule.tweak is None:
        return
    if call.rule.tweak not in schema:
        raise JobError(
            "the column of tweaks isn't in the output, so that its tokens can't be checked",
            column=name,
            hint="keep the column of tweaks",
        )
    yield pl.nth(schema.index(call.rule.tweak)).alias(f"tweak{number}")


def _named(marks: Sequence[pl.Expr]) -> list[pl.Expr]:
    return [mark.alias(mark_column(number)) for number, mark in enumerate(marks)]


def _absent(*, by_row: bool) -> pl.Expr:
    return pl.lit(None, pl.UInt64) if by_row else pl.lit(value=False)


def _empty(proofs: Mapping[str, Proof], *, by_row: bool) -> pl.LazyFrame:
    kind = pl.UInt64() if by_row else pl.Boolean()
    marks = {mark_column(number): kind for number in range(len(proofs))}
    return pl.LazyFrame(schema={**marks, **_PLACES})
