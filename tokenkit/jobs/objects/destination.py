"""What a job checks about an object that it writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from tokenkit.errors import InputNotFound, JobError, OutputExists, translated
from tokenkit.jobs.appending import check_versions
from tokenkit.jobs.aside import already_there
from tokenkit.jobs.connectors import format_of, known_suffix
from tokenkit.jobs.documents import document_of
from tokenkit.jobs.done import Found, is_of, rows_read
from tokenkit.jobs.job import Job
from tokenkit.jobs.locking import sweep
from tokenkit.jobs.objects.files import find
from tokenkit.jobs.objects.inlets import ObjectInlet, find_objects
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.sidecars import settle, sidecar_of
from tokenkit.jobs.objects.target import ObjectTarget
from tokenkit.jobs.outlets import sink_of
from tokenkit.jobs.overwriting import may_overwrite
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.rejects.aside import set_aside
from tokenkit.jobs.rejects.places import rejects_place
from tokenkit.keys import Keyring
from tokenkit.lineage.datasets import Dataset
from tokenkit.policy import ColumnMetadata, Metadata


@dataclass(frozen=True, slots=True)
class ObjectDestination:
    """An object, or with the mode ``append`` one more object below a prefix."""

    place: ObjectPlace
    is_mirrored: bool = False

    @property
    def shown(self) -> str:
        """The URL, without the values of partitions."""
        return self.place.shown

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""
        return self.place.dataset

    def check(self, job: Job) -> None:
        """Refuse what object stores can't do in one step, and a target that is the source."""
        problem = hint = None
        if job.mode == "replace" and not self.place.is_prefix and self.place.path.suffix:
            format_of(self.place.path)
        is_object = known_suffix(self.place.path) and not self.place.is_prefix
        if self.place.is_pattern:
            problem, hint = "an output is no pattern", "name an object"
        elif job.mode == "partition":
            problem = "an object store can't replace several objects in one step"
            hint = "mode: append, or write the partitions to a folder and copy that"
        elif job.mode == "append" and is_object:
            problem, hint = "append needs a prefix", "s3://bucket/folder/"
        elif job.mode == "replace" and not is_object:
            problem = "an object store can't replace all objects below a prefix in one step"
            hint = "name one object, such as s3://bucket/folder/customers.parquet, or mode: append"
        elif isinstance(job.source, ObjectPlace) and _covers(job.source, self.place):
            problem, hint = "the output lies where the input does", "write to another place"
        if problem is not None:
            raise JobError(problem, file=self.shown, hint=hint)

    def check_places(self, job: Job, inputs: Sequence[Input], run: str) -> None:
        """Refuse outputs that would take the place of an input, or of each other."""
        output = self._output(job, run, inputs[0].suffix)
        outputs = {_identity(output), _identity(sidecar_of(output))}
        if any(item.cells for item in inputs):
            rejects = rejects_place(job, run)
            if isinstance(rejects, ObjectPlace):
                if _identity(rejects) in outputs:
                    raise JobError(
                        "rejected rows would go into the place of the output",
                        file=rejects.shown,
                        hint="give them a place of their own, beside the output",
                    )
                outputs.add(_identity(rejects))
        for item in inputs:
            inlet = item.inlet
            if not isinstance(inlet, ObjectInlet):
                continue
            if _identity(inlet.file.place) in outputs:
                raise JobError(
                    "the output would take the place of an object that is read",
                    file=inlet.shown,
                    hint="write to another place; the input is never changed",
                )
            # A prefix may be named without a slash, and shows by what was found below it.
            source = job.source
            if (
                isinstance(source, ObjectPlace)
                and inlet.file.place.key != source.key
                and _covers(source.beside("/"), output)
            ):
                raise JobError(
                    "the output lies below the prefix that is read",
                    file=self.shown,
                    hint="write to a place outside of it",
                )

    def sweep(self, job: Job, run: str) -> None:
        """Remove what this job has left aside if it was killed; of uploads, the store does that."""
        rejects = rejects_place(job, run)
        if isinstance(rejects, Path):
            sweep(rejects)

    def find_done(
        self, job: Job, inputs: Sequence[Input], run: str, keyring: Keyring
    ) -> Found | None:
        """Say whether this very run's output is there already; None if not.

        Raises
        ------
        OutputExists
            If something else is there, and isn't to be replaced.
        """
        if job.force or job.dry_run:
            return None
        if job.mode == "append":
            self._check_objects(inputs[0], keyring)
        file = find(self._output(job, run, inputs[0].suffix))
        if file is None:
            return None
        inlet = ObjectInlet(file, Path(file.name), MappingProxyType({}))
        document = document_of(file)
        if not is_of(document, inlet.kind, run, keyring):
            if may_overwrite(job, self.dataset):
                return None
            raise already_there(file.url)
        with translated():
            rows = inlet.open(job.text).scan().select(pl.len())
            written = int(rows.collect(engine="streaming").item())
            rejected = set_aside(job, run)
        found = Found(rows_read(job, inputs), written, rejected)
        if found.whole:
            if isinstance(document, bytes) and sink_of(inlet.relative, job.text)[1].metadata_beside:
                # A run that was killed may not have come to it.
                settle(file.place, document)
            return found
        if job.overwrite or job.mode == "append":
            return None
        raise OutputExists(
            "the output is there, and rows of it or its rejected rows are not",
            file=self.shown,
            hint="put back what was written, or add --force to do the job again",
        )

    def target(self, job: Job, run: str, suffix: str) -> ObjectTarget:
        """Give what holds the output until it is published."""
        replace = job.replaces or job.mode == "append"
        return ObjectTarget(self._output(job, run, suffix), job.text, replace=replace)

    def _output(self, job: Job, run: str, suffix: str) -> ObjectPlace:
        if job.mode != "append":
            return self.place
        prefix = f"{self.place.prefix}/" if self.place.prefix else ""
        return self.place.at(f"{prefix}part-{run}{job.output_format or suffix}")

    def _check_objects(self, item: Input, keyring: Keyring) -> None:
        """Refuse to add an object of tokens that don't join with those that are there."""
        prefix = f"{self.place.prefix}/" if self.place.prefix else ""
        try:
            inlets = find_objects(self.place.at(prefix))
        except InputNotFound:
            inlets = []
        for inlet in inlets:
            check_versions(item, _columns(inlet, keyring), self.shown, f"the object {inlet.shown}")


def _columns(inlet: ObjectInlet, keyring: Keyring) -> "dict[str, ColumnMetadata]":
    document = document_of(inlet.file)
    if document is None:
        return {}
    metadata = Metadata.parse(document)
    metadata.verify(keyring, inlet.kind)
    return dict(metadata.columns)


def _covers(source: ObjectPlace, target: ObjectPlace) -> bool:
    """Whether a target is the source, or lies below a prefix that is read."""
    ours, theirs = _identity(source), _identity(target)
    below = f"{ours[1]}/" if ours[1] else ""
    is_below = not source.is_pattern and theirs[1].startswith(below) and source.is_prefix
    return ours[0] == theirs[0] and (ours[1] == theirs[1] or is_below)


def _identity(place: ObjectPlace) -> tuple[str, str]:
    """Give what two URLs of the same object have in common."""
    dataset = place.dataset
    return dataset.namespace, place.key.removesuffix("/")
