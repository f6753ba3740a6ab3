"""Where a job may write: never over what it reads, nor two outputs in one place."""

from collections.abc import Sequence
from pathlib import Path

from tokenkit.errors import JobError
from tokenkit.jobs.aside import masked
from tokenkit.jobs.connectors import sidecar_of
from tokenkit.jobs.inputs import InputFile
from tokenkit.jobs.job import Job
from tokenkit.jobs.partitions import turned_path
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.rejects.places import rejects_place
from tokenkit.jobs.targets import is_folder, renamed


def check_places(job: Job, inputs: Sequence[Input], run: str) -> None:
    """Refuse outputs that would take the place of an input, or of each other.

    Whatever ``force`` says: it is about an older output.

    Raises
    ------
    JobError
        If one would.
    """
    target = job.output_path.resolve()
    folder = is_folder(job)
    outputs = {target, sidecar_of(target)}
    place = rejects_place(job, run)
    if any(item.cells for item in inputs) and isinstance(place, Path):
        rejects = place.resolve()
        if rejects in outputs or (folder and target in rejects.parents):
            raise JobError(
                "rejected rows would go into the place of the output",
                file=str(job.rejects),
                hint="give them a place of their own, beside the output",
            )
        outputs.add(rejects)
    for item in inputs:
        if not isinstance(item.inlet, InputFile):
            continue
        read = item.inlet.path.resolve()
        if read in outputs or (folder and target in read.parents):
            raise JobError(
                "the output would take the place of a file that is read",
                file=item.inlet.shown,
                hint="write to another place; the input is never changed",
            )
    if job.mode == "replace" and folder:
        _check_names(job, inputs)


def check_target(job: Job) -> None:
    """Refuse a target that is the source or lies in it, or that the mode doesn't go with.

    Raises
    ------
    JobError
        If it is.
    """
    target = job.output_path
    source = job.source if isinstance(job.source, Path) else None
    if source is not None and source.is_dir() and source.resolve() in target.resolve().parents:
        raise JobError(
            "the output lies in the folder that is read",
            file=str(target),
            hint="write to a place outside of it",
        )
    if not target.exists():
        return
    if source is not None and source.exists() and target.samefile(source):
        raise JobError(
            "input and output are the same file",
            file=str(target),
            hint="write to another name; the input is never changed",
        )
    if job.mode != "replace":
        if not target.is_dir():
            raise JobError(f"{job.mode} needs a folder", file=str(target), hint="-o FOLDER")
    elif not target.is_file() and not target.is_dir():
        raise JobError("the output is no regular file", file=str(target))


def _check_names(job: Job, inputs: Sequence[Input]) -> None:
    seen: dict[str, Input] = {}
    for item in inputs:
        output = renamed(turned_path(item), job.output_format)
        if str(output) in seen:
            raise JobError(
                f"its output would have the name of that of {seen[str(output)].inlet.shown}: "
                f"{masked(output)}",
                file=item.inlet.shown,
                hint="rename one of the files, keep the columns of the path apart, or write to one "
                "file",
            )
        seen[str(output)] = item
