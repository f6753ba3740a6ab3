"""A recorder that passes everything on, and keeps the record for whoever shows the run."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tokenkit.dagster.failures import Attempt
from tokenkit.errors import InputNotFound
from tokenkit.keys import Keyring
from tokenkit.lineage import Dataset, Recorder, Recording, RunRecord


@dataclass(slots=True)
class Witness:
    """Keeps the record of the last run.

    Attributes
    ----------
    recorder
        What runs are passed on to.
    attempt
        Is told when rows begin to be read.
    expected
        The fingerprint that the run's input must have, if only that one is to be read: a file that
        took its place since is refused before a row is read.
    record
        The record, once the run has come to its outputs.
    """

    recorder: Recorder
    attempt: Attempt
    expected: str | None = None
    record: RunRecord | None = field(default=None, init=False)

    @contextlib.contextmanager
    def recording(self, record: RunRecord, keyring: Keyring) -> Iterator[Recording]:
        """Begin to record a run.

        Raises
        ------
        StoreError
            If the recorder can't.
        JobError
            If the input isn't the expected one.
        """
        self._check(record)
        with self.recorder.recording(record, keyring) as recording:
            self.attempt.is_running = True
            yield _Watched(recording, self)

    def settle(self, record: RunRecord, keyring: Keyring, *, create: bool = True) -> None:
        """Complete the record of a run that was found done."""
        self._check(record)
        self.recorder.settle(record, keyring, create=create)
        self.record = record

    @property
    def remembers(self) -> bool:
        """Whether the recorder does."""
        return self.recorder.remembers

    def has_written(self, dataset: Dataset) -> bool:
        """Whether a run is known that has written a dataset."""
        return self.recorder.has_written(dataset)

    def metadata_of(self, dataset: Dataset) -> str | None:
        """Give the document of a table's tokens."""
        return self.recorder.metadata_of(dataset)

    def proofs_of(self, run: str, output: Dataset) -> Mapping[str, Mapping[str, str]]:
        """Give the digests that a run's record holds."""
        return self.recorder.proofs_of(run, output)

    def _check(self, record: RunRecord) -> None:
        if self.expected is not None and record.inputs[0].fingerprint != self.expected:
            raise replaced()


@dataclass(frozen=True, slots=True)
class _Watched:
    _recording: Recording
    _witness: Witness

    def prepare(self, record: RunRecord) -> None:
        self._recording.prepare(record)
        self._witness.record = record

    def leave_open(self) -> None:
        self._recording.leave_open()

    def complete(self) -> None:
        self._recording.complete()


def replaced() -> InputNotFound:
    """Say that the file of a partition is no longer the one that it was."""
    return InputNotFound(
        "the file was replaced or removed since it was put into the inbox; nothing was done",
        hint="a file that takes another's place is a partition of its own, and is done as that",
    )
