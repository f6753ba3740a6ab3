"""Who takes run records: the protocol between jobs and what remembers them."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tokenkit.keys import Keyring
from tokenkit.lineage.run_record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What is known of a run before it has read a row.

    Attributes
    ----------
    id, job_run, operation, started, actor
        As in :class:`~tokenkit.lineage.RunRecord`.
    keyring
        The keyring of the run, under one of whose keys the audit log is authenticated.
    """

    id: UUID
    job_run: str
    operation: str
    started: datetime
    actor: str
    keyring: Keyring


class Recording(Protocol):
    """The recording of one run. Left by an exception, it records the failure."""

    def prepare(self, record: RunRecord) -> None:
        """Take the whole record, durably, before the outputs get their names.

        Raises
        ------
        StoreError
            If it can't; the run must then fail, with nothing written.
        """

    def complete(self) -> None:
        """Take note that the outputs have their names.

        Raises
        ------
        StoreError
            If it can't; run again, the job is skipped and its record settled.
        """


class Recorder(Protocol):
    """Remembers runs."""

    def recording(self, start: RunStart) -> AbstractContextManager[Recording]:
        """Begin to record a run.

        Raises
        ------
        StoreError
            If it can't: better now than after an hour's work.
        """

    def settle(self, start: RunStart, record: RunRecord) -> None:
        """Complete the record of a run whose outputs were found in their places.

        The run may have been killed after its outputs had their names, or may never have been
        recorded. Does nothing if a complete record is there.
        """


class Unrecorded:
    """Remembers nothing: for ``--no-lineage``, and where nobody asks.

    Examples
    --------
    >>> recorder: Recorder = Unrecorded()
    """

    def recording(self, start: RunStart) -> AbstractContextManager[Recording]:
        """Begin a recording that goes nowhere."""
        del start
        return nullcontext(_Nowhere())

    def settle(self, start: RunStart, record: RunRecord) -> None:
        """Do nothing."""


class _Nowhere:
    def prepare(self, record: RunRecord) -> None:
        pass

    def complete(self) -> None:
        pass
