"""``audit verify``: whether the log is what was written, and where it first isn't."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from sqlalchemy import Connection

from tokenkit.engines.audit_chain import ChainFault, ChainVerifier, FaultKind
from tokenkit.errors import AuditBroken, StoreError
from tokenkit.keys import KeyVersion
from tokenkit.store.audit import places
from tokenkit.store.audit.checkpoints import (
    Checkpoint,
    CheckpointFile,
    Retention,
    Signed,
    Statement,
)
from tokenkit.store.audit.reading import Range, Reader
from tokenkit.store.audit.signing import VerifyingKeys, configured_verifying

if TYPE_CHECKING:
    from tokenkit.store.database import Database

What: TypeAlias = Literal[
    "edited",
    "deleted",
    "inserted",
    "reordered",
    "truncated",
    "batch deleted",
    "batch altered",
    "key unknown",
    "not as signed",
]
"""What happened to a record or a batch."""

_MEANING: dict[What, str] = {
    "edited": "isn't the record that was written there",
    "deleted": "was deleted",
    "inserted": "was never written",
    "reordered": "stands where another record was written",
    "truncated": "was there when a checkpoint was made, and is gone with all that follows",
    "batch deleted": "was deleted",
    "batch altered": "isn't what was written, or isn't in its place: what came before may be gone",
    "key unknown": "names a key version that this keyring doesn't have",
    "not as signed": "isn't the batch that a checkpoint was made of",
}


class Progress(Protocol):
    """Is told how far a verification is."""

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Take note of how many records there are."""

    def advance(self, rows: int) -> None:
        """Take note of how many were looked at."""

    def finish(self) -> None:
        """Take note that it has ended."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first record or batch that isn't what was written.

    Attributes
    ----------
    what
        What happened to it, as far as that can be told.
    batch
        The batch's number.
    position
        The record's place in it, counted from 1; None if the batch as a whole is meant.
    at
        The time that stands there; that of the batch's first record where none does.
    """

    what: What
    batch: int
    position: int | None
    at: datetime | None

    def __str__(self) -> str:
        place = f"batch {self.batch}"
        if self.position is not None:
            place += f", record {self.position}"
        if self.at is not None:
            place += f" ({self.at:%Y-%m-%d %H:%M:%S.%f} UTC)"
        return f"{place}: {_MEANING[self.what]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    batches, records
        How many were found to be right, those that retention removed among them.
    removed, removed_batches
        How many records of how many batches retention removed, as signed statements say.
    checkpoint
        The last checkpoint; None if there is none.
    unprotected_batches, unprotected_records
        How many came after it: if they were cut off, nobody could tell.
    checkpoints
        The file of checkpoints; None for a database in memory.
    fault
        The first thing that is wrong; None if nothing is.
    """

    batches: int
    records: int
    removed: int
    removed_batches: int
    checkpoint: Checkpoint | None
    unprotected_batches: int
    unprotected_records: int
    checkpoints: Path | None
    fault: Fault | None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None

    def require(self) -> None:
        """Raise :class:`~tokenkit.errors.AuditBroken` if something is wrong."""
        if self.fault is not None:
            raise AuditBroken(
                f"the audit log was altered: {self.fault}",
                hint="keep the database as it is, and compare it with a backup",
            )

    def to_json(self) -> dict[str, Any]:
        """Give what was found as JSON takes it."""
        fault = self.fault
        return {
            "holds": self.holds,
            "batches": self.batches,
            "records": self.records,
            "removed": self.removed,
            "removed_batches": self.removed_batches,
            "checkpoint": None
            if self.checkpoint is None
            else {"batch": self.checkpoint.batch, "at": self.checkpoint.at.isoformat()},
            "unprotected_batches": self.unprotected_batches,
            "unprotected_records": self.unprotected_records,
            "fault": None
            if fault is None
            else {
                "what": fault.what,
                "batch": fault.batch,
                "position": fault.position,
                "at": None if fault.at is None else fault.at.isoformat(),
            },
        }


def verify(
    database: "Database",
    keys: Sequence[KeyVersion],
    *,
    checkpoints: Path | None = None,
    public_key: Path | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Walk along the whole log and say where it first isn't what was written.

    Memory is bounded, and writers aren't kept waiting: the log is read as it is when this begins.

    Parameters
    ----------
    database
        The store's database.
    keys
        The key versions that may have authenticated the log, see :func:`verifying_keys`.
    checkpoints
        The file of checkpoints; by default the one that writers of this machine use.
    public_key
        A PEM file of the Ed25519 keys that sign checkpoints; by default
        ``TOKENKIT_AUDIT_PUBLIC_KEY``, else the public half of this machine's signing key.
    progress
        Is told how far it is.

    Raises
    ------
    AuditBroken
        If the file of checkpoints isn't what was signed.
    StoreError
        If the database or a file can't be read, or there is no public key for the checkpoints.
    """
    path = checkpoints or places.checkpoints_path(database)
    if checkpoints is not None and not checkpoints.exists():
        raise StoreError(f"there are no checkpoints at {checkpoints}")
    public = None if public_key is None else VerifyingKeys.at(public_key)
    return verify_against(database, keys, Statements.read(path, public), progress)


