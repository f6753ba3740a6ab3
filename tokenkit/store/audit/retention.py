"""Retention: old months of the log are removed, and a signed statement says so.

The batches' rows stay, so that the links still hold; a deletion that no statement covers is a
fault.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, func, select, text

from tokenkit.errors import StoreError
from tokenkit.keys import KeyVersion
from tokenkit.lineage import AuditRecord
from tokenkit.store.audit import places
from tokenkit.store.audit.checkpoints import CheckpointFile, Retention
from tokenkit.store.audit.log import AuditLog, lock_head, state_of
from tokenkit.store.audit.verification import Statements, verify_against
from tokenkit.store.models import AuditBatch, AuditEntry

if TYPE_CHECKING:
    from tokenkit.store.database import Database

_BOUND = re.compile(r"FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What retention removed.

    Attributes
    ----------
    before
        Everything before this moment is gone.
    removed, removed_batches
        How many records of how many batches that is.
    """

    before: datetime
    removed: int
    removed_batches: int


def retain(
    database: "Database",
    before: datetime,
    keys: Sequence[KeyVersion],
    key: KeyVersion,
    *,
    actor: str,
    checkpoints: CheckpointFile | None = None,
) -> Retained:
    """Remove the records of whole months, at a checkpoint.

    First the log is verified. Then a signed statement goes to the checkpoints, then the records go,
    and an audit record says who did it. Run again, it ends what was cut short. On PostgreSQL whole
    partitions are dropped, which only the tables' owner may do.

    Parameters
    ----------
    database
        The store's database.
    before
        The first moment of a month, in UTC; months before it are removed.
    keys
        The key versions that may have authenticated the log.
    key
        The one that new records are chained under.
    actor
        Who removes them.
    checkpoints
        Where the statement goes; by default where checkpoints go.

    Raises
    ------
    AuditBroken
        If the log isn't what was written: nothing is removed then.
    StoreError
        If the moment isn't the first of a month that has begun, or the database refuses.
    """
    moment = before.astimezone(UTC)
    if moment != moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0):
        raise StoreError(
            "retention removes whole months", hint="name the first month that stays: 2027-01"
        )
    if moment > datetime.now(UTC):
        raise StoreError("retention removes months that have ended")
    file = checkpoints or places.configured(database)
    if file is None:
        raise StoreError("a database in memory has no checkpoints, and so no retention")
    verify_against(database, keys, Statements.read(file.path, file.public)).require()
    log = AuditLog(database, file)
    with database.begin() as connection:
        number, link = lock_head(connection)
        old = (AuditBatch.last_at < moment, AuditBatch.number <= number)
        batches, records = connection.execute(
            select(func.count(), func.coalesce(func.sum(AuditBatch.count), 0)).where(*old)
        ).one()
        there = connection.execute(
            select(func.count()).select_from(AuditEntry).where(AuditEntry.at < moment)
        ).scalar_one()
        if not there:
            return Retained(before=moment, removed=0, removed_batches=0)
        state = state_of(connection, number, link)
        # On the disk before anything is gone: a deletion never lacks its statement.
        file.append(
            Retention(
                log=state.log,
                batch=state.batch,
                link=state.link,
                records=state.records,
                at=state.at,
                check_value=state.check_value,
                before=moment,
                removed=int(records),
                removed_batches=batches,
            )
        )
        if database.is_postgresql:
            _drop_partitions(connection, moment)
        else:
            _delete_rows(connection, moment)
        detail = {"before": moment.isoformat(), "batches": batches}
        said = AuditRecord(
            at=datetime.now(UTC),
            actor=actor,
            action="retain",
            outcome="complete",
            object="audit_records",
            count=there,
            detail=json.dumps(detail, sort_keys=True, separators=(",", ":")),
        )
        log.append(connection, [said], key)
    log.checkpoint()
    return Retained(before=moment, removed=there, removed_batches=batches)


def _drop_partitions(connection: Connection, before: datetime) -> None:
    # The bounds come as text in the session's time zone.
    connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
    partitions = connection.execute(
        text(
            "SELECT c.oid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'audit_records'::regclass ORDER BY 1"
        )
    ).all()
    for name, bound in partitions:
        found = _BOUND.fullmatch(bound)
        if found is None:
            raise StoreError(
                "a partition of the audit log isn't a month's", hint="detach what isn't ours"
            )
        if datetime.fromisoformat(_with_minutes(found[2])) <= before:
            connection.execute(text(f"DROP TABLE {name}"))


def _with_minutes(moment: str) -> str:
    return f"{moment}:00" if re.search(r"[+-]\d\d$", moment) else moment


def _delete_rows(connection: Connection, before: datetime) -> None:
    triggers = connection.execute(
        text(
            "SELECT name, sql FROM sqlite_master "
            "WHERE type = 'trigger' AND tbl_name = 'audit_records'"
        )
    ).all()
    # Within the transaction: nobody ever sees the table without them.
    for name, _ in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    connection.execute(delete(AuditEntry).where(AuditEntry.at < before))
    for _, statement in triggers:
        connection.exec_driver_sql(statement)
