"""What a job read, against what it has written: keyed digests by column, in any order of rows."""

from tokenkit.jobs.proving.check import check_output
from tokenkit.jobs.proving.report import CheckedColumn, DifferingRow, OutputCheck

__all__ = ["CheckedColumn", "DifferingRow", "OutputCheck", "check_output"]
