"""What may be overwritten: the output of an older run, and nothing that nobody recorded."""

from tokenkit.jobs.job import Job
from tokenkit.lineage import Dataset, current_recorder


def may_overwrite(job: Job, output: Dataset) -> bool:
    """Whether what is in the output's place is an older run's, and the job says that it goes.

    What no run is known to have written may be anybody's, such as a table whose name was mistyped.

    Raises
    ------
    StoreError
        If the store can't be asked.
    """
    return job.overwrite and current_recorder().has_written(output)
