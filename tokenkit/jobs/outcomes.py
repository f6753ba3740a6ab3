"""The rows of one input with what becomes of them: the frame that a pass's branches share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.jobs.calls import Calls
from tokenkit.jobs.declared_types import read_as

PASSED, REJECTED, ROW, FILE = "passed", "rejected", "row", "file"
"""Columns of the shared frame beside those that stand for the input's."""
_TYPE = "type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One input of a pass.

    Attributes
    ----------
    rows
        Its rows, in its order.
    schema
        Names and types of its columns, those of its path included.
    calls
        What becomes of each column.
    partition
        The columns that stand in its path, and their value.
    types
        What text columns are to be read as.
    file
        Its name, as messages and rejected rows show it.
    """

    rows: pl.LazyFrame
    schema: pl.Schema
    calls: Calls
    partition: Mapping[str, str | None] = field(default_factory=dict)
    types: Mapping[str, pl.DataType] = field(default_factory=dict)
    file: str = ""

    @property
    def rejecting(self) -> list[str]:
        """The columns whose values that don't fit take their row with them."""
        return [
            name
            for name, call in self.calls.transformed.items()
            if call.rule.on_invalid == "reject"
        ]

    @property
    def judged(self) -> list[str]:
        """The columns of the output that can hold values that don't fit."""
        return [name for name in self.calls.by_column if self.is_judged(name)]

    def is_judged(self, name: str) -> bool:
        """Whether a column is an outcome of token and reason, not a value that stays."""
        return self.calls.by_column[name] is not None or name in self.types

    def output_type(self, name: str) -> pl.DataType:
        """Give the type that a column is read as."""
        return self.types.get(name, self.schema[name])

    def outcomes(
        self, *, sealing: bool, several: bool = False, proving: bool = False
    ) -> pl.LazyFrame:
        """Give the frame that the branches share.

        Parameters
        ----------
        sealing
            Whether rejected rows are to be sealed, which needs every column as it was and where
            each row stands.
        several
            Whether rows of other files follow, so that each has to name its own.
        proving
            Whether what is tokenized is to be proved.

        Returns
        -------
        polars.LazyFrame
            ``column0``, ``column1``, ... for the columns of the output, in order: values that stay,
            or tokens, then with ``reason0``, ... beside them. ``rejected``, if rows can be. For
            sealing also ``source0``, ... for the columns of the input that aren't there as they
            were, ``row`` and, of several files, ``file``. For proving also ``value0``, ... for what
            is tokenized, beside its tokens, and ``row``.
        """
        rows = self.rows
        indexed = sealing or proving
        if indexed:
            # The index goes in front, whatever the columns are named.
            rows = rows.with_row_index(_free_name(self.schema))
        outcomes = [
            self._outcome(name, call, indexed=indexed).alias(output_column(number))
            for number, (name, call) in enumerate(self.calls.by_column.items())
        ]
        beside: list[pl.Expr] = []
        if sealing:
            beside += [
                self._values(name, indexed=indexed).alias(source_column(number))
                for number, name in enumerate(self.schema)
                if not self._stays(name)
            ]
            if several:
                beside.append(pl.lit(self.file, pl.String).alias(FILE))
        if indexed:
            beside.append(pl.nth(0).alias(ROW))
        if proving:
            beside += [
                self._given(name, indexed=indexed).alias(value_column(number))
                for number, (name, call) in enumerate(self.calls.by_column.items())
                if call is not None
            ]
        names = [expression.meta.output_name() for expression in beside]
        # Taken apart before rows are filtered: filtering a struct costs more than its fields.
        found = rows.select(*outcomes, *beside).select(*self._fields(), *names)
        if self.rejecting:
            reasons = [self.reason(name).is_not_null() for name in self.rejecting]
            found = found.with_columns(pl.any_horizontal(reasons).alias(REJECTED))
        return found

    def _fields(self) -> Iterator[pl.Expr]:
        for number, name in enumerate(self.calls.by_column):
            column = pl.col(output_column(number))
            if self.is_judged(name):
                yield column.struct.field("token").alias(output_column(number))
                yield column.struct.field("reason").alias(reason_column(number))
            else:
                yield column

    def values(self) -> pl.LazyFrame:
        """Give the columns of the output under their names; values that don't fit are errors."""
        return self.rows.select(
            (
                self._read(name)
                if call is None
                else self._turned(self._read(name), call, indexed=False)
            ).alias(name)
            for name, call in self.calls.by_column.items()
        )

    def token(self, name: str) -> pl.Expr:
        """Give a column of the output, out of the shared frame."""
        return pl.col(output_column(self._place(name)))

    def reason(self, name: str) -> pl.Expr:
        """Give the reasons of a judged column, out of the shared frame."""
        return pl.col(reason_column(self._place(name)))

    def source(self, name: str) -> pl.Expr:
        """Give a column of the input as it was, out of a shared frame for sealing."""
        if self._stays(name):
            return self.token(name)
        return pl.col(source_column(list(self.schema).index(name)))

    def fits(self, name: str) -> pl.Expr:
        """Say whether a judged column's values fit or are null, out of a shared frame for proving.

        Polars calls a function of constants but once, and takes more for constant than the columns
        of a path; so the numbers of the rows are looked at.
        """
        return self.reason(name).is_null() & (pl.col(ROW) >= 0)

    def value(self, name: str) -> pl.Expr:
        """Give a column that is tokenized as it was, out of a shared frame for proving."""
        return pl.col(value_column(self._place(name)))

    def _place(self, name: str) -> int:
        return list(self.calls.by_column).index(name)

    def _stays(self, name: str) -> bool:
        return name in self.calls.by_column and not self.is_judged(name)

    def _values(self, name: str, *, indexed: bool) -> pl.Expr:
        if name in self.partition:
            return pl.lit(self.partition[name], pl.String)
        # Columns go by their place: Polars takes names such as "*" and "^.*$" for patterns.
        inside = [column for column in self.schema if column not in self.partition]
        return pl.nth(inside.index(name) + indexed)

    def _read(self, name: str) -> pl.Expr:
        values = self._values(name, indexed=False)
        return read_as(values, self.types[name], strict=True) if name in self.types else values

    def _given(self, name: str, *, indexed: bool) -> pl.Expr:
        """Give what a column's call is handed: null what isn't of the type that it's read as."""
        values = self._values(name, indexed=indexed)
        return read_as(values, self.types[name]) if name in self.types else values

    def _outcome(self, name: str, call: ColumnCall | None, *, indexed: bool) -> pl.Expr:
        values, read = self._values(name, indexed=indexed), self._given(name, indexed=indexed)
        if name not in self.types:
            return read if call is None else self._turned(read, call, indexed=indexed)
        unreadable = values.is_not_null() & read.is_null()
        reason = pl.when(unreadable).then(pl.lit(_TYPE, pl.String))
        if call is None:
            return pl.struct(read.alias("token"), reason.alias("reason"))
        turned = self._turned(read, call, indexed=indexed)
        return pl.struct(
            turned.struct.field("token"),
            pl.coalesce(reason, turned.struct.field("reason")).alias("reason"),
        )

    def _turned(self, values: pl.Expr, call: ColumnCall, *, indexed: bool) -> pl.Expr:
        tweak = None if call.rule.tweak is None else self._values(call.rule.tweak, indexed=indexed)
        return column_expression(values, call, tweak)


def output_column(number: int) -> str:
    """Name the column of the shared frame that stands for one of the output."""
    return f"column{number}"


def reason_column(number: int) -> str:
    """Name the column of the shared frame that holds the reasons of one of the output."""
    return f"reason{number}"


def source_column(number: int) -> str:
    """Name the column of the shared frame that stands for one of the input."""
    return f"source{number}"


def value_column(number: int) -> str:
    """Name the column of the shared frame that holds what one of the output is made of."""
    return f"value{number}"


def _free_name(schema: pl.Schema) -> str:
    name = "row"
    while name in schema:
        name += "_"
    return name
