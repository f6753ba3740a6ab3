"""The chain of the audit log, computed and verified in the native module (token contract).

Keys stay there: what comes out are hashes and links, which anybody may see.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from tokenkit import _native
from tokenkit.errors import translated
from tokenkit.keys import KeyVersion

FIRST_LINK = bytes(32)
"""The link before the first batch."""

ID_BYTES = 16
"""Bytes of a batch's id."""

RECORD_TYPE = pa.struct(
    [
        pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("actor", pa.large_string(), nullable=False),
        pa.field("action", pa.large_string(), nullable=False),
        pa.field("outcome", pa.large_string(), nullable=False),
        pa.field("object", pa.large_string()),
        pa.field("run", pa.large_string()),
        pa.field("key", pa.large_string()),
        pa.field("key_id", pa.int64()),
        pa.field("count", pa.int64()),
        pa.field("reason", pa.large_string()),
        pa.field("token_hash", pa.large_binary()),
        pa.field("detail", pa.large_string()),
    ]
)
"""The fields of a record, in the order in which they are hashed."""

FaultKind: TypeAlias = Literal[
    "changed",
    "missing",
    "added",
    "batch_missing",
    "batch_changed",
    "key_unknown",
    "checkpoint",
    "truncated",
]
"""What is wrong with a record, a batch or the log."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From where the times of records are counted."""
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Count the microseconds since 1970.

    Examples
    --------
    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (moment - EPOCH) // MICROSECOND


def moment(count: int) -> datetime | None:
    """Give the moment so many microseconds after 1970, in UTC; None beyond the calendar.

    Examples
    --------
    >>> moment(1000005).isoformat()
    '1970-01-01T00:00:01.000005+00:00'
    """
    try:
        return EPOCH + timedelta(microseconds=count)
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBatch:
    """What a batch's link is over, but for the key.

    Attributes
    ----------
    number
        1 for the first batch of a log, then 2, ...
    id
        Sixteen random bytes, with which its hashes begin.
    written, first_at, last_at
        When it was written, and the earliest and the latest time of its records.
    count
        How many records it has.
    last_hash
        The last record's hash.
    """

    number: int
    id: bytes
    written: datetime
    first_at: datetime
    last_at: datetime
    count: int
    last_hash: bytes


def chain(key: KeyVersion, head: bytes, records: pa.StructArray) -> pa.LargeBinaryArray:
    """Compute the hash of each record.

    Parameters
    ----------
    key
        The version under which the log is authenticated.
    head
        The hash that the first record follows, or the batch's id.
    records
        Of the type ``RECORD_TYPE``.

    Raises
    ------
    KeyNotLoaded
        If the key's bytes are gone.

    Examples
    --------
    >>> from tokenkit.keys import Keyring
    >>> record = {"at": 0, "actor": "ada", "action": "rekey", "outcome": "complete"}
    >>> records = pa.array([record, record], RECORD_TYPE)
    >>> with Keyring.from_secrets({"audit": bytes(range(32))}) as ring:
    ...     hashes = chain(ring["audit"].primary, bytes(16), records)
    >>> [len(hash) for hash in hashes.to_pylist()], hashes[0] == hashes[1]
    ([32, 32], False)
    """
    with translated():
        return pa.array(
            _native.audit_chain(key.loaded(), head.ljust(len(FIRST_LINK), b"\0"), records)
        )


def copy_rows(
    batch: int, position: int, records: pa.StructArray, hashes: pa.LargeBinaryArray
) -> bytes:
    """Write records as PostgreSQL's COPY BINARY.

    Parameters
    ----------
    batch, position
        The batch's number, and the first record's place in it.
    records, hashes
        The records and what :func:`chain` gave for them.

    Examples
    --------
    >>> records = pa.array([{"at": 0, "actor": "", "action": "", "outcome": ""}], RECORD_TYPE)
    >>> copy_rows(1, 1, records, pa.array([bytes(32)], pa.large_binary()))[:6]
    b'PGCOPY'
    """
    with translated():
        return _native.audit_copy(batch, position, records, hashes)


def link(key: KeyVersion, previous: bytes, batch: ChainBatch) -> bytes:
    """Compute the link that holds a batch in its place.

    Raises
    ------
    KeyNotLoaded
        If the key's bytes are gone.

    Examples
    --------
    >>> from tokenkit.keys import Keyring
    >>> start = datetime(2027, 1, 1, tzinfo=UTC)
    >>> batch = ChainBatch(
    ...     number=1, id=bytes(16), written=start, first_at=start, last_at=start, count=1,
    ...     last_hash=bytes(32),
    ... )
    >>> with Keyring.from_secrets({"audit": bytes(range(32))}) as ring:
    ...     len(link(ring["audit"].primary, FIRST_LINK, batch))
    32
    """
    times = (
        microseconds(batch.written),
        microseconds(batch.first_at),
        microseconds(batch.last_at),
    )
    with translated():
        return _native.audit_link(
            key.loaded(),
            key.name,
            previous,
            batch.number,
            batch.id,
            times,
            batch.count,
            batch.last_hash,
        )


