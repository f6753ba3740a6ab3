"""Where rejected rows go: a file or an object beside the output, or what the job names."""

from pathlib import Path

from tokenkit.jobs.inputs import REJECTS_SUFFIX
from tokenkit.jobs.job import Job
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.naming import of_file


def rejects_place(job: Job, run: str) -> Path | ObjectPlace:
    """Give the place of a job's rejected rows.

    A folder that other runs add to keeps the rejected rows of each of them.

    Examples
    --------
    >>> rejects_place(Job(operation="tokenize", source=Path("a"), target=Path("out/b.csv")), "5f")
    PosixPath('out/b.csv.rejects.parquet')
    >>> more = Job(operation="tokenize", source=Path("a"), target=Path("out"), mode="append")
    >>> rejects_place(more, "5f")
    PosixPath('out.part-5f.rejects.parquet')
    >>> lake = ObjectPlace("s3://lake/b.csv")
    >>> rejects_place(Job(operation="tokenize", source=Path("a"), target=lake), "5f").url
    's3://lake/b.csv.rejects.parquet'
    """
    if job.rejects is not None:
        return job.rejects
    end = f"{'' if job.mode == 'replace' else f'.part-{run}'}{REJECTS_SUFFIX}"
    if isinstance(job.target, ObjectPlace):
        return job.target.beside(end)
    path = job.output_path
    return path.with_name(f"{path.name}{end}")


def rejects_dataset(job: Job, run: str) -> Dataset:
    """Name a job's rejected rows in lineage."""
    place = rejects_place(job, run)
    return of_file(place) if isinstance(place, Path) else place.dataset
