"""Everything that a folder of job files means in Dagster."""

import os
from pathlib import Path

import dagster as dg

from tokenkit.dagster.assets import job_asset
from tokenkit.dagster.automation import asset_job, inbox_sensor, job_schedule
from tokenkit.dagster.planning import PlannedJob, plan, read_job_files
from tokenkit.dagster.rekeying import rekey_job
from tokenkit.errors import JobError
from tokenkit.jobs.job_file import InboxPartitions


def job_definitions(
    folder: str | os.PathLike[str],
    *,
    group_name: str = "tokenkit",
    pool: str = "tokenkit",
    inbox_seconds: int = 10,
    running: bool = False,
    rekey: str | None = "rekey",
) -> dg.Definitions:
    r"""Make an asset of every job file in a folder, and what starts and checks it.

    The asset of a job depends on those of the jobs that write what it reads, or on one that stands
    for what no job writes. It has blocking checks, and is tried again when its error may pass. A
    job with ``schedule`` has a schedule, one with ``partitions: {inbox: ...}`` a sensor. Two
    resources are needed, ``keyring`` and ``recorder``: :class:`KeyringResource` and
    :class:`RecorderResource`.

    Parameters
    ----------
    folder
        Where the job files are, ``*.yaml``.
    group_name
        The group that Dagster shows the assets in.
    pool
        The pool whose limit holds for jobs that run at once.
    inbox_seconds
        The time between two looks into an inbox.
    running
        Whether sensors and schedules run before somebody turns them on.
    rekey
        The name of the job that rekeys files, see :func:`rekey_job`; None for no such job.

    Raises
    ------
    JobError
        If a job file is wrong, or says something that Dagster doesn't take.

    Examples
    --------
    >>> import tempfile
    >>> from tokenkit.dagster.resources import KeyringResource, RecorderResource
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "customers.yaml").write_text(
    ...         "source: in.csv\n"
    ...         "policy: {columns: {ssn: {scheme: us-ssn, key: people}}}\n"
    ...         "sink: out.parquet\n"
    ...     )
    ...     jobs = job_definitions(folder)
    >>> resources = {"keyring": KeyringResource(), "recorder": RecorderResource()}
    >>> found = dg.Definitions.merge(jobs, dg.Definitions(resources=resources))
    >>> sorted(key.to_user_string() for key in found.resolve_all_asset_keys())
    ['customers', 'in.csv']
    """
    jobs = plan(read_job_files(Path(folder)))
    external = {job.external.key: job.external for job in jobs if job.external is not None}
    parts = [
        _definitions(job, group_name=group_name, pool=pool, seconds=inbox_seconds, running=running)
        for job in jobs
    ]
    written = {job.writes: job.key for job in jobs if job.writes is not None}
    rest = dg.Definitions(
        assets=list(external.values()),
        jobs=[] if rekey is None else [rekey_job(written, name=rekey, pool=pool)],
    )
    return dg.Definitions.merge(*parts, rest)


def _definitions(
    planned: PlannedJob, *, group_name: str, pool: str, seconds: int, running: bool
) -> dg.Definitions:
    file = planned.file
    try:
        asset = job_asset(planned, group_name=group_name, pool=pool)
        job = asset_job(planned)
        sensors = (
            [inbox_sensor(planned, job, seconds=seconds, running=running)]
            if isinstance(file.partitions, InboxPartitions)
            else []
        )
        schedules = (
            []
            if file.schedule is None
            else [job_schedule(planned, job, file.schedule, running=running)]
        )
    except dg.DagsterInvalidDefinitionError as exc:
        refused = JobError(
            f"Dagster doesn't take that: {str(exc).splitlines()[0]}", file=str(file.path)
        )
    else:
        return dg.Definitions(assets=[asset], jobs=[job], sensors=sensors, schedules=schedules)
    raise refused
