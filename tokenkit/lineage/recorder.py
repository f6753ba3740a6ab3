"""Who takes run records: the protocol between jobs and what remembers them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from tokenkit.keys import Keyring
from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.run_record import RunRecord


class Recording(Protocol):
    """The recording of one run. Left by an exception, it records the failure."""

    def prepare(self, record: RunRecord) -> None:
        """Take the whole record, durably, before the outputs get their names.

        Raises
        ------
        StoreError
            If it can't; the run must then fail, with nothing written.
        """

    def leave_open(self) -> None:
        """Take note that some outputs may have their names: what follows is no plain failure.

        The run stays ``publishing``, until a run of the same job settles it.
        """

    def complete(self) -> None:
        """Take note that the outputs have their names.

        Raises
        ------
        StoreError
            If it can't. The outputs are in their places, and the run stays ``publishing``.
        """


class Recorder(Protocol):
    """Remembers runs."""

    def recording(self, record: RunRecord, keyring: Keyring) -> AbstractContextManager[Recording]:
        """Begin to record a run.

        Parameters
        ----------
        record
            What is known of the run before it has read a row.
        keyring
            The keyring of the run, under one of whose keys the audit log is authenticated.

        Raises
        ------
        StoreError
            If it can't: better now than after an hour's work.
        """

    def settle(self, record: RunRecord, keyring: Keyring, *, create: bool = True) -> None:
        """Complete the record of a run whose outputs were found in their places.

        The run may have been killed after its outputs had their names, or may never have been
        recorded. Does nothing if a complete record of the same job and outputs is there.

        Parameters
        ----------
        record
            What is known of it.
        keyring
            As for :meth:`recording`.
        create
            Whether to make a record where there is none.

        Raises
        ------
        StoreError
            If it can't.
        """

    @property
    def remembers(self) -> bool:
        """Whether it can say later what it was told."""

    def has_written(self, dataset: Dataset) -> bool:
        """Whether a run is known that has written a dataset, or may have.

        Raises
        ------
        StoreError
            If the store isn't there.
        """

    def metadata_of(self, dataset: Dataset) -> str | None:
        """Give the document that says how a table's tokens were made; None if none is known.

        It is as it was recorded, and not to be trusted before its MACs are checked.

        Raises
        ------
        MetadataMissing
            If the newest run that wrote the table may or may not have come to its end.
        StoreError
            If the store isn't there.
        """

    def proofs_of(self, run: str, output: Dataset) -> Mapping[str, Mapping[str, str]]:
        """Give the proofs of a run, as its record has them; none if none are known.

        Parameters
        ----------
        run
            The id that the run's outputs name; the newest run of that id is meant.
        output
            What it wrote.

        Raises
        ------
        StoreError
            If the store isn't there.
        """


class Unrecorded:
    """Remembers nothing: for ``--no-lineage``, and where nobody asks.

    Examples
    --------
    >>> recorder: Recorder = Unrecorded()
    """

    remembers = False

    def recording(self, record: RunRecord, keyring: Keyring) -> AbstractContextManager[Recording]:
        """Begin a recording that goes nowhere."""
        del record, keyring
        return nullcontext(_Nowhere())

    def settle(self, record: RunRecord, keyring: Keyring, *, create: bool = True) -> None:
        """Do nothing."""

    def has_written(self, dataset: Dataset) -> bool:
        """Know of no run."""
        del dataset
        return False

    def metadata_of(self, dataset: Dataset) -> str | None:
        """Know of none."""
        del dataset
        return None

    def proofs_of(self, run: str, output: Dataset) -> Mapping[str, Mapping[str, str]]:
        """Know of none."""
        del run, output
        return {}


class _Nowhere:
    def prepare(self, record: RunRecord) -> None:
        pass

    def leave_open(self) -> None:
        pass

    def complete(self) -> None:
        pass
