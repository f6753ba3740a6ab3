"""The checks after a job; whatever reads its output waits for them."""

from pathlib import Path
from typing import Final

import dagster as dg

from tokenkit.errors import InputNotFound
from tokenkit.jobs import Job, Report
from tokenkit.jobs.inspection import inspect
from tokenkit.lineage import RunRecord

ROWS: Final = "every_row_accounted_for"
REJECTS: Final = "rejects_within_limit"

_DESCRIPTIONS: Final = {
    ROWS: "As many rows were read as are in the output and among the rejected.",
    REJECTS: "Not more rows were rejected than the policy allows: rejects: {max_fraction: ...}.",
}


def check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Name the checks of an asset."""
    return [
        dg.AssetCheckSpec(name, asset=key, description=text, blocking=True)
        for name, text in _DESCRIPTIONS.items()
    ]


def check_rows(job: Job, record: RunRecord, key: dg.AssetKey) -> dg.AssetCheckResult:
    """Count what is in the output and among the rejected, and compare it with what was read."""
    # Objects are named without a slash in front, and are counted by the job itself.
    rejects = [Path(name) for name in (record.rejects,) if name and Path(name).is_absolute()]
    written = _counted(_whole_outputs(job), record.rows_written)
    rejected = _counted(rejects, record.rows_rejected)
    return _result(
        ROWS,
        key,
        passed=record.rows_read == written + rejected,
        rows_read=record.rows_read,
        rows_written=written,
        rows_rejected=rejected,
    )


def check_rejects(job: Job, run: RunRecord | Report, key: dg.AssetKey) -> dg.AssetCheckResult:
    """Compare the part of the rows that was rejected with what the policy allows."""
    rule = None if job.policy is None else job.policy.rejects
    most = 1.0 if rule is None or rule.max_fraction is None else rule.max_fraction
    part = run.rows_rejected / run.rows_read if run.rows_read else 0.0
    return _result(
        REJECTS,
        key,
        passed=part <= most,
        rows_read=run.rows_read,
        rows_rejected=run.rows_rejected,
        fraction=part,
        max_fraction=most,
    )


def _whole_outputs(job: Job) -> list[Path]:
    """Give the places that hold what this job wrote, and nothing else."""
    return [job.target] if isinstance(job.target, Path) and job.mode == "replace" else []


def _counted(places: list[Path], known: int) -> int:
    """Count the rows of files whose format tells; of others, what the job counted is known."""
    try:
        counts = [found.rows for place in places for found in inspect(place)]
    except InputNotFound:
        # An output that isn't there has no rows, and the check says so.
        return 0
    if not counts or None in counts:
        return known
    return sum(count or 0 for count in counts)


def _result(name: str, key: dg.AssetKey, *, passed: bool, **metadata: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=key,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata=metadata,
    )
