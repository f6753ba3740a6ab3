"""The digests of what a job reads, taken while it tokenizes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.proof import Proof
from tokenkit.errors import JobError
from tokenkit.jobs.preparation import Input

WHOLE_JOB: Final = "job"
"""What stands for a file's name in the proofs of a job, which are about all of its inputs."""


def begin_proof(call: ColumnCall, run: str, column: str) -> Proof:
    """Begin the proof of a column, under the key of its tokens and of a job's run.

    Raises
    ------
    KeyNotLoaded
        If the key version's bytes are gone.
    """
    return Proof(call.version, call.rule.domain, run, WHOLE_JOB, column)


class InputProofs:
    """The digests of the columns that a run tokenizes.

    Parameters
    ----------
    inputs
        What the run reads.
    run
        The run's id.

    Raises
    ------
    KeyNotLoaded
        If a key version's bytes are gone.
    """

    def __init__(self, inputs: Sequence[Input], run: str) -> None:
        calls = {name: call for item in inputs for name, call in item.calls.transformed.items()}
        self.by_column = {name: begin_proof(call, run, name) for name, call in calls.items()}
        self._expected: Counter[str] = Counter()

    def expect(self, columns: Iterable[str], rows: int) -> None:
        """Take note that the output got so many rows of some columns."""
        for name in columns:
            self._expected[name] += rows

    def macs(self) -> dict[str, str]:
        """Give the digests, by column.

        Raises
        ------
        JobError
            If a row of the output isn't in one, or is in it twice.
        """
        for name, proof in self.by_column.items():
            if sum(proof.counts("old").values()) != self._expected[name]:
                raise JobError(
                    "the digest isn't about as many rows as were written; nothing was kept",
                    column=name,
                    hint="run the job again",
                )
        return {name: proof.mac("old") for name, proof in self.by_column.items()}
