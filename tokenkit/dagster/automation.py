"""What starts jobs by itself: inbox sensors and schedules."""

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from tokenkit.dagster.inbox import InboxFile, Looks, look_into
from tokenkit.dagster.names import partitions_name
from tokenkit.dagster.planning import PlannedJob
from tokenkit.errors import JobError
from tokenkit.jobs.job_file import DailyPartitions

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

_RUN_KEY: Final = "dagster/run_key"
_MOST: Final = 100
"""How many files one look gives to runs."""


def asset_job(planned: PlannedJob) -> "UnresolvedAssetJobDefinition":
    """Make the job that materializes one asset, and checks it."""
    return dg.define_asset_job(
        f"{planned.file.name}_job",
        selection=dg.AssetSelection.assets(planned.key),
        description=f"tokenkit run {planned.file.path.name}",
    )


def inbox_sensor(
    planned: PlannedJob, job: "UnresolvedAssetJobDefinition", *, seconds: int, running: bool
) -> dg.SensorDefinition:
    """Make the sensor that gives each file of an inbox to a run, once.

    A file is taken when two looks after each other find it with the same size and time of change.
    It counts as taken when a run for it is there, so that nothing is lost if Dagster dies between;
    and Dagster makes no second run for the same key.

    Parameters
    ----------
    planned, job
        The job file, and the job that is done for a file.
    seconds
        The time between two looks.
    running
        Whether it looks before somebody turns it on.
    """
    file = planned.file
    partitions = partitions_name(file.name)

    @dg.sensor(
        name=f"{file.name}_inbox_sensor",
        job=job,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING
        if running
        else dg.DefaultSensorStatus.STOPPED,
        description=f"Gives each file of the inbox to {file.name}, once.",
    )
    def looking(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        inbox = file.inbox()
        if inbox is None:
            raise JobError("the job has no inbox", file=str(file.path))
        files, looks = look_into(inbox), Looks.read(context.cursor)
        settled = looks.settled(files)[:_MOST]
        taken = [each for each in settled if _has_run(context.instance, job.name, each)]
        new = [each.key for each in settled if each not in taken]
        after = looks.after(files, frozenset(each.key for each in taken))
        if not new:
            return dg.SensorResult(
                skip_reason=f"{len(after.waiting)} files wait, {len(after.taken)} are taken",
                cursor=after.cursor,
            )
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=key, partition_key=key) for key in new],
            dynamic_partitions_requests=[
                dg.AddDynamicPartitionsRequest(partitions_def_name=partitions, partition_keys=new)
            ],
            cursor=after.cursor,
        )

    return looking


def job_schedule(
    planned: PlannedJob,
    job: "UnresolvedAssetJobDefinition",
    cron: str,
    *,
    running: bool,
) -> dg.ScheduleDefinition:
    """Make the schedule of a job: for daily partitions, it does the last day that is over.

    Parameters
    ----------
    planned, job
        The job file, and the job that is done.
    cron
        When, in UTC.
    running
        Whether it runs before somebody turns it on.
    """
    partitions = planned.file.partitions

    @dg.schedule(
        name=f"{planned.file.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if running
        else dg.DefaultScheduleStatus.STOPPED,
    )
    def due(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not isinstance(partitions, DailyPartitions):
            return dg.RunRequest()
        day = (context.scheduled_execution_time.astimezone(UTC) - timedelta(days=1)).date()
        if day < partitions.daily:
            return dg.SkipReason("the first day isn't over yet")
        return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    return due


def _has_run(instance: dg.DagsterInstance, job: str, file: InboxFile) -> bool:
    """Whether a run of the file has got as far as the queue."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, tags={_RUN_KEY: file.key}))
    return any(run.status is not dg.DagsterRunStatus.NOT_STARTED for run in runs)