def token_hash(key: KeyVersion, domain: str, token: str | bytes) -> bytes:
    """Compute the keyed hash by which an audit record names a token.

    Parameters
    ----------
    key
        The version under which the log is authenticated.
    domain
        The domain of the token's column: the same text elsewhere has another hash.
    token
        The token; a number as its decimal digits.

    Raises
    ------
    KeyNotLoaded
        If the key's bytes are gone.

    Examples
    --------
    >>> from tokenkit.keys import Keyring
    >>> with Keyring.from_secrets({"audit": bytes(range(32))}) as ring:
    ...     version = ring["audit"].primary
    ...     token_hash(version, "digits", "123456") == token_hash(version, "digits", b"123456")
    True
    """
    content = token.encode() if isinstance(token, str) else token
    with translated():
        return _native.audit_token_hash(key.loaded(), domain, content)


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first place where a log isn't what was written.

    Attributes
    ----------
    kind
        What is wrong.
    batch
        The batch's number.
    position
        The record's place in it, counted from 1; None if the batch itself is meant.
    at
        The time that stands there, or the batch's earliest one.
    """

    kind: FaultKind
    batch: int
    position: int | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ChainCounts:
    """What was found to be right: batches and records, and what retention removed of them."""

    batches: int
    records: int
    removed: int
    removed_batches: int


class ChainVerifier:
    """Walks along a log's chain; rows come in order, batches before their records.

    Parameters
    ----------
    keys
        The key versions that may have authenticated the log.
    checkpoints
        Numbers of batches, their links, and the records up to there.
    retained
        Batch numbers and moments: records of batches up to that number that end before that moment
        may be gone, a whole batch at a time.

    Examples
    --------
    >>> verifier = ChainVerifier([])
    >>> verifier.finish((0, FIRST_LINK)), verifier.counts.batches
    (True, 0)
    """

    def __init__(
        self,
        keys: Iterable[KeyVersion],
        checkpoints: Sequence[tuple[int, bytes, int]] = (),
        retained: Sequence[tuple[int, datetime]] = (),
    ) -> None:
        handles = [key.handle for key in keys if key.handle is not None]
        with translated():
            self._native = _native.AuditVerifier(
                handles,
                list(checkpoints),
                [(number, microseconds(before)) for number, before in retained],
            )

    def batches(self, rows: bytes | list[tuple[Any, ...]]) -> None:
        """Take rows of batches: of COPY BINARY, or as SQLite's driver gives them.

        Their columns are number, id, written, first_at, last_at, count, last_hash, link, key,
        key_id and check_value; SQLite's texts and times come as bytes.
        """
        with translated():
            if isinstance(rows, bytes):
                self._native.batches_copied(rows)
            else:
                self._native.batches(rows)

    def records(self, rows: bytes | list[tuple[Any, ...]]) -> bool:
        """Take rows of records: batch, position, a record's fields and the hash.

        Returns
        -------
        bool
            Whether all is right so far.
        """
        with translated():
            if isinstance(rows, bytes):
                return self._native.records_copied(rows)
            return self._native.records(rows)

    def settle(self) -> bool:
        """Say that the batches given so far have no more records; tells whether all is right."""
        return self._native.settle()

    def finish(self, head: tuple[int, bytes] | None) -> bool:
        """Say that nothing more comes, and what the head's row says; tells whether all is right."""
        return self._native.finish(head)

    def moved(self, stored: bytes | None, rows: bytes | list[tuple[Any, ...]]) -> bool:
        """Tell whether one of these rows belongs where the fault is.

        Parameters
        ----------
        stored
            The hash that stands where the fault is.
        rows
            Other rows of the fault's batch.
        """
        with translated():
            if isinstance(rows, bytes):
                return self._native.moved_copied(stored, rows)
            return self._native.moved(stored, rows)

    @property
    def fault(self) -> ChainFault | None:
        """The first fault, if there is one."""
        found = self._native.fault
        if found is None:
            return None
        kind, batch, position, at = found
        known: FaultKind = kind  # type: ignore[assignment]
        return ChainFault(known, batch, position, None if at is None else moment(at))

    @property
    def counts(self) -> ChainCounts:
        """What was found to be right so far."""
        return ChainCounts(*self._native.counts)

    @property
    def link(self) -> bytes:
        """The link of the last batch that was right."""
        return self._native.link
