"""An asset for a job file: what materializing it does."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

import dagster as dg

from tokenkit.dagster.checks import check_proof, check_rejects, check_rows, check_specs
from tokenkit.dagster.failures import RETRIES, Attempt, failing
from tokenkit.dagster.inbox import InboxFile, find
from tokenkit.dagster.metadata import described
from tokenkit.dagster.planning import FILE, NAME, PARTITION, PlannedJob
from tokenkit.dagster.resources import KEYRING, RECORDER
from tokenkit.dagster.witness import Witness
from tokenkit.errors import NativeDefect
from tokenkit.jobs import JobRefused, run
from tokenkit.lineage import use_recorder

_SECONDS: Final = 30.0
_Result: TypeAlias = dg.MaterializeResult[None] | dg.AssetCheckResult


def job_asset(planned: PlannedJob, *, group_name: str, pool: str) -> dg.AssetsDefinition:
    """Make the asset of a job.

    Parameters
    ----------
    planned
        The job.
    group_name
        The group that Dagster shows it in.
    pool
        The pool whose limit holds for jobs that run at once.
    """

    @dg.asset(
        key=planned.key,
        deps=list(planned.upstream),
        description=planned.file.description or None,
        tags=dict(planned.file.tags),
        owners=list(planned.file.owners),
        kinds=planned.kinds,
        group_name=group_name,
        partitions_def=planned.partitions,
        code_version=planned.version,
        metadata={} if planned.writes is None else {"dagster/table_name": str(planned.writes)},
        check_specs=check_specs(planned.key, proves=planned.proves),
        required_resource_keys={KEYRING, RECORDER},
        config_schema={
            "force": dg.Field(
                bool, default_value=False, description="Do again what has been done already."
            )
        },
        retry_policy=RETRIES,
        pool=pool,
    )
    def materialized(context: dg.AssetExecutionContext) -> Iterator[_Result]:
        attempt = Attempt()
        results: list[_Result] = []
        try:
            with failing(attempt):
                _materialize(planned, context, attempt, results)
        finally:
            yield from results

    return materialized


def _materialize(
    planned: PlannedJob,
    context: dg.AssetExecutionContext,
    attempt: Attempt,
    results: list[_Result],
) -> None:
    """Do the job; what a job that fails has found out is among the results too."""
    resources, config = context.resources, context.op_execution_context.op_config
    variables, file = _variables(planned, context)
    keyring = resources.keyring.keyring()
    made = planned.file.bound(variables).job(keyring=keyring, force=bool(config["force"]))
    job = replace(made, prove=planned.proves)
    expected = None if file is None else file.fingerprint
    witness = Witness(resources.recorder.recorder(), attempt, expected)
    try:
        with use_recorder(witness):
            report = run(job, _Logged(context))
    except JobRefused as error:
        if error.report is not None:
            results.append(check_rejects(job, error.report, planned.key))
        raise
    attempt.is_running = False
    if witness.record is None:
        raise NativeDefect("the job has ended, and its run wasn't recorded")
    shown = described(
        report, witness.record, planned.upstream, is_partition=context.has_partition_key
    )
    results.append(dg.MaterializeResult(metadata=shown))
    results.append(check_rows(job, witness.record, planned.key))
    results.append(check_rejects(job, witness.record, planned.key))
    if planned.proves:
        # The metadata of a table's tokens stands where the run was recorded.
        with use_recorder(witness):
            results.append(check_proof(job, report, planned.key))


def _variables(
    planned: PlannedJob, context: dg.AssetExecutionContext
) -> tuple[dict[str, str], InboxFile | None]:
    """Give the variables of a partition, and the file that it is."""
    if not context.has_partition_key:
        return {}, None
    key = context.partition_key
    inbox = planned.file.inbox()
    if inbox is None:
        return {PARTITION: key}, None
    file = find(inbox, key)
    named = {PARTITION: key, FILE: str(file.path.absolute()), NAME: file.path.name}
    return named, file


class _Logged:
    """Tells Dagster's log how far a job is."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log: Any = context.log
        self._all = ""
        self._next = 0.0

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Hear how many rows there are."""
        about = "" if exact else "about "
        self._all = "" if rows is None else f" of {about}{rows:,}"
        self._next = time.monotonic() + _SECONDS

    def advance(self, rows: int) -> None:
        """Say how many rows have gone through, now and then."""
        if time.monotonic() >= self._next:
            self._log.info(f"{rows:,}{self._all} rows")
            self._next = time.monotonic() + _SECONDS

    def finish(self) -> None:
        """Say nothing: the result follows."""
