"""Does what a job wrote, detokenized, give what it read? It is compared with the run's record."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from tokenkit.engines.polars.proof import Proof
from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import InputNotFound, JobError, TokenkitError, translated
from tokenkit.jobs.aside import refusing
from tokenkit.jobs.destinations import Destination, destination_of
from tokenkit.jobs.job import Job
from tokenkit.jobs.outcomes import PASSED
from tokenkit.jobs.preparation import Input, prepare
from tokenkit.jobs.progress import Progress, Silent
from tokenkit.jobs.proving.inputs import begin_proof
from tokenkit.jobs.proving.locating import Located, Sides, find_foreign, locate
from tokenkit.jobs.proving.marks import Types, mark_column, of_output, of_source
from tokenkit.jobs.proving.outputs import open_outputs
from tokenkit.jobs.proving.recorded import recorded_proofs
from tokenkit.jobs.proving.report import CheckedColumn, OutputCheck
from tokenkit.jobs.queries import read_through
from tokenkit.jobs.run_id import fingerprints, run_id
from tokenkit.jobs.tables.inlets import TABLE
from tokenkit.keys import current_keyring
from tokenkit.lineage.naming import storable


def check_output(
    job: Job,
    *,
    run: str | None = None,
    proofs: Mapping[str, str] | None = None,
    most_rows: int = 20,
    progress: Progress | None = None,
) -> OutputCheck:
    r"""Read what a job has written, and say whether its tokens stand for what the job read.

    The tokens are turned back inside the native module, and a keyed digest of each column is
    compared with the one that the run has recorded. A value that is lost, doubled, changed, in
    another column or left in clear shows. Then rows are compared with the source, if it is still
    what was read. No value becomes part of any column or of what is found.

    Parameters
    ----------
    job
        The job that was done, with ``prove``.
    run
        The run to check, as its report names it; default: the one that the job would be, over its
        source as it is now.
    proofs
        The digests, as the report of the run has them; default: those that are recorded.
    most_rows
        How many rows of each column are named.
    progress
        Is told how far it is.

    Raises
    ------
    JobError
        If no digest of the run is recorded, the output is another run's, or it can't be read.
    InputNotFound, InputError, MetadataError, KeyringError
        If files, metadata or keys are the matter.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tokenkit.jobs import run
    >>> from tokenkit.keys import Keyring
    >>> from tokenkit.policy import Policy
    >>> policy = Policy.from_mapping({"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "a.csv"), Path(folder, "b.csv")
    ...     _ = source.write_text("ssn\n078-05-1120\n078-05-1121\n")
    ...     with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
    ...         job = Job(operation="tokenize", source=source, target=target, policy=policy,
    ...                   keyring=ring, prove=True)
    ...         report = run(job)
    ...         holds = check_output(job, proofs=report.proofs).holds
    ...         lines = target.read_text().splitlines()
    ...         _ = target.write_text("\n".join([*lines[:2], "078-05-1121"]) + "\n")
    ...         found = check_output(job, proofs=report.proofs)
    >>> holds, found.holds, found.differing[0].column, found.differing[0].row
    (True, False, 'ssn', 1)
    """
    destination = destination_of(job)
    if destination is None:
        raise JobError("a job without an output has nothing to check", hint="check what was run")
    with refusing(destination.shown):
        return _check(job, destination, run, proofs, most_rows, progress or Silent())


def _check(
    job: Job,
    destination: Destination,
    run: str | None,
    proofs: Mapping[str, str] | None,
    most_rows: int,
    progress: Progress,
) -> OutputCheck:
    keyring = job.keyring or current_keyring()
    job = replace(job, keyring=keyring)
    if run is None:
        inputs = prepare(job, keyring)
        run = run_id(job, inputs, fingerprints(inputs))
    recorded = recorded_proofs(run, destination.dataset) if proofs is None else proofs
    if not recorded:
        raise JobError(
            "no digest of what the run read is recorded",
            file=destination.shown,
            hint="do the job with --prove, or prove: true in the job file",
        )
    outputs = open_outputs(job, destination, run, keyring)
    checking = _Checking(job, run, outputs, progress)
    progress.start(None, exact=False)
    try:
        columns = checking.columns(recorded)
        bad = [name for name, column in columns.items() if not column.holds]
        found, located = Located(most_rows), False
        if bad:
            found, located = checking.locate(destination, bad, recorded, most_rows)
    finally:
        progress.finish()
    return OutputCheck(
        run=run,
        output=destination.shown,
        rows=checking.rows,
        columns={
            name: replace(column, differing=found.counts[name])
            if located and name in found.counts
            else column
            for name, column in columns.items()
        },
        differing=tuple(row for rows in found.rows.values() for row in rows),
        located=located,
    )


class _Checking:
    """The check of one run's output."""

    def __init__(self, job: Job, run: str, outputs: Sequence[Input], progress: Progress) -> None:
        self._job = job
        self._run = run
        self._outputs = outputs
        self._progress = progress
        self._counter = RowCounter()
        self._types = _types(job, outputs)
        self.rows = 0

    def columns(self, recorded: Mapping[str, str]) -> dict[str, CheckedColumn]:
        """Take the digest of each column of tokens, and compare it with the recorded one."""
        proofs = self._proofs()
        for item in self._outputs:
            item.check()
        with translated():
            frame = of_output(self._outputs, proofs, self._types, self._counter, by_row=False)
        added = self._sums(frame, proofs, self._outputs)
        self.rows = added.pop()
        found = {
            name: CheckedColumn(
                holds=self._is_recorded(recorded, name, proof.mac("new")) and count == self.rows,
                not_tokens=self.rows - count,
            )
            for (name, proof), count in zip(proofs.items(), added, strict=True)
        }
        known = {storable(name) for name in found}
        # What was tokenized, and is no longer a column of tokens.
        lost = CheckedColumn(holds=False, not_tokens=self.rows)
        return {**found, **{name: lost for name in recorded if storable(name) not in known}}

    def locate(
        self,
        destination: Destination,
        columns: Sequence[str],
        recorded: Mapping[str, str],
        most_rows: int,
    ) -> tuple[Located, bool]:
        """Find the rows that differ, and say whether the source was there to compare with."""
        proofs = {name: proof for name, proof in self._proofs().items() if name in columns}
        sides = Sides(
            job=self._job,
            inputs=(),
            outputs=self._outputs,
            proofs=proofs,
            types=self._types,
            most_rows=most_rows,
            counter=self._counter,
            progress=self._progress,
        )
        inputs = self._unchanged(proofs, recorded)
        if inputs is None:
            return find_foreign(sides), False
        # Neither a table nor the partitions of a folder have the source's order.
        is_table = any(item.inlet.kind == TABLE for item in self._outputs)
        ordered = not is_table and self._job.mode != "partition"
        sides = replace(sides, inputs=inputs)
        found = locate(sides, mirrored=destination.is_mirrored, ordered=ordered)
        return found, True

    def _unchanged(
        self, proofs: Mapping[str, Proof], recorded: Mapping[str, str]
    ) -> list[Input] | None:
        """Open the source, if it still holds what was read of the columns; else None."""
        try:
            inputs = prepare(self._job, self._job.keyring or current_keyring())
            for item in inputs:
                item.check()
            again = {name: proof for name, proof in self._proofs().items() if name in proofs}
            limit = self._job.limit
            with translated():
                frame = of_source(inputs, again, limit, self._counter, by_row=False)
            self._sums(frame, again, inputs)
        except TokenkitError:
            return None
        same = all(
            self._is_recorded(recorded, name, proof.mac("old")) for name, proof in again.items()
        )
        return inputs if same else None

    def _proofs(self) -> dict[str, Proof]:
        calls = {
            name: call for item in self._outputs for name, call in item.calls.transformed.items()
        }
        return {name: begin_proof(call, self._run, name) for name, call in calls.items()}

    def _sums(
        self, frame: pl.LazyFrame, proofs: Mapping[str, Proof], inputs: Sequence[Input]
    ) -> list[int]:
        """Count what is added of each column, and all rows."""
        added = [pl.col(mark_column(number)).sum() for number in range(len(proofs))]
        query = frame.select(*added, pl.len().alias("rows"), pl.col(PASSED).sum())
        [found] = read_through([query], self._counter, self._progress, inputs)
        return [int(count or 0) for count in found.row(0)[:-1]]

    @staticmethod
    def _is_recorded(recorded: Mapping[str, str], name: str, mac: str) -> bool:
        known = recorded.get(storable(name), recorded.get(name, ""))
        return hmac.compare_digest(known.encode(), mac.encode())


def _types(job: Job, outputs: Sequence[Input]) -> Types:
    """Say which tokens are numbers that a text file holds as text."""
    as_text = {
        name
        for item in outputs
        for name, call in item.calls.transformed.items()
        if item.schema[name] == pl.String
        and call.rule.parameters.width is not None
        and call.rule.output != "string"
    }
    if not as_text:
        return {}
    try:
        inputs = prepare(job, job.keyring or current_keyring())
    except InputNotFound:
        inputs = []
    types = job.text.dtypes()
    for item in inputs:
        types |= {name: item.source.types.get(name, dtype) for name, dtype in item.schema.items()}
    return {name: dtype for name, dtype in types.items() if name in as_text and dtype.is_integer()}
