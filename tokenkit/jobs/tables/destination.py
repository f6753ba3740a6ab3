"""What a job checks about a table that it writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenkit.errors import JobError, OutputExists
from tokenkit.jobs.appending import check_versions
from tokenkit.jobs.connectors.tables import TableMode, TableSink
from tokenkit.jobs.done import Found
from tokenkit.jobs.job import Job
from tokenkit.jobs.locking import sweep
from tokenkit.jobs.origins import origin_of
from tokenkit.jobs.overwriting import may_overwrite
from tokenkit.jobs.preparation import Input
from tokenkit.jobs.tables.inlets import TABLE
from tokenkit.jobs.tables.target import TableTarget
from tokenkit.keys import Keyring
from tokenkit.lineage import Dataset, current_recorder
from tokenkit.policy import Metadata


@dataclass(frozen=True, slots=True)
class TableDestination:
    """A table, replaced as a whole or added to."""

    table: TableSink
    mode: TableMode
    is_mirrored: bool = False

    @property
    def shown(self) -> str:
        """Its name for messages and reports."""
        return self.table.shown

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage."""
        return self.table.dataset

    def check(self, job: Job) -> None:
        """Refuse what can't work whatever the rows are."""
        problem = hint = None
        if job.output_format is not None:
            problem, hint = "a table has no format", "leave the format out"
        elif origin_of(job.source).dataset == self.dataset:
            problem, hint = "source and sink are the same table", "write to another table"
        if problem is not None:
            raise JobError(problem, file=self.shown, hint=hint)

    def check_places(self, job: Job, inputs: Sequence[Input], run: str) -> None:
        """Refuse rejected rows without a place: there is no folder beside a table."""
        del run
        if job.rejects is None and any(item.cells for item in inputs):
            raise JobError(
                "rejected rows need a place of their own where the output is a table",
                file=self.shown,
                hint="rejects: PATH.parquet in the job file",
            )
        if not current_recorder().remembers and inputs[0].calls.transformed:
            raise JobError(
                "the metadata of a table's tokens is kept in the store, which is turned off",
                file=self.shown,
                hint="leave out --no-lineage",
            )

    def sweep(self, job: Job, run: str) -> None:
        """Remove what this job has left aside if it was killed; the system does so for tables."""
        del run
        if isinstance(job.rejects, Path):
            sweep(job.rejects)

    def find_done(
        self, job: Job, inputs: Sequence[Input], run: str, keyring: Keyring
    ) -> Found | None:
        """Refuse a table that isn't to be replaced or added to; a run is never taken for done.

        Raises
        ------
        OutputExists
            If the table is there, and isn't to be replaced, or isn't known to be an older run's.
        JobError
            If rows are to be added to tokens of other key versions.
        """
        del run
        if job.dry_run or job.force:
            return None
        if self.mode == "replace":
            if self.table.exists() and not may_overwrite(job, self.dataset):
                raise OutputExists(
                    "the table is there already, and the store knows of no older run that made it"
                    if job.overwrite
                    else "the table is there already",
                    file=self.shown,
                    hint="write to another one, or add --force if this one may go",
                )
            return None
        if self.table.exists():
            document = current_recorder().metadata_of(self.dataset)
            found = None if document is None else Metadata.parse(document)
            if found is not None:
                found.verify(keyring, TABLE)
            columns = {} if found is None else found.columns
            check_versions(inputs[0], columns, self.shown, f"the table {self.shown}")
        return None

    def target(self, job: Job, run: str, suffix: str) -> TableTarget:
        """Give what takes the rows."""
        del job, suffix
        return TableTarget(self.table, self.mode, run)
