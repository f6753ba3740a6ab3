"""Job files: a job in YAML, with variables, to run by hand, by schedule and by pipelines."""

from tokenkit.jobs.job_file.binding import BoundJob, JobFile
from tokenkit.jobs.job_file.fields import DailyPartitions, InboxPartitions
from tokenkit.jobs.job_file.reading import read_job_file

__all__ = ["BoundJob", "DailyPartitions", "InboxPartitions", "JobFile", "read_job_file"]
