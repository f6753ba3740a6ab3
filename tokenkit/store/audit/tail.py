"""``audit tail``: the last records of the log."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tokenkit.store.models import AuditEntry

if TYPE_CHECKING:
    from tokenkit.store.database import Database


def tail(
    database: "Database",
    count: int = 20,
    *,
    run: str | None = None,
    action: str | None = None,
) -> list[dict[str, Any]]:
    """Give the last records, the oldest of them first. They aren't verified.

    Parameters
    ----------
    database
        The store's database.
    count
        How many at most.
    run, action
        Only those of this run, or of this action.

    Returns
    -------
    list of dict
        Batch, position and the fields of each.

    Raises
    ------
    StoreError
        If the database can't be read.
    """
    columns = [column for column in AuditEntry.__table__.columns if column.name != "hash"]
    query = select(*columns).order_by(AuditEntry.batch.desc(), AuditEntry.position.desc())
    if run is not None:
        query = query.where(AuditEntry.run == run)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    with database.read() as connection:
        found = connection.execute(query.limit(count)).mappings().all()
    return [dict(row) for row in reversed(found)]
