"""Checkpoints: signed statements of how far the log went, kept outside the database.

Who owns the database can cut off the end of the log, and what is left is a chain that holds. A
checkpoint says that there was more.
"""

import base64
import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from tokenkit.errors import AuditBroken, StoreError
from tokenkit.store.audit.signing import SigningKey, VerifyingKeys

VARIABLE = "TOKENKIT_AUDIT_CHECKPOINTS"
INTERVAL = 60.0
"""Seconds after which an append makes a checkpoint."""

_CONTEXT = b"tokenkit/audit/1\0"
_FOLDER_MODE = 0o700
_SKEW = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A statement that the log went so far.

    Attributes
    ----------
    log
        The log's id: that of its first batch, in hexadecimal digits.
    batch, link
        The last batch's number and its link, in hexadecimal digits.
    records
        How many records there are up to it, removed ones too.
    at
        When the statement was made.
    check_value
        The key-check value of the key of the last batch, in hexadecimal digits.
    """

    FORMAT: ClassVar[str] = "tokenkit-audit-checkpoint"

    log: str
    batch: int
    link: str
    records: int
    at: datetime
    check_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention(Checkpoint):
    """A checkpoint, and a statement that older records were removed on purpose.

    Attributes
    ----------
    before
        Records of batches up to ``batch`` that end before this moment may be gone.
    removed, removed_batches
        How many records of how many batches that was about.
    """

    FORMAT: ClassVar[str] = "tokenkit-audit-retention"

    before: datetime
    removed: int
    removed_batches: int


Statement: TypeAlias = Checkpoint | Retention


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it stands in the file, with its line's number."""

    line: int
    statement: Statement
    signature: bytes

    def require(self, keys: VerifyingKeys, path: Path) -> None:
        """Raise :class:`~tokenkit.errors.AuditBroken` unless one of these keys signed it."""
        if not keys.verify(self.signature, _message(self.statement)):
            raise AuditBroken(
                f"{path}, line {self.line}: the statement about batch {self.statement.batch} "
                "isn't signed by this key",
                hint="restore the file from a copy, or name the public key of who signed it",
            )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _spelt(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _content(statement: Statement) -> dict[str, Any]:
    given = asdict(statement)
    moments = {name: _moment(value) for name, value in given.items() if isinstance(value, datetime)}
    return {**given, **moments, "format": statement.FORMAT, "format_version": 1}


def _message(statement: Statement) -> bytes:
    return _CONTEXT + _spelt(_content(statement))


def _parsed(line: bytes) -> tuple[Statement, bytes]:
    """Read a line that has exactly our spelling; raises ValueError, TypeError or KeyError."""
    content = json.loads(line)
    signature = base64.b64decode(content.pop("signature"), validate=True)
    kind = {found.FORMAT: found for found in (Checkpoint, Retention)}[content.pop("format")]
    content.pop("format_version")
    for name in ("at", "before"):
        if name in content:
            content[name] = datetime.strptime(content[name], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
                tzinfo=UTC
            )
    for name in ("log", "link", "check_value"):
        bytes.fromhex(content[name])
    statement = kind(**content)
    if _line(statement, signature) != line + b"\n":
        raise ValueError("spelt otherwise")
    return statement, signature


def _line(statement: Statement, signature: bytes) -> bytes:
    signed = {**_content(statement), "signature": base64.b64encode(signature).decode()}
    return _spelt(signed) + b"\n"


class CheckpointFile:
    """A file of signed statements, one a line, to which lines are only ever added.

    Parameters
    ----------
    path
        The file. It belongs to one log.
    key
        What signs; not needed for reading.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> file = CheckpointFile(folder / "checkpoints.jsonl", SigningKey.at(folder / "key.pem"))
    >>> start = datetime(2027, 1, 31, tzinfo=UTC)
    >>> file.append(
    ...     Checkpoint(log="00", batch=1, link="00", records=1, at=start, check_value="00")
    ... )
    >>> [signed.statement.batch for signed in file.read()]
    [1]
    """

    def __init__(self, path: Path, key: SigningKey | None = None) -> None:
        self.path = path
        self._key = key

    @property
    def public(self) -> VerifyingKeys | None:
        """What its statements are verified with, if it was opened for writing."""
        return None if self._key is None else self._key.public

    def age(self) -> float:
        """Seconds since the last statement; infinite if there is none."""
        try:
            age = time.time() - self.path.stat().st_mtime
        except OSError:
            return float("inf")
        # A time to come is no time that can be waited for.
        return age if age > -_SKEW else float("inf")

    def read(self) -> list[Signed]:
        """Read every statement. Signatures aren't checked here: :meth:`Signed.require` does.

        A last line without an end was cut off by a crash while it was written, and isn't there.

        Raises
        ------
        AuditBroken
            If a line is no statement.
        StoreError
            If the file can't be read.
        """
        return list(self._read())

    def _read(self) -> Iterator[Signed]:
        reason = None
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as exc:
            reason, content = exc.strerror or type(exc).__name__, b""
        if reason is not None:
            raise StoreError(f"the checkpoints at {self.path} can't be read: {reason}")
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            parsed = None
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                parsed = _parsed(line)
            if parsed is None:
                raise AuditBroken(
                    f"{self.path}, line {number}, is no checkpoint",
                    hint="restore the file from a copy, and find out who changed it",
                )
            yield Signed(number, *parsed)

    def append(self, statement: Statement) -> None:
        """Sign a statement and add it; it is on the disk when this returns.

        Raises
        ------
        StoreError
            If the file can't be written, or there is no signing key.
        """
        if self._key is None:
            raise StoreError("these checkpoints were opened for reading only")
        line = _line(statement, self._key.sign(_message(statement)))
        reason = None
        try:
            self._append(line)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
        if reason is not None:
            raise StoreError(
                f"the checkpoints at {self.path} can't be written: {reason}",
                hint=f"name a file outside the database that can be: {VARIABLE}",
            )

    def _append(self, line: bytes) -> None:
        # Imported here because it exists on POSIX systems only.
        import fcntl  # noqa: PLC0415

        self.path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        fresh = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            end = os.lseek(descriptor, 0, os.SEEK_END)
            whole = _end_of_last_line(descriptor, end)
            if whole < end:
                # What a crash cut off nobody was told was there.
                os.ftruncate(descriptor, whole)
            rest = memoryview(line)
            while rest:
                written = os.pwrite(descriptor, rest, whole)
                rest, whole = rest[written:], whole + written
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _end_of_last_line(descriptor: int, end: int) -> int:
    step = 4096
    while end > 0:
        start = max(0, end - step)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
