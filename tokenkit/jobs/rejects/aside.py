"""Rejected rows set aside, in a file or in an object."""

from pathlib import Path
from typing import TypeAlias

from tokenkit.jobs.job import Job
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.rejects.places import rejects_place
from tokenkit.jobs.rejects.uploading import RejectsObject, count_object, remove_object
from tokenkit.jobs.rejects.writing import RejectsFile, count_rows, is_of_run, remove_file

Rejects: TypeAlias = RejectsFile | RejectsObject


def rejects_of(job: Job, run: str) -> Rejects:
    """Give what takes the rejected rows of a run.

    Raises
    ------
    OutputExists
        If another run's are there, and aren't to be replaced.
    """
    place = rejects_place(job, run)
    if isinstance(place, ObjectPlace):
        return RejectsObject(place, run, replace=job.force, renew=job.overwrite)
    return RejectsFile(place, run, replace=job.force, renew=job.overwrite)


def remove_stale(job: Job, run: str) -> None:
    """Remove the rejected rows of a replaced output: replaying them would double rows."""
    if job.rejects is None and not isinstance(job.target, Path | ObjectPlace):
        return
    if job.mode == "replace" and job.replaces:
        place = rejects_place(job, run)
        if isinstance(place, ObjectPlace):
            remove_object(place)
        else:
            remove_file(place)


def set_aside(job: Job, run: str) -> int:
    """Count the rows that a run has set aside already."""
    place = rejects_place(job, run)
    if isinstance(place, ObjectPlace):
        return count_object(place, run)
    return count_rows(place) if is_of_run(place, run) else 0
