"""One change of access: who makes it, in which transaction, and what the audit log gets of it."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection, select, update

from tokenkit.errors import StoreError
from tokenkit.lineage import AuditRecord
from tokenkit.store.models.access import AccessStateRow

UNAUTHENTICATED = "unauthenticated"
"""The actor of what nobody known did: attempts to sign in."""


class Transactions(Protocol):
    """What access needs of the store's database."""

    def begin(self) -> AbstractContextManager[Connection]:
        """Begin a transaction, which an exception rolls back."""

    def read(self) -> AbstractContextManager[Connection]:
        """Begin one that sees one state, and changes nothing."""


class Auditor(Protocol):
    """Takes records into the audit log."""

    def append(self, connection: Connection, records: Sequence[AuditRecord]) -> None:
        """Write records in the caller's transaction.

        Raises
        ------
        StoreError
            If it can't; the change must then fail too.
        """


def utc_now() -> datetime:
    """Give the moment, in UTC.

    Examples
    --------
    >>> utc_now().tzinfo
    datetime.timezone.utc
    """
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A change on its way: the transaction, who makes it, when, and who records it.

    Attributes
    ----------
    connection
        In a transaction. The change and its audit records are in it together, or not at all.
    actor
        Who, as the audit log names it.
    auditor
        Takes the records.
    at
        When.

    Examples
    --------
    >>> from sqlalchemy import create_engine
    >>> class Quiet:
    ...     def append(self, connection: Connection, records: Sequence[AuditRecord]) -> None:
    ...         print([(record.actor, record.action, record.object) for record in records])
    >>> with create_engine("sqlite://").begin() as connection:
    ...     work = Work(connection=connection, actor="ann", auditor=Quiet())
    ...     work.record("role.create", "role:support")
    [('ann', 'role.create', 'role:support')]
    """

    connection: Connection
    actor: str
    auditor: Auditor
    at: datetime = field(default_factory=utc_now)

    def begin_change(self) -> None:
        """Count the version of the rights up, which empties every worker's cache.

        It comes first in every change of rights: its row's lock puts such changes in order, so that
        what a change then reads can't be changed under it.

        Raises
        ------
        StoreError
            If the row isn't there: the tables were never set up.
        """
        counted = self.connection.execute(
            update(AccessStateRow)
            .where(AccessStateRow.id == 1)
            .values(version=AccessStateRow.version + 1)
        )
        if counted.rowcount != 1:
            raise StoreError("the tables of access are not set up", hint="tokenkit db upgrade")

    def record(
        self,
        action: str,
        object: str | None,  # noqa: A002 - the audit record's word
        *,
        outcome: str = "complete",
        reason: str | None = None,
        **detail: object,
    ) -> None:
        """Hand one record to the audit log; details are names and numbers, and never secrets."""
        known = {name: value for name, value in detail.items() if value is not None}
        record = AuditRecord(
            at=self.at,
            actor=self.actor,
            action=action,
            outcome=outcome,
            object=object,
            reason=reason,
            detail=json.dumps(known, sort_keys=True, default=str) if known else None,
        )
        self.auditor.append(self.connection, [record])


def rights_version(connection: Connection) -> int:
    """Read the version of the rights.

    Raises
    ------
    StoreError
        If the tables were never set up.
    """
    found = connection.execute(select(AccessStateRow.version)).scalar_one_or_none()
    if found is None:
        raise StoreError("the tables of access are not set up", hint="tokenkit db upgrade")
    return found
