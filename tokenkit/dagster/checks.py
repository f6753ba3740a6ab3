"""The checks after a job; whatever reads its output waits for them."""

from pathlib import Path
from typing import Any, Final

import dagster as dg

from tokenkit.errors import InputNotFound
from tokenkit.jobs import Job, Report
from tokenkit.jobs.inspection import inspect
from tokenkit.jobs.proving import OutputCheck, check_output
from tokenkit.lineage import RunRecord

ROWS: Final = "every_row_accounted_for"
REJECTS: Final = "rejects_within_limit"
PROVED: Final = "output_proved"

_DESCRIPTIONS: Final = {
    ROWS: "As many rows were read as are in the output and among the rejected.",
    REJECTS: "Not more rows were rejected than the policy allows: rejects: {max_fraction: ...}.",
    PROVED: "The output, detokenized, gives the keyed digest of what was read of each column.",
}
_ROWS: Final = 20


def check_specs(key: dg.AssetKey, *, proves: bool) -> list[dg.AssetCheckSpec]:
    """Name the checks of an asset; ``proves`` says whether its output is to be proved."""
    return [
        dg.AssetCheckSpec(name, asset=key, description=text, blocking=True)
        for name, text in _DESCRIPTIONS.items()
        if proves or name != PROVED
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


def check_proof(job: Job, report: Report, key: dg.AssetKey) -> dg.AssetCheckResult:
    """Turn the output back, and compare it with the digests that the run has recorded.

    Raises
    ------
    MetadataError, KeyringError, JobError
        If the output can't be read back.
    """
    if not report.proofs:
        # The job itself sees to it that each tokenized column has one.
        return dg.AssetCheckResult(
            check_name=PROVED, asset_key=key, passed=True, description="No column is tokenized."
        )
    found = check_output(job, run=report.run, proofs=report.proofs, most_rows=_ROWS)
    return dg.AssetCheckResult(
        check_name=PROVED,
        asset_key=key,
        passed=found.holds,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata=_proof(found),
    )


def _proof(found: OutputCheck) -> dict[str, Any]:
    """Show what holds, and where it doesn't: rows and columns, and no value."""
    columns = [
        dg.TableRecord(
            {
                "column": name,
                "holds": column.holds,
                "not_tokens": column.not_tokens,
                # Cells have one type.
                "differing": -1 if column.differing is None else column.differing,
            }
        )
        for name, column in found.columns.items()
    ]
    rows = [
        dg.TableRecord(
            {
                "column": one.column,
                "file": one.file or "",
                "row": "" if one.row is None else str(one.row),
                "source_file": one.source_file or "",
                "source_row": "" if one.source_row is None else str(one.source_row),
            }
        )
        for one in found.differing
    ]
    return {
        "rows": found.rows,
        "columns": dg.MetadataValue.table(columns),
        **({} if found.holds else {"compared_with_source": found.located}),
        **({"differing": dg.MetadataValue.table(rows)} if rows else {}),
    }


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
