"""``audit export``: the log as a file, all of it or a span of time."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from sqlalchemy import select

from tokenkit.engines.audit_chain import RECORD_TYPE
from tokenkit.errors import StoreError
from tokenkit.jobs.aside import AsideFile, already_there, refusing
from tokenkit.store.models import AuditEntry

if TYPE_CHECKING:
    from tokenkit.store.database import Database

SUFFIXES = (".parquet", ".ndjson", ".jsonl")
_ROWS = 16_384
_SCHEMA = pa.schema(
    [
        pa.field("batch", pa.int64(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        *RECORD_TYPE,
        pa.field("hash", pa.large_binary(), nullable=False),
    ]
)


class _Writer(Protocol):
    def write(self, rows: Sequence[Any]) -> None: ...

    def close(self) -> None: ...


class _Parquet:
    def __init__(self, file: IO[bytes]) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - most who have a store never export

        self._writer = pq.ParquetWriter(file, _SCHEMA, compression="zstd")

    def write(self, rows: Sequence[Any]) -> None:
        columns = [
            pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), _SCHEMA, strict=True)
        ]
        self._writer.write_table(pa.table(columns, schema=_SCHEMA))

    def close(self) -> None:
        self._writer.close()


class _Lines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, rows: Sequence[Any]) -> None:
        for row in rows:
            content = {name: as_json(value) for name, value in zip(_SCHEMA.names, row, strict=True)}
            self._file.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        pass


def as_json(value: Any) -> Any:
    r"""Give a field as JSON takes it: bytes in hexadecimal digits, moments in ISO 8601.

    Examples
    --------
    >>> as_json(b"\x01\xff"), as_json(None)
    ('01ff', None)
    """
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else value


def export(
    database: "Database",
    output: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    replace: bool = False,
) -> int:
    """Write records to a Parquet or NDJSON file, in the order of the chain.

    The file takes its name when it is whole; only its owner may read it. Memory is bounded.

    Parameters
    ----------
    database
        The store's database.
    output
        The file, by whose ending (``.parquet``, ``.ndjson``, ``.jsonl``) the format goes.
    since, until
        Only records from the one moment on, and before the other.
    replace
        Whether a file that is there is replaced.

    Returns
    -------
    int
        How many records were written.

    Raises
    ------
    OutputExists
        If the file is there, and isn't to be replaced.
    JobError
        If the system refuses to write it.
    StoreError
        If the ending is another, or the database fails.
    """
    if output.suffix not in SUFFIXES:
        raise StoreError(
            f"an audit log isn't exported to {output.suffix or 'a file without an ending'}",
            hint=f"name a file that ends with one of {', '.join(SUFFIXES)}",
        )
    if output.exists() and not replace:
        raise already_there(output)
    written = 0
    with refusing(output), AsideFile(output) as aside:
        with aside.writer() as file:
            writer: _Writer = _Parquet(file) if output.suffix == ".parquet" else _Lines(file)
            for rows in _pieces(database, since, until):
                writer.write(rows)
                written += len(rows)
            writer.close()
        aside.flush()
        aside.publish(replace=replace, private=True)
    return written


def _pieces(
    database: "Database", since: datetime | None, until: datetime | None
) -> Iterator[Sequence[Any]]:
    columns = [AuditEntry.__table__.columns[name] for name in _SCHEMA.names]
    query = select(*columns).order_by(AuditEntry.batch, AuditEntry.position)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    with database.read() as connection:
        found = connection.execution_options(yield_per=_ROWS).execute(query)
        yield from found.partitions()