def verify_against(
    database: "Database",
    keys: Sequence[KeyVersion],
    statements: "Statements",
    progress: Progress | None = None,
) -> Verification:
    """As :func:`verify`, against statements that were read before.

    They are read before the database, in which there is then all that they are about.
    """
    with database.read() as connection:
        return _verify(connection, database, keys, statements, progress)


@dataclass(frozen=True, slots=True)
class Statements:
    """What was signed about a log, as it was read."""

    path: Path | None
    signed: Sequence[Signed]
    public: VerifyingKeys | None

    @classmethod
    def read(cls, path: Path | None, public: VerifyingKeys | None = None) -> "Statements":
        """Read them, and check the signatures that count: the last one's, and of retention."""
        signed = [] if path is None else CheckpointFile(path).read()
        if path is None or not signed:
            return cls(path, (), None)
        public = public or configured_verifying(places.signing_key_path())
        if public is None:
            raise StoreError(
                f"there is no public key for the checkpoints at {path}",
                hint="name the PEM file of the key that signs them: --public-key FILE",
            )
        found = cls(path, signed, public)
        last = found.last
        found.require(lambda one: one is last or isinstance(one, Retention))
        return found

    @property
    def last(self) -> Statement | None:
        """The one that goes furthest."""
        return max((one.statement for one in self.signed), key=lambda one: one.batch, default=None)

    def require(self, chosen: Callable[[Statement], bool]) -> None:
        """Raise :class:`~tokenkit.errors.AuditBroken` unless these were signed."""
        for one in self.signed:
            if self.public is not None and self.path is not None and chosen(one.statement):
                one.require(self.public, self.path)

    def verifier(self, keys: Sequence[KeyVersion]) -> ChainVerifier:
        """Begin a verification that holds the log against them."""
        statements = [one.statement for one in self.signed]
        return ChainVerifier(
            keys,
            [(one.batch, bytes.fromhex(one.link), one.records) for one in statements],
            [(one.batch, one.before) for one in statements if isinstance(one, Retention)],
        )


def _verify(
    connection: Connection,
    database: "Database",
    keys: Sequence[KeyVersion],
    statements: Statements,
    progress: Progress | None,
) -> Verification:
    verifier = statements.verifier(keys)
    reader = Reader(connection, postgresql=database.is_postgresql)
    if progress is not None:
        progress.start(reader.total(), exact=False)
    try:
        _walk(reader, verifier, progress)
    finally:
        if progress is not None:
            progress.finish()
    counts = verifier.counts
    fault = None if verifier.fault is None else _explained(reader, verifier, verifier.fault)
    if fault is not None and fault.what == "not as signed":
        disputed = fault.batch
        # If the checkpoint is what was altered, that is what has to be said.
        statements.require(lambda one: one.batch == disputed)
    last = statements.last
    protected = (0, 0) if last is None else (last.batch, last.records)
    return Verification(
        batches=counts.batches,
        records=counts.records,
        removed=counts.removed,
        removed_batches=counts.removed_batches,
        checkpoint=last,
        unprotected_batches=max(0, counts.batches - protected[0]),
        unprotected_records=max(0, counts.records - protected[1]),
        checkpoints=statements.path,
        fault=fault,
    )


def _walk(reader: Reader, verifier: ChainVerifier, progress: Progress | None) -> None:
    last: int | None = None
    for among in reader.ranges():
        last = among.through
        for rows in reader.batches(among):
            verifier.batches(rows)
        for rows in reader.records(among):
            if not verifier.records(rows):
                return
            if progress is not None:
                progress.advance(verifier.counts.records)
        if not verifier.settle():
            return
    # Rows beyond the last batch, and those whose number is none.
    beyond = Range(last, None)
    for rows in reader.batches(beyond):
        verifier.batches(rows)
    for rows in reader.records(beyond):
        if not verifier.records(rows):
            return
    verifier.finish(reader.head())


_WHOLE: dict[FaultKind, What] = {
    "batch_missing": "batch deleted",
    "batch_changed": "batch altered",
    "key_unknown": "key unknown",
    "checkpoint": "not as signed",
    "truncated": "truncated",
}
_SINGLE: dict[FaultKind, What] = {"changed": "edited", "missing": "deleted", "added": "inserted"}


def _explained(reader: Reader, verifier: ChainVerifier, found: ChainFault) -> Fault:
    """Say what happened, by what else is in the batch."""
    if found.kind in _WHOLE:
        what = _WHOLE[found.kind]
    else:
        should, there = reader.promised(found.batch), reader.count(found.batch)
        if there > should:
            what = "inserted"
        elif there < should:
            what = "deleted"
        elif found.position is not None and _moved(reader, verifier, found.batch, found.position):
            what = "reordered"
        else:
            what = _SINGLE[found.kind]
    return Fault(what, found.batch, found.position, found.at)


def _moved(reader: Reader, verifier: ChainVerifier, batch: int, position: int) -> bool:
    stored = reader.stored(batch, position)
    among = Range(batch - 1, batch)
    return any(verifier.moved(stored, rows) for rows in reader.records(among))
