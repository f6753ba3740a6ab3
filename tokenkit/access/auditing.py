"""The store's audit log, as access hands records to it."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection

from tokenkit.keys import KeyVersion
from tokenkit.lineage import AuditRecord


class KeyedLog(Protocol):
    """An audit log that is told under which key to chain."""

    def append(
        self, connection: Connection, records: Sequence[AuditRecord], key: KeyVersion
    ) -> None:
        """Append records in the caller's transaction."""


class ChainedAuditor:
    """Hands records to an audit log under one key version.

    Examples
    --------
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> from tokenkit.store.audit import AuditLog, audit_key
    >>> from tokenkit.store.database import Database
    >>> ring = keyring_from_bytes({"audit": bytes(range(32))})
    >>> with Database.open("sqlite://") as database:
    ...     auditor = ChainedAuditor(AuditLog(database), audit_key(ring))
    """

    __slots__ = ("_key", "_log")

    def __init__(self, log: KeyedLog, key: KeyVersion) -> None:
        self._log = log
        self._key = key

    def append(self, connection: Connection, records: Sequence[AuditRecord]) -> None:
        """Append records in the caller's transaction; see :class:`AuditLog`."""
        self._log.append(connection, records, self._key)
