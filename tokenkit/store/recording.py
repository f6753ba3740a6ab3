"""The recorder that writes to the store: each step of a run in one transaction with its audit."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, Row, select, update

from tokenkit.errors import MetadataMissing, StoreError, StoreUnavailable, TokenkitError
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.lineage import AuditRecord, Dataset, Recorder, RunRecord
from tokenkit.lineage.openlineage import emitting
from tokenkit.lineage.rows import audit_of, output_row, run_row, use_row, way_row
from tokenkit.store.address import Address, read_address
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.database import Database
from tokenkit.store.identities import dataset_numbers, remember_policy, table_of, way_numbers
from tokenkit.store.models import (
    ColumnRunRow,
    DatasetRow,
    RunInputRow,
    RunOutputRow,
    RunRow,
)

_INTERRUPTED = "interrupted"
_UNFORESEEN = "unforeseen"


class AuditWriter(Protocol):
    """What takes audit records: :class:`~tokenkit.store.audit.AuditLog`."""

    def append(
        self, connection: Connection, records: Sequence[AuditRecord], key: KeyVersion
    ) -> None:
        """Add records to the end of the log, in the caller's transaction."""

    def checkpoint(self) -> object:
        """State, outside of the database, how far the log goes."""


class StoreRecorder:
    """Remembers runs in the store.

    A run's row is there from its beginning. Everything else of its record, and the audit records of
    the key versions that it used, are written in one transaction before its outputs get their
    names; a last one says that they have them.

    Parameters
    ----------
    database
        Where to.
    audit
        The audit log.
    audit_key
        Chooses the key that authenticates audit records.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditWriter,
        audit_key: Callable[[Keyring], KeyVersion],
    ) -> None:
        self._database = database
        self._audit = audit
        self._audit_key = audit_key

    @contextlib.contextmanager
    def recording(self, record: RunRecord, keyring: Keyring) -> Iterator["_Recording"]:
        """Begin to record a run.

        Raises
        ------
        StoreError
            If the store, or a key for its audit log, isn't there.
        """
        recording = _Recording(self._database, self._audit, self._audit_key(keyring), record)
        recording.begin()
        try:
            yield recording
        except BaseException as exc:
            recording.fail(exc)
            raise

    def settle(self, record: RunRecord, keyring: Keyring, *, create: bool = True) -> None:
        """Complete the record of a run whose outputs were found in their places.

        Raises
        ------
        StoreError
            If the store, or a key for its audit log, isn't there.
        """
        key = self._audit_key(keyring)
        with self._database.begin() as connection:
            found = _same(connection, record.job_run, record.outputs[0].dataset)
            if any(row.status == "complete" for row in found):
                return
            now = datetime.now(UTC)
            complete = replace(record, status="complete", ended=now)
            detail = {"found": True}
            if found:
                settled = replace(complete, id=found[0].id)
                if _end(connection, settled, "publishing"):
                    last = audit_of(settled, "complete", now, detail, with_digest=False)
                    self._audit.append(connection, last, key)
            elif create:
                remember_policy(connection, record, now)
                connection.execute(table_of(RunRow).insert(), run_row(complete))
                _insert_uses(connection, record, now)
                _insert_ways(connection, record, now)
                records = [
                    *audit_of(record, "prepared", now, detail),
                    *audit_of(complete, "complete", now, detail),
                ]
                self._audit.append(connection, records, key)

    remembers = True

    def has_written(self, dataset: Dataset) -> bool:
        """Whether a run has written a dataset, or may have.

        Raises
        ------
        StoreError
            If the store isn't there.
        """
        return self._newest(dataset) is not None

    def _newest(self, dataset: Dataset) -> "Row[str, str | None] | None":
        """Find the newest run that wrote a dataset, or may have: its status and metadata."""
        with self._database.read() as connection:
            return connection.execute(
                select(RunRow.status, RunOutputRow.table_metadata)
                .join(RunOutputRow, RunOutputRow.run_id == RunRow.id)
                .join(DatasetRow, DatasetRow.id == RunOutputRow.dataset_id)
                .where(
                    RunRow.status.in_(("publishing", "complete")),
                    DatasetRow.namespace == dataset.namespace,
                    DatasetRow.name == dataset.name,
                )
                .order_by(RunOutputRow.started.desc(), RunOutputRow.run_id.desc())
                .limit(1)
            ).first()

    def metadata_of(self, dataset: Dataset) -> str | None:
        """Give the document of a table's tokens, as the newest run that wrote it left it.

        Raises
        ------
        MetadataMissing
            If that run may or may not have come to its end.
        StoreError
            If the store isn't there.
        """
        newest = self._newest(dataset)
        if newest is None:
            return None
        if newest.status == "publishing":
            raise MetadataMissing(
                f"the last run that wrote {dataset} may or may not have come to its end, so that "
                "nothing says for sure how its tokens were made",
                hint="run that job again",
            )
        return None if newest.table_metadata is None else str(newest.table_metadata)

    def proofs_of(self, run: str, output: Dataset) -> Mapping[str, Mapping[str, str]]:
        """Give the proofs of the newest run of an id that wrote a dataset; none if none are known.

        Raises
        ------
        StoreError
            If the store isn't there.
        """
        with self._database.begin() as connection:
            found = _same(connection, run, output)
            proofs = [row.proofs for row in found]
        return proofs[0] if proofs else {}


class _Recording:
    """The recording of one run, step by step."""

    def __init__(
        self, database: Database, audit: AuditWriter, key: KeyVersion, record: RunRecord
    ) -> None:
        self._database = database
        self._audit = audit
        self._key = key
        self._begun = self._whole = record
        self._left_open = False

    def begin(self) -> None:
        """Write the run's row."""
        with self._database.begin() as connection:
            remember_policy(connection, self._begun, self._begun.started)
            connection.execute(table_of(RunRow).insert(), run_row(self._begun))

    def prepare(self, record: RunRecord) -> None:
        """Write the rest of the record, and the audit records."""
        self._whole = record = replace(record, status="publishing")
        now = datetime.now(UTC)
        with self._database.begin() as connection:
            remember_policy(connection, record, now)
            row = run_row(record)
            taken = connection.execute(
                update(RunRow)
                .where(RunRow.id == record.id, RunRow.status == "running")
                .values({name: row[name] for name in _FILLED})
            )
            if taken.rowcount != 1:
                raise StoreError(
                    "the beginning of the run is no longer in the store",
                    hint="was the database replaced meanwhile? Run the job again",
                )
            _insert_uses(connection, record, now)
            _insert_ways(connection, record, now)
            self._audit.append(connection, audit_of(record, "prepared", now), self._key)

    def leave_open(self) -> None:
        """Leave the run as it is: some outputs may have their names."""
        self._left_open = True

    def complete(self) -> None:
        """Write that the run has ended."""
        # Whatever happens from now on, the outputs are there.
        self._left_open = True
        now = datetime.now(UTC)
        record = replace(self._whole, status="complete", ended=now)
        try:
            with self._database.begin() as connection:
                if _end(connection, record, "publishing"):
                    self._audit.append(connection, audit_of(record, "complete", now), self._key)
        except StoreError as exc:
            exc.hint = (
                "the outputs are complete and in their places; the run is recorded as publishing "
                "until the same job is run again, and skipped"
            )
            raise
        # The next run's records need one, and fail if it can't be made.
        with contextlib.suppress(StoreError):
            self._audit.checkpoint()

    def fail(self, exc: BaseException) -> None:
        """Write that the run was given up, unless that isn't known; the error itself goes on."""
        if self._left_open or isinstance(exc, StoreUnavailable):
            return
        now = datetime.now(UTC)
        ended: dict[str, Any] = {"status": "failed", "ended": now, "error_code": _code(exc)}
        with contextlib.suppress(StoreError), self._database.begin() as connection:
            # An interrupt may have come when nobody knew whether the record was taken.
            record: RunRecord = replace(self._begun, **ended)
            if _end(connection, record, "running"):
                _insert_uses(connection, record, now)
            else:
                record = replace(self._whole, **ended)
                if not _end(connection, record, "publishing"):
                    return
            self._audit.append(connection, audit_of(record, "failed", now), self._key)


