"""The run of a job: inputs read once, outputs written aside and named when they are complete."""

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import (
    EngineError,
    JobError,
    from_polars,
    translated,
)
from tokenkit.jobs.aside import already_there, refused, refusing
from tokenkit.jobs.checks import check_job, check_unchanged, check_values
from tokenkit.jobs.connectors.pace import keeping_pace
from tokenkit.jobs.destinations import Destination, destination_of
from tokenkit.jobs.job import Job
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.origins import origin_of
from tokenkit.jobs.outlets import Outlet
from tokenkit.jobs.partitions import turned_path
from tokenkit.jobs.passes import Pass, Results
from tokenkit.jobs.preparation import Input, prepare
from tokenkit.jobs.progress import Progress, Silent
from tokenkit.jobs.proving.inputs import InputProofs
from tokenkit.jobs.proving.recorded import recorded_proofs
from tokenkit.jobs.recording import JobRun
from tokenkit.jobs.rejects.aside import Rejects, rejects_of, remove_stale
from tokenkit.jobs.rejects.description import RejectsDescription
from tokenkit.jobs.report import Report
from tokenkit.jobs.run_id import fingerprints, run_id
from tokenkit.jobs.tallies import Counts, joined
from tokenkit.keys import current_keyring

if TYPE_CHECKING:
    from tokenkit.jobs.targets import Target

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LITTLE = 256 * 1024
_OS_ERROR = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")


def run(job: Job, progress: Progress | None = None) -> Report:
    r"""Do a job.

    Each input is read once, lazily; one expression a column makes the tokens, and the same pass
    seals the rows that are rejected and counts what became of all. Outputs are written aside and
    get their names when every row is in them or among the rejected, and everything else fits;
    otherwise nothing of them stays. Memory doesn't grow with the rows.

    Parameters
    ----------
    job
        What to do.
    progress
        Is told how far the job is.

    Returns
    -------
    Report
        What the job did, in numbers.

    Raises
    ------
    JobRefused
        If values don't fit and the policy says that this is an error. An
        :class:`~tokenkit.errors.InvalidValues`, with the report.
    InputNotFound, InputError, OutputExists, JobError
        If the files are the matter.
    PolicyError, SchemeError
        If the policy is wrong, or doesn't fit the input.
    MetadataError
        If the metadata beside tokens is missing, altered, or about something else.
    KeyringError
        If a key or version isn't there.
    UnsupportedType
        If a column is of a type that can't be tokenized, or that the output's format lacks.

    Examples
    --------
    >>> import tempfile
    >>> from tokenkit.keys import Keyring
    >>> from tokenkit.policy import Policy
    >>> policy = Policy.from_mapping({"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "a.csv"), Path(folder, "b.parquet")
    ...     _ = source.write_text("ssn\n078-05-1120\n")
    ...     with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
    ...         report = run(Job(operation="tokenize", source=source, target=target,
    ...                          policy=policy, keyring=ring))
    >>> report.rows_written, report.columns["ssn"].done
    (1, 1)
    """
    place = job.source if job.target is None else job.target
    with refusing(place if isinstance(place, Path) else place.shown):
        # Whether a folder is written, the system is asked.
        return _run(job, destination_of(job), progress or Silent())


