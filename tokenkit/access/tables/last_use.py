"""When sessions and API keys were last used: written at most once a minute each, in one go."""

import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, or_, update

from tokenkit.store.models.access import ApiKeyRow, SessionRow

EVERY = timedelta(minutes=1)
_MOST = 20_000


class LastUses:
    """Remembers uses until they are written.

    Examples
    --------
    >>> from datetime import UTC
    >>> uses, at = LastUses(), datetime(2026, 1, 1, tzinfo=UTC)
    >>> uses.session(UUID(int=1), at)
    >>> uses.last(UUID(int=1)) == at
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[UUID, datetime] = {}
        self._written: dict[UUID, datetime] = {}
        self._due: dict[UUID, Any] = {}

    def session(self, session_id: UUID, at: datetime) -> None:
        """Take note that a session was used."""
        self._note(session_id, SessionRow, at)

    def api_key(self, key_id: UUID, at: datetime) -> None:
        """Take note that an API key was used."""
        self._note(key_id, ApiKeyRow, at)

    @property
    def due(self) -> int:
        """How many uses wait to be written."""
        return len(self._due)

    def last(self, used: UUID) -> datetime | None:
        """Say when something was last used in this process, as far as that is remembered."""
        return self._seen.get(used)

    def write(self, connection: Connection) -> int:
        """Write what is due, and give the number of rows; what fails is due no more.

        A moment that is lost is written with the next use, a minute later.
        """
        with self._lock:
            due, self._due = self._due, {}
            for used in due:
                self._written[used] = self._seen[used]
            moments = {used: self._seen[used] for used in due}
            if len(self._seen) > _MOST:
                self._seen.clear()
                self._written.clear()
        # In one order everywhere, or two workers could wait for each other.
        for used in sorted(due):
            table, at = due[used], moments[used]
            before = or_(table.last_used.is_(None), table.last_used < at)
            connection.execute(update(table).where(table.id == used, before).values(last_used=at))
        return len(due)

    def _note(self, used: UUID, table: Any, at: datetime) -> None:
        written = self._written.get(used)
        self._seen[used] = at
        if written is None or at - written >= EVERY:
            with self._lock:
                self._seen[used] = at
                self._due[used] = table
