"""Audit records as Arrow columns, in groups that each lie within one month."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from tokenkit.engines.audit_chain import RECORD_TYPE, microseconds, moment
from tokenkit.errors import StoreError
from tokenkit.lineage import AuditRecord

NAMES: tuple[str, ...] = tuple(field.name for field in RECORD_TYPE)
"""The columns of a record, in the order in which they are hashed."""

_TEXTS = {field.name for field in RECORD_TYPE if pa.types.is_large_string(field.type)}
_FEW = 4_096
# No text of PostgreSQL can hold it.
_NUL = "\0"


def from_records(records: Sequence[AuditRecord]) -> pa.StructArray:
    r"""Put records into columns.

    What no database keeps is escaped: NUL, and the halves of surrogate pairs that names of files
    which aren't UTF-8 are read as.

    Raises
    ------
    StoreError
        If a record lacks its actor, action or outcome, or has a time without a zone, or a number
        that 64 bits don't hold.

    Examples
    --------
    >>> record = AuditRecord(
    ...     at=datetime(2027, 1, 31, tzinfo=UTC), actor="a\0b", action="rekey", outcome="complete"
    ... )
    >>> from_records([record])[0]["actor"].as_py()
    'a\\x00b'
    """
    plain = _plain(records)
    if plain is not None:
        return plain
    rows = [
        {field.name: _kept(getattr(one, field.name)) for field in fields(one)} for one in records
    ]
    needed = [field.name for field in RECORD_TYPE if not field.nullable]
    try:
        if all(row[name] is not None for row in rows for name in needed):
            return pa.array(rows, RECORD_TYPE)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        pass
    raise StoreError("an audit record holds what the log has no place for")


def _plain(records: Sequence[AuditRecord]) -> pa.StructArray | None:
    """Put records into columns whose texts need no escapes; None if one isn't as it should be."""
    columns = []
    try:
        for field in RECORD_TYPE:
            column = [getattr(one, field.name) for one in records]
            if not field.nullable and None in column:
                return None
            if field.name == "at":
                if any(one.tzinfo is None for one in column):
                    return None
                # By number: pyarrow looks a moment's zone up for each of them.
                counts = pa.array([microseconds(one) for one in column], pa.int64())
                columns.append(counts.view(field.type))
                continue
            if field.name in _TEXTS and _NUL in "".join(filter(None, column)):
                return None
            columns.append(pa.array(column, field.type))
    except (pa.ArrowException, OverflowError, TypeError, ValueError, AttributeError):
        return None
    return pa.StructArray.from_arrays(columns, fields=list(RECORD_TYPE))


def _kept(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace(_NUL, "\\x00")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise StoreError("an audit record's time needs a time zone")
        return value.astimezone(UTC)
    return value


def from_frame(frame: pl.DataFrame) -> pa.StructArray:
    """Take records out of a frame whose columns are named as a record's fields.

    Columns that it lacks are null. A time without a zone is refused.

    Raises
    ------
    StoreError
        If a column has another name or type, or one that is needed is missing or has nulls.

    Examples
    --------
    >>> import polars as pl
    >>> start = datetime(2027, 1, 31, tzinfo=UTC)
    >>> frame = pl.DataFrame({"at": [start], "actor": "", "action": "", "outcome": ""})
    >>> from_frame(frame)[0]["count"].as_py() is None
    True
    """
    table = frame.to_arrow()
    unknown = sorted(set(table.column_names) - set(NAMES))
    if unknown:
        raise StoreError(f"an audit record has no field {unknown[0]!r}")
    failed = None
    columns = []
    for field in RECORD_TYPE:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(field.name)
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            raise StoreError("an audit record's time needs a time zone")
        try:
            columns.append(column.cast(field.type).combine_chunks())
        except pa.ArrowException:
            failed = field.name
            break
    if failed is None:
        for field, column in zip(RECORD_TYPE, columns, strict=True):
            is_text = pa.types.is_large_string(field.type)
            if (column.null_count and not field.nullable) or (is_text and _has_nul(column)):
                failed = field.name
    if failed is not None:
        raise StoreError(
            f"the column {failed!r} of audit records is of another type, or has nulls or NULs"
        )
    return pa.StructArray.from_arrays(columns, fields=list(RECORD_TYPE))


def _has_nul(column: pa.Array) -> bool:
    # Not by pyarrow.compute: a job that writes few records would import it for this alone.
    return bool(pl.Series(column).str.contains(_NUL, literal=True).any())


def by_month(records: pa.StructArray) -> Iterator[tuple[datetime, pa.StructArray]]:
    """Give the records of each month, in their order, and the month's first moment.

    A batch never spans two months, so that retention removes whole batches only.

    Examples
    --------
    >>> moments = [datetime(2027, month, 31, tzinfo=UTC) for month in (1, 3, 1)]
    >>> records = from_records(
    ...     [AuditRecord(at=at, actor="", action="", outcome="") for at in moments]
    ... )
    >>> [(month.month, len(found)) for month, found in by_month(records)]
    [(1, 2), (3, 1)]
    """
    if 0 < len(records) <= _FEW:
        # What a service's requests wait for mustn't wait for the data engine's threads.
        counts = records.field("at").view(pa.int64()).to_pylist()
        first, last = (_month(moment(one)) for one in (min(counts), max(counts)))
        if first is not None and first == last:
            yield first, records
            return
    months = pl.Series(records.field("at")).dt.truncate("1mo")
    found: list[datetime] = months.unique().sort().to_list()
    for month in found:
        inside = records if len(found) == 1 else records.filter((months == month).to_arrow())
        yield month.astimezone(UTC), inside


def _month(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