_FILLED = (
    "status",
    "policy_digest",
    "rows_read",
    "rows_written",
    "rows_rejected",
    "rejects",
    "proofs",
)
"""The columns of a run's row that aren't known at its beginning."""


def _code(exc: BaseException) -> str:
    if isinstance(exc, TokenkitError):
        return exc.code
    return _UNFORESEEN if isinstance(exc, Exception) else _INTERRUPTED


def _end(connection: Connection, record: RunRecord, status: str) -> bool:
    ended = connection.execute(
        update(RunRow)
        .where(RunRow.id == record.id, RunRow.status == status)
        .values(status=record.status, ended=record.ended, error_code=record.error_code)
    )
    return ended.rowcount == 1


def _same(
    connection: Connection, run: str, output: Dataset
) -> Sequence[Row[tuple[UUID, str, dict[str, Any]]]]:
    """Find the runs of the same job to the same output, the newest first."""
    found = connection.execute(
        select(RunRow.id, RunRow.status, RunRow.proofs)
        .join(RunOutputRow, RunOutputRow.run_id == RunRow.id)
        .join(DatasetRow, DatasetRow.id == RunOutputRow.dataset_id)
        .where(
            RunRow.job_run == run,
            RunRow.status.in_(("publishing", "complete")),
            DatasetRow.namespace == output.namespace,
            DatasetRow.name == output.name,
        )
        .order_by(RunRow.started.desc())
    )
    return found.all()


def _insert_uses(connection: Connection, record: RunRecord, now: datetime) -> None:
    uses = [*record.inputs, *record.outputs]
    numbers = dataset_numbers(connection, [use.dataset for use in uses], now)
    kinds = (
        (RunInputRow, use_row, record.inputs),
        (RunOutputRow, output_row, record.outputs),
    )
    for model, row, some in kinds:
        if some:
            rows = [row(record, use, numbers[use.dataset]) for use in some]
            connection.execute(table_of(model).insert(), rows)


def _insert_ways(connection: Connection, record: RunRecord, now: datetime) -> None:
    if record.columns:
        ways = way_numbers(connection, record.columns, now)
        rows = [way_row(record, edge, way) for edge, way in zip(record.columns, ways, strict=True)]
        connection.execute(table_of(ColumnRunRow).insert(), rows)


_recorders: dict[tuple[int, Address], Recorder] = {}
_lock = threading.Lock()


def default_recorder() -> Recorder:
    """Give the process's recorder: into the database that the environment names.

    Raises
    ------
    StoreError
        If the database can't be opened.
    """
    return _recorder(None)


def recorder_at(url: str) -> Recorder:
    """Give the process's recorder into the database of a URL.

    Raises
    ------
    StoreError
        If the database can't be opened.
    """
    return _recorder(url)


def _recorder(url: str | None) -> Recorder:
    # A process that was forked off has connections of its own.
    place = (os.getpid(), read_address(url))
    with _lock:
        if place not in _recorders:
            database = Database.open(url)
            _recorders[place] = StoreRecorder(database, AuditLog(database), audit_key)
        found = _recorders[place]
    return emitting(found)
