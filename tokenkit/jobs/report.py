"""What a job did, in numbers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from tokenkit.errors import InvalidValues
from tokenkit.lineage import ColumnCounts

Status: TypeAlias = Literal["done", "skipped", "dry-run", "refused"]
"""Done, not done because it had been done already, only counted, or given up over values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport(ColumnCounts):
    """What became of the values of one column: its counts, and the scheme.

    Attributes
    ----------
    scheme
        The scheme's name; ``keep`` for a column that stays and has values of another type than it
        was to have.
    """

    scheme: str

    @property
    def invalid_count(self) -> int:
        """How many values didn't fit, for whatever reason."""
        return sum(self.invalid.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a job did.

    Attributes
    ----------
    operation
        ``tokenize`` or ``detokenize``.
    status
        ``done``; ``skipped`` when the same run's output was there already; ``dry-run``;
        ``refused`` when values don't fit and the policy says that this is an error.
    run
        The run's id: the same for the same policy, key versions and unchanged inputs.
    source, target
        What was read and written; values of partitions are masked.
    rejects
        Where rejected rows are, if there are any.
    inputs
        How many files were read.
    rows_read, rows_written, rows_rejected
        Rows of the inputs, and where they went: read = written + rejected, unless nothing was
        written.
    columns
        For each tokenized column what became of its values, in all rows that were read.
    kept, dropped
        The columns that stayed as they were, and those that were left out.
    proofs
        The keyed digest of what was read of each tokenized column, if the job is to be proved.
    seconds
        From start to end.
    bytes_read, bytes_written
        Sizes of the input and output files.

    Examples
    --------
    >>> column = ColumnReport(scheme="digits", done=3, null=1, empty=0)
    >>> report = Report(operation="tokenize", source="a.csv", target="b.csv", rows_read=4,
    ...     rows_written=4, columns={"id": column}, kept=("note",), dropped=(), seconds=2.0,
    ...     bytes_read=40, bytes_written=40)
    >>> report.rows_per_second, report.to_json()["columns"]["id"]["done"]
    (2.0, 3)
    """

    operation: str
    status: Status = "done"
    run: str = ""
    source: str
    target: str | None
    rejects: str | None = None
    inputs: int = 1
    rows_read: int
    rows_written: int
    rows_rejected: int = 0
    columns: Mapping[str, ColumnReport]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    proofs: Mapping[str, str] = field(default_factory=dict)
    seconds: float
    bytes_read: int
    bytes_written: int

    @property
    def rows_per_second(self) -> float:
        """Rows read, divided by the time."""
        return self.rows_read / self.seconds if self.seconds else 0.0

    @property
    def invalid_count(self) -> int:
        """How many values didn't fit, in all columns."""
        return sum(column.invalid_count for column in self.columns.values())

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain values, for JSON."""
        return {**asdict(self), "rows_per_second": round(self.rows_per_second, 1)}


class JobRefused(InvalidValues):
    """Values that don't fit, in a job whose policy says that this is an error.

    Nothing was written.

    Parameters
    ----------
    message, column, reason, count, hint
        As for :class:`~tokenkit.errors.TokenkitError`.
    report
        What the job found, column by column.
    """

    def __init__(
        self,
        message: str,
        *,
        column: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        hint: str | None = None,
        report: Report | None = None,
    ) -> None:
        super().__init__(message, column=column, reason=reason, count=count, hint=hint)
        self.report = report


def refusal(report: Report, columns: Mapping[str, ColumnReport]) -> JobRefused:
    """Say which columns have values that don't fit, how many and why.

    Parameters
    ----------
    report
        The report of the whole job.
    columns
        The columns whose values must fit and don't.
    """
    worst = max(columns, key=lambda name: columns[name].invalid_count)
    reasons = columns[worst].invalid
    found = "; ".join(f'"{name}" {_listed(column)}' for name, column in columns.items())
    what = (
        "do not fit" if report.operation == "tokenize" else "are no tokens of their key and scheme"
    )
    return JobRefused(
        f"values that {what}, in {report.rows_read:,} rows: {found}; nothing was written",
        column=worst,
        reason=max(reasons, key=lambda reason: reasons[reason]),
        count=sum(column.invalid_count - column.sealed for column in columns.values()),
        hint="correct the input, or say in the policy what becomes of them: "
        "on_invalid: null, reject or seal",
        report=report,
    )


def too_many_rejected(report: Report, most: float) -> JobRefused:
    """Say that more rows are rejected than the policy allows.

    Parameters
    ----------
    report
        The report of the whole job.
    most
        The part of the rows that may be rejected.
    """
    worst = max(report.columns, key=lambda name: report.columns[name].invalid_count)
    return JobRefused(
        f"{report.rows_rejected:,} of {report.rows_read:,} rows were rejected, which is more than "
        f"{most:.2%}; nothing was written",
        column=worst,
        count=report.rows_rejected,
        hint="correct the input, or allow more in the policy: rejects: {max_fraction: ...}",
        report=report,
    )


def _listed(column: ColumnReport) -> str:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in column.invalid.items())
    return f"{column.invalid_count:,} ({reasons})"