def _run(job: Job, destination: Destination | None, observer: Progress) -> Report:
    begun = time.perf_counter()
    check_job(job)
    if destination is not None:
        destination.check(job)
    keyring = job.keyring or current_keyring()
    inputs = prepare(job, keyring)
    before = fingerprints(inputs)
    identity = run_id(job, inputs, before)
    written_to = None if job.dry_run else destination
    if written_to is not None:
        written_to.check_places(job, inputs, identity)
    bare = Report(
        operation=job.operation,
        run=identity,
        source=origin_of(job.source).shown,
        target=None if destination is None else destination.shown,
        inputs=len(inputs),
        rows_read=0,
        rows_written=0,
        columns={},
        kept=inputs[0].calls.kept,
        dropped=inputs[0].calls.dropped,
        seconds=0.0,
        bytes_read=sum(item.inlet.size for item in inputs),
        bytes_written=0,
    )
    recorded = JobRun(job, written_to, inputs, identity, before, keyring)
    found = None
    if written_to is not None:
        written_to.sweep(job, identity)
        found = written_to.find_done(job, inputs, identity, keyring)
    proofs: Mapping[str, str] = {}
    if found is not None and destination is not None and job.prove:
        proofs = recorded_proofs(identity, destination.dataset)
    if found is not None and (proofs or not job.prove):
        recorded.settle(found.read, found.written, found.rejected)
        seconds = time.perf_counter() - begun
        return replace(bare, status="skipped", proofs=proofs, seconds=seconds)
    if found is not None and job.mode == "replace" and not job.replaces:
        raise already_there(bare.target or "")
    with recorded.recording() as recording, contextlib.ExitStack() as stack:
        passes = _Passes(job, written_to, inputs, identity, observer, stack)
        with _watched(observer, inputs):
            counts = passes.execute()
        check_unchanged(inputs, before)
        report = replace(
            bare,
            status="dry-run" if job.dry_run else "done",
            rows_read=counts.read,
            rows_rejected=counts.rejected,
            columns=counts.columns,
            seconds=time.perf_counter() - begun,
        )
        check_values(job.policy, inputs[0].calls, report)
        if job.dry_run:
            return report
        proofs = passes.proofs.macs()
        written = passes.flush()
        with recorded.published(recording, counts, passes.target, written, proofs):
            passes.publish(counts.rejected)
    return replace(
        report,
        rows_written=counts.read - counts.rejected,
        proofs=proofs,
        rejects=str(passes.rejects_path) if counts.rejected else None,
        bytes_written=written,
        seconds=time.perf_counter() - begun,
    )


@contextlib.contextmanager
def _watched(progress: Progress, inputs: Sequence[Input]) -> Iterator[None]:
    known = [item.source.rows for item in inputs]
    exact = None not in known
    counts = known if exact else [item.source.estimated_rows for item in inputs]
    rows = None if None in counts else sum(count or 0 for count in counts)
    progress.start(rows, exact=exact)
    try:
        yield
    finally:
        progress.finish()


