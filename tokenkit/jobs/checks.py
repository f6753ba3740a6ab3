"""What a job refuses: before it begins, and before anything gets its name."""

from collections.abc import Sequence
from dataclasses import replace

from tokenkit.errors import JobError
from tokenkit.jobs.calls import Calls
from tokenkit.jobs.job import MODES, Job
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.report import Report, refusal, too_many_rejected
from tokenkit.policy import Policy


def check_job(job: Job) -> None:
    """Refuse what can't work whatever the input is.

    Raises
    ------
    JobError
        If options contradict each other, or source and target are the same.
    """
    problem = hint = None
    if job.mode not in MODES:
        problem, hint = "a mode is replace, append or partition", "mode: replace"
    elif (job.mode == "partition") != bool(job.partition_by):
        problem = "partition goes with the columns that make the partitions"
        hint = "--mode partition --partition-by COLUMN"
    elif job.limit is not None and job.limit < 0:
        problem, hint = "a limit is a number of rows, 0 or more", "--limit 1000"
    elif job.prove and job.operation != "tokenize":
        problem, hint = "what is proved is that tokens stand for what was read", "leave out prove"
    if problem is not None:
        raise JobError(problem, hint=hint)
    if job.target is None and not job.dry_run:
        _ = job.output_path


def check_unchanged(inputs: Sequence[Input], before: Sequence[list[object]]) -> None:
    """Refuse what was read if a file was changed meanwhile.

    Raises
    ------
    JobError
        If one was.
    """
    for item, old in zip(inputs, before, strict=True):
        if item.inlet.is_versioned and item.inlet.fingerprint() != old:
            raise JobError(
                "the input was changed while it was read; nothing was written",
                file=item.inlet.shown,
                hint="run the job again when nothing writes to it",
            )


def check_values(policy: Policy | None, calls: Calls, report: Report) -> None:
    """Refuse values that don't fit, where the policy says that this is an error, or too many are.

    Raises
    ------
    JobRefused
        With the report.
    """
    wrong = {}
    for name, column in report.columns.items():
        call = calls.by_column.get(name)
        fate = "error" if call is None else call.rule.on_invalid
        # What can't be sealed, and what is of no type, has nowhere to go.
        unsealed = fate == "seal" and column.invalid_count > column.sealed
        if column.invalid and (fate == "error" or unsealed):
            wrong[name] = column
    if wrong:
        raise refusal(replace(report, status="refused"), wrong)
    most = None if policy is None or policy.rejects is None else policy.rejects.max_fraction
    if most is not None and report.rows_rejected > most * report.rows_read:
        raise too_many_rejected(replace(report, status="refused"), most)
