"""The audit log a page at a time, the latest records first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, tuple_

from tokenkit.store.models import AuditEntry

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST_LOOKED_AT = 20_000
"""Records that are looked at for one page. There is no index but the chain's own order, so that a
filter that fits few records would otherwise read all of the log at once."""


class Place(NamedTuple):
    """Where a record stands in the chain."""

    batch: int
    position: int


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some records.

    Attributes
    ----------
    records
        Batch, position and the fields of each, but for the hashes of the chain.
    before
        Where the next page goes on; None at the end of the log. A page may have fewer records than
        were asked for, or none, and still not be the last one.
    """

    records: list[dict[str, Any]]
    before: Place | None


def page(
    connection: "Connection",
    count: int,
    *,
    before: Place | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    equal: Mapping[str, str] | None = None,
) -> AuditPage:
    """Give a page of the log. Its records aren't verified.

    Parameters
    ----------
    connection
        In a transaction that reads.
    count
        How many records at most.
    before
        The place before which to begin; None for the end of the log.
    since, until
        Only records from this moment on, and before that one.
    equal
        Values of ``actor``, ``action``, ``outcome``, ``object``, ``run``, ``key`` or ``reason``
        that records must have.

    Raises
    ------
    StoreError
        If the database can't be read.
    """
    table = AuditEntry.__table__
    window = select(*(column for column in table.columns if column.name != "hash"))
    if before is not None:
        window = window.where(tuple_(AuditEntry.batch, AuditEntry.position) < before)
    if since is not None:
        window = window.where(AuditEntry.at >= since)
    if until is not None:
        window = window.where(AuditEntry.at < until)
    order = AuditEntry.batch.desc(), AuditEntry.position.desc()
    window = window.order_by(*order).limit(MOST_LOOKED_AT)
    seen = window.subquery()
    wanted = [seen.c[name] == value for name, value in (equal or {}).items()]
    query = select(seen).where(*wanted).order_by(seen.c.batch.desc(), seen.c.position.desc())
    rows = [dict(row) for row in connection.execute(query.limit(count + 1)).mappings()]
    if len(rows) > count:
        last = rows[count - 1]
        return AuditPage(rows[:count], Place(last["batch"], last["position"]))
    # Everything that was looked at is here; the log may go on behind it.
    last_seen = connection.execute(
        window.with_only_columns(AuditEntry.batch, AuditEntry.position)
        .offset(MOST_LOOKED_AT - 1)
        .limit(1)
    ).one_or_none()
    return AuditPage(rows, None if last_seen is None else Place(*last_seen))
