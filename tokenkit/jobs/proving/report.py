"""What a check of an output found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedColumn:
    """What was found of one column.

    Attributes
    ----------
    holds
        Whether its tokens stand for what was read, no value lost, doubled, changed or left in
        clear.
    not_tokens
        How many values are no tokens of the key version and scheme that they should be of.
    differing
        How many rows differ from the source; None if the column holds, or its source is gone.
    """

    holds: bool
    not_tokens: int
    differing: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingRow:
    """Where a value isn't the one that was read. The value itself is never among this.

    Attributes
    ----------
    column
        The column.
    file, row
        Where it stands in the output; the row counts from 0. None if the source has a row that the
        output lacks, or the output has no order.
    source_file, source_row
        Where it stands in the source. None if the output has a row that the source lacks, or it
        isn't known which row of the source this one was made of.
    """

    column: str
    file: str | None = None
    row: int | None = None
    source_file: str | None = None
    source_row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCheck:
    """What :func:`~tokenkit.jobs.proving.check_output` found.

    Attributes
    ----------
    run
        The run that is proved.
    output
        What was read again.
    rows
        How many rows it has.
    columns
        What was found of each tokenized column.
    differing
        Where values differ: the first few rows.
    located
        Whether rows were looked for in the source. If not, it has changed since or is gone, and
        only values that are no tokens at all could be found.
    """

    run: str
    output: str
    rows: int
    columns: Mapping[str, CheckedColumn]
    differing: tuple[DifferingRow, ...] = ()
    located: bool = False

    @property
    def holds(self) -> bool:
        """Whether every column holds."""
        return all(column.holds for column in self.columns.values())

    def to_json(self) -> dict[str, Any]:
        """Give the findings as plain values, for JSON."""
        return {"holds": self.holds, **asdict(self)}
