"""Counts of what became of each column's values, taken in the same pass that writes them.

Everything is counted from tokens and reasons: a token is null where the value was null or didn't
fit, and empty where the value was empty, so the values themselves need not be looked at again.
Reasons are compared only where there are some, which costs nothing as long as everything fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tokenkit.engines.column import REASONS
from tokenkit.engines.polars.proof import Proof, values_digested
from tokenkit.jobs.outcomes import PASSED, REJECTED, Part
from tokenkit.jobs.report import ColumnReport

_OTHER = "other"
_ROWS = "rows"
_KEPT = "keep"


@dataclass(frozen=True, slots=True)
class Counts:
    """What went through a pass.

    Attributes
    ----------
    read, rejected
        How many rows, and how many of them were rejected.
    columns
        What became of the values of each column that can hold some that don't fit.
    """

    read: int
    rejected: int
    columns: Mapping[str, ColumnReport]


def tally(part: Part, proofs: Mapping[str, Proof]) -> list[pl.Expr]:
    """Give what is to be selected from the shared frame; all parts of a pass have one layout.

    What goes to the output is added to the proofs, which are by column.
    """
    # The count of PASSED makes this branch wait for the counter of rows.
    found = [pl.len().alias(_ROWS), pl.col(PASSED).sum()]
    if part.rejecting:
        found.append(pl.col(REJECTED).sum())
    for index, name in enumerate(part.judged):
        token, reason = part.token(name), part.reason(name)
        given = reason.drop_nulls()
        found += [
            reason.is_not_null().sum().alias(f"{index}.misfits"),
            token.null_count().alias(f"{index}.null"),
            *((given == code).sum().alias(f"{index}.{code}") for code in REASONS),
        ]
        call = part.calls.by_column[name]
        if call is None:
            continue
        # An integer's token has no text to look at.
        found.append((token.cast(pl.String).str.len_bytes() == 0).sum().alias(f"{index}.empty"))
        if name in proofs:
            rejected = pl.col(REJECTED) if part.rejecting else None
            added = values_digested(
                part.value(name), call, proofs[name], fits=part.fits(name), rejected=rejected
            )
            found.append(added.sum().alias(f"{index}.proved"))
        if call.rule.on_invalid == "seal":
            found.append(
                (reason.is_not_null() & token.is_not_null()).sum().alias(f"{index}.sealed")
            )
        if call.rule.literals:
            # No value's token equals a literal, so that counting in the output is exact.
            literals = pl.Series(call.rule.literals, dtype=pl.String)
            found.append(
                token.cast(pl.String).is_in(literals.implode()).sum().alias(f"{index}.literal")
            )
    return found


def read_counts(part: Part, counted: pl.DataFrame) -> Counts:
    """Read what :func:`tally` selected."""
    row = counted.row(0, named=True)
    columns = {}
    for index, name in enumerate(part.judged):
        column = _column(row, index, part, name)
        if part.calls.by_column[name] is not None or column.invalid:
            columns[name] = column
    return Counts(int(row[_ROWS]), int(row.get(REJECTED) or 0), columns)


def _column(row: Mapping[str, int | None], index: int, part: Part, name: str) -> ColumnReport:
    def count(what: str) -> int:
        return int(row.get(f"{index}.{what}") or 0)

    invalid = {code: count(code) for code in REASONS if count(code)}
    misfits, empty, sealed, literal = (
        count(what) for what in ("misfits", "empty", "sealed", "literal")
    )
    if other := misfits - sum(invalid.values()):
        invalid[_OTHER] = other
    null = count("null") - (misfits - sealed)
    call = part.calls.by_column[name]
    return ColumnReport(
        scheme=_KEPT if call is None else call.rule.scheme.name,
        done=int(row[_ROWS] or 0) - null - empty - literal - misfits,
        null=null,
        empty=empty,
        literal=literal,
        sealed=sealed,
        invalid=invalid,
    )


def joined(found: Sequence[Counts]) -> Counts:
    """Add the counts of passes one after the other."""
    columns: dict[str, ColumnReport] = {}
    for counts in found:
        for name, column in counts.columns.items():
            columns[name] = _added(columns[name], column) if name in columns else column
    return Counts(
        sum(counts.read for counts in found), sum(counts.rejected for counts in found), columns
    )


def _added(one: ColumnReport, other: ColumnReport) -> ColumnReport:
    reasons = dict.fromkeys([*one.invalid, *other.invalid])
    return ColumnReport(
        scheme=one.scheme,
        done=one.done + other.done,
        null=one.null + other.null,
        empty=one.empty + other.empty,
        literal=one.literal + other.literal,
        sealed=one.sealed + other.sealed,
        invalid={code: one.invalid.get(code, 0) + other.invalid.get(code, 0) for code in reasons},
    )