class _Passes:
    """The passes of one run, and what they write."""

    def __init__(
        self,
        job: Job,
        destination: Destination | None,
        inputs: Sequence[Input],
        identity: str,
        progress: Progress,
        stack: contextlib.ExitStack,
    ) -> None:
        self._job = job
        self._inputs = inputs
        self._identity = identity
        self._progress = progress
        self._counter = RowCounter()
        self.target: Target | None = None
        self._rejects: Rejects | None = None
        self._destination = destination
        self._mirrored = destination is not None and destination.is_mirrored
        self._cells = inputs[0].cells
        proving = job.prove and destination is not None
        self.proofs = InputProofs(inputs if proving else (), identity)
        if destination is None:
            return
        self.target = destination.target(job, identity, inputs[0].suffix)
        stack.enter_context(self.target)
        if self._cells:
            self._rejects = rejects_of(job, identity)
            stack.enter_context(self._rejects)

    @property
    def _shown(self) -> str:
        place = origin_of(self._job.source) if self._destination is None else self._destination
        return place.shown

    @property
    def rejects_path(self) -> Path | ObjectPlace | None:
        """Where rejected rows go."""
        return None if self._rejects is None else self._rejects.path

    def execute(self) -> Counts:
        """Run the passes: one for each file of a folder, or one for all."""
        one_by_one = [[item] for item in self._inputs]
        groups = one_by_one if self._mirrored else [list(self._inputs)]
        with keeping_pace():
            return joined([self._pass(group) for group in groups])

    def flush(self) -> int:
        """Flush the output to the disk; gives its size."""
        return 0 if self.target is None else self.target.flush()

    def publish(self, rejected: int) -> None:
        """Give everything its name, rejected rows first."""
        if self.target is None:
            return
        rejects = self._rejects
        if rejects is not None and rejected:
            rejects.publish(rejected)
        try:
            self.target.publish()
        except BaseException:
            if rejects is not None and not self.target.is_published():
                rejects.withdraw()
            raise
        if rejects is None:
            remove_stale(self._job, self._identity)
        elif not rejected:
            rejects.clear()

    def _pass(self, group: Sequence[Input]) -> Counts:
        for item in group:
            item.check()
        first = group[0]
        parts = [item.part(self._job.limit) for item in group]
        outlet: Outlet | None = None
        accept = reject = None
        if self.target is not None:
            relative = turned_path(first)
            outlet = self.target.outlet(relative)
            outlet.check(
                pl.Schema({name: parts[0].output_type(name) for name in first.calls.by_column})
            )
            metadata = first.metadata(self._job, outlet.kind, self._identity)
            writing = outlet

            def accept(frame: pl.LazyFrame) -> pl.LazyFrame:
                return writing.write(frame, metadata)

        if self._rejects is not None:
            description = RejectsDescription.of(
                first.cells,
                first.schema,
                run=self._identity,
                operation=self._job.operation,
                policy="" if self._job.policy is None else self._job.policy.digest,
            )
            reject = self._rejects.writer(description)
        pass_ = Pass(
            parts=parts,
            cells=first.cells,
            run=self._identity,
            proofs=self.proofs.by_column,
            omitted=first.inlet.partition if self._mirrored else (),
            accept=accept,
            reject=reject,
        )
        results: Results | BaseException
        try:
            results = pass_.execute(self._counter, self._progress)
        except Exception:
            self._close(outlet, complete=False)
            raise
        # Not closed after an interrupt: the query may not have ended, and the number would be
        # reused.
        self._close(outlet, complete=not isinstance(results, BaseException))
        if isinstance(results, BaseException):
            raise self._explained(results, group, outlet)
        self._check_rows(group, results, outlet)
        counts = results.counts
        self.proofs.expect(first.calls.transformed, counts.read - counts.rejected)
        return counts

    def _close(self, outlet: Outlet | None, *, complete: bool) -> None:
        if outlet is not None:
            outlet.close(complete=complete)
        if self._rejects is not None:
            self._rejects.close()

    def _explained(
        self, exc: BaseException, group: Sequence[Input], outlet: Outlet | None
    ) -> BaseException:
        """Say what an error of the pass means; foreign text is looked at and never shown."""
        if not isinstance(exc, Exception) and isinstance(exc, KeyboardInterrupt | SystemExit):
            return exc
        for writing in (outlet, self._rejects):
            if writing is not None and writing.failure is not None:
                return writing.failure
        error = from_polars(exc)
        if not isinstance(error, EngineError):
            return error
        text = str(exc)
        found = _OS_ERROR.search(text)
        number = int(found[1] or found[2]) if found else 0
        refusal = refused(self._shown, number)
        if number in _FULL or (self.target is not None and self._is_disk_full()):
            # Only writing needs space. Polars may name the number, or say that a file is damaged.
            return refused(self._shown, errno.ENOSPC)
        explained = (item.source.explain(text) for item in group)
        return next((each for each in explained if each), refusal if number else error)

    def _is_disk_full(self) -> bool:
        written = (self._job.target, self.rejects_path)
        places = {path.parent for path in written if isinstance(path, Path)}
        with contextlib.suppress(OSError, AttributeError):
            states = [os.statvfs(place) for place in places]
            return any(state.f_bavail * state.f_frsize < _LITTLE for state in states)
        return False

    def _check_rows(self, group: Sequence[Input], results: Results, outlet: Outlet | None) -> None:
        counts = results.counts
        known = [item.source.rows for item in group]
        expected = counts.read if None in known else sum(rows or 0 for rows in known)
        if self._job.limit is not None:
            expected = counts.read
        with translated(), refusing(self._shown):
            written = counts.read - counts.rejected if outlet is None else outlet.count()
            set_aside = counts.rejected if self._rejects is None else self._rejects.count_last()
        if written + set_aside != expected or counts.read != expected:
            raise JobError(
                f"{expected:,} rows were read, {written:,} written and {set_aside:,} rejected; the "
                "output was deleted",
                file=self._shown,
                hint="the input may have changed meanwhile; run the job again",
            )
