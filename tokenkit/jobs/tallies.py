"""Counts of what became of each column's values, taken in the same pass that writes them.

Everything is counted from tokens and reasons: a token is null where the value was null or didn't
fit, and empty where the value was empty, so the values themselves need not be looked at again.
Reasons are compared only where there are some, which costs nothing as long as everything fits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tokenkit.engines.column import REASONS, ColumnCall
from tokenkit.jobs.report import ColumnReport

_OTHER = "other"
_ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Tallies:
    """What a job counts.

    Attributes
    ----------
    places
        The columns of the frame that stand for those of the output.
    calls
        For each transformed column, its call; the frame holds its outcome.
    """

    places: Mapping[str, str]
    calls: Mapping[str, ColumnCall]

    def expressions(self) -> list[pl.Expr]:
        """Give what is to be selected from the frame of outcomes."""
        found = [pl.len().alias(_ROWS)]
        for index, name in enumerate(self.calls):
            token = pl.col(self.places[name]).struct.field("token")
            reason = pl.col(self.places[name]).struct.field("reason")
            given = reason.drop_nulls()
            found += [
                reason.is_not_null().sum().alias(f"{index}.invalid"),
                token.null_count().alias(f"{index}.null"),
                (token.cast(pl.String).str.len_bytes() == 0).sum().alias(f"{index}.empty"),
                *((given == code).sum().alias(f"{index}.{code}") for code in REASONS),
            ]
        return found

    def read(self, counts: pl.DataFrame) -> tuple[int, dict[str, ColumnReport]]:
        """Give the number of rows, and the report of each transformed column."""
        row = counts.row(0, named=True)
        rows = int(row[_ROWS])
        return rows, {
            name: self._column(row, rows, index, call)
            for index, (name, call) in enumerate(self.calls.items())
        }

    def _column(
        self, row: Mapping[str, int | None], rows: int, index: int, call: ColumnCall
    ) -> ColumnReport:
        def count(what: str) -> int:
            return int(row[f"{index}.{what}"] or 0)

        invalid = {code: count(code) for code in REASONS if count(code)}
        misfits, empty = count("invalid"), count("empty")
        if other := misfits - sum(invalid.values()):
            invalid[_OTHER] = other
        null = count("null") - misfits
        return ColumnReport(
            scheme=call.rule.scheme.name,
            done=rows - null - empty - misfits,
            null=null,
            empty=empty,
            invalid=invalid,
        )
