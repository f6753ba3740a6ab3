"""Jobs: a file in, a file out, in one pass and bounded memory, all or nothing.

:func:`run` does a :class:`Job` and gives its :class:`Report`. Formats are modules of
:mod:`tokenkit.jobs.connectors`.
"""

from tokenkit.jobs.apply import Outcome, apply
from tokenkit.jobs.connectors import TextOptions
from tokenkit.jobs.execution import run
from tokenkit.jobs.job import Job
from tokenkit.jobs.progress import Progress
from tokenkit.jobs.report import ColumnReport, JobRefused, Report

__all__ = [
    "ColumnReport",
    "Job",
    "JobRefused",
    "Outcome",
    "Progress",
    "Report",
    "TextOptions",
    "apply",
    "run",
]
