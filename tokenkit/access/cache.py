"""Who may do what, held in the process, and never older than five seconds.

Every change of rights, and every end of a session or an API key, counts up one number in the
database. A worker looks at that number every two seconds; if it has changed, everything held here
is dropped and read anew. If the number can't be read, what is held serves until it is five seconds
old, and then nothing is allowed any more.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID

from tokenkit.access.bearer import API_KEY, SESSION, bearer_digest, digest_of
from tokenkit.access.decisions import Decision, Scopes
from tokenkit.access.principals import FRESH_FOR, Principal, Snapshot, UserFacts
from tokenkit.access.resources import Resource
from tokenkit.access.tables.api_keys import ApiKey, api_key_of
from tokenkit.access.tables.attempts import purge_attempts
from tokenkit.access.tables.changes import Transactions, rights_version, utc_now
from tokenkit.access.tables.last_use import LastUses
from tokenkit.access.tables.sessions import Session, SessionLimits, purge_sessions, session_of
from tokenkit.access.tables.snapshot import load_snapshot
from tokenkit.errors import AccessStale, NotAuthenticated, TokenkitError

POLL_SECONDS = 2.0
"""How often the number is looked at."""
SERVE_SECONDS = 5.0
"""How old what is held may be, counted from before it was read."""
MOST_HELD = 10_000
"""Sessions, and API keys, that are held at most."""

KEPT_FOR = timedelta(days=30)
"""How long sessions that have ended stay in the table."""

_AGAIN_SECONDS = 0.25
_PURGE_SECONDS = 3600.0
_T = TypeVar("_T")


@dataclass(slots=True)
class _Held:
    """What is known at one version. Sessions and keys go with it when the version changes."""

    snapshot: Snapshot
    checked: float
    sessions: dict[bytes, tuple[Session, Principal]] = field(default_factory=dict)
    api_keys: dict[bytes, tuple[ApiKey, Principal]] = field(default_factory=dict)


class RightsCache:
    """Answers who somebody is and what may be done; a context manager that ends its thread.

    Parameters
    ----------
    database
        The store's.
    limits
        How long sessions last.
    fresh_for
        How long a second factor counts as fresh.
    background
        Whether a thread looks at the version, so that no caller waits for the database; it also
        deletes, once an hour, attempts and sessions that no longer count. Without it a caller
        looks, once what is held is two seconds old.
    monotonic, clock
        Give seconds that only grow, and the moment.
    """

    def __init__(
        self,
        database: Transactions,
        *,
        limits: SessionLimits | None = None,
        fresh_for: timedelta = FRESH_FOR,
        background: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._limits = limits or SessionLimits()
        self._fresh_for = fresh_for
        self._monotonic = monotonic
        self._clock = clock
        self._held: _Held | None = None
        self._lock = threading.Lock()
        self._uses = LastUses()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.hits = 0
        self.misses = 0
        if background:
            self.refresh()
            self._thread = threading.Thread(target=self._poll, name="tokenkit-rights", daemon=True)
            self._thread.start()

    def decide(
        self, principal: Principal, action: str, resource: Resource, purpose: str | None = None
    ) -> Decision:
        """Decide whether somebody may do something; see :meth:`Snapshot.decide`.

        Raises
        ------
        AccessStale
            If the rights couldn't be read again in time.
        """
        snapshot = self._current().snapshot
        return snapshot.decide(principal, action, resource, purpose, now=self._clock())

    def decide_own(self, principal: Principal) -> Decision:
        """Decide whether somebody may change what is his own; raises as :meth:`decide` does."""
        return self._current().snapshot.decide_own(principal, now=self._clock())

    def by_session(self, token: str) -> Principal:
        """Say whose session a token belongs to.

        Raises
        ------
        NotAuthenticated
            If it is no token, or its session has ended.
        AccessStale
            If the rights couldn't be read again in time.
        StoreError
            If the session isn't held here, and the database fails.
        """
        digest = digest_of(token)
        held, now = self._current(), self._clock()
        found = held.sessions.get(digest)
        # Another worker may have seen it used since, so an idle one is looked up again.
        if found is None or self._idle(found[0], now):
            self.misses += 1
            found = self._session(held, bearer_digest(token, SESSION))
        else:
            self.hits += 1
        if found is None or now >= found[0].ends or self._idle(found[0], now):
            raise NotAuthenticated("the session has ended", reason="session", hint="sign in again")
        self._uses.session(found[0].id, now)
        return found[1]

    def by_api_key(self, text: str) -> Principal:
        """Say whose API key a text is.

        Raises
        ------
        NotAuthenticated
            If it is none, or doesn't work any more.
        AccessStale, StoreError
            As for :meth:`by_session`.
        """
        digest = digest_of(text)
        held, now = self._current(), self._clock()
        found = held.api_keys.get(digest)
        if found is None:
            self.misses += 1
            found = self._api_key(held, bearer_digest(text, API_KEY))
        else:
            self.hits += 1
        if found is None or not found[0].works(now):
            raise NotAuthenticated(
                "that API key doesn't work",
                reason="api_key",
                hint="it may have been rotated, revoked, or have ended",
            )
        self._uses.api_key(found[0].id, now)
        return found[1]

    def held(self, secret: str) -> Principal | None:
        """Say whose a session's token or an API key is, if that is known here without asking.

        It never waits. None says nothing: :meth:`by_session` and :meth:`by_api_key` do.

        Raises
        ------
        AccessStale
            If the rights couldn't be read again in time.
        """
        digest = digest_of(secret)
        held, now = self._current(), self._clock()
        key = held.api_keys.get(digest)
        if key is not None and key[0].works(now):
            self._uses.api_key(key[0].id, now)
            self.hits += 1
            return key[1]
        session = held.sessions.get(digest)
        if session is None or now >= session[0].ends or self._idle(session[0], now):
            return None
        self._uses.session(session[0].id, now)
        self.hits += 1
        return session[1]

    def name_of(self, user_id: UUID) -> str | None:
        """Give a user's name; None if there is none of that id who isn't disabled."""
        found = self._current().snapshot.users.get(user_id)
        return None if found is None else found.name

    @property
    def held_now(self) -> int:
        """How many sessions and API keys are held."""
        held = self._held
        return 0 if held is None else len(held.sessions) + len(held.api_keys)

    def require_current(self) -> None:
        """Raise :class:`~tokenkit.errors.AccessStale` if nothing would be allowed now."""
        self._current()

    def refresh(self) -> None:
        """Look at the version now, and read everything anew if it has changed.

        Raises
        ------
        StoreError
            If the database fails; what is held stays, and gets older.
        """
        with self._lock:
            self._refresh()

    def close(self) -> None:
        """End the thread, and write down what was used last."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self._write_uses()

    def _current(self) -> _Held:
        held = self._held
        serving = POLL_SECONDS if self._thread is None else SERVE_SECONDS
        if held is not None and self._monotonic() - held.checked < serving:
            return held
        if self._thread is None:
            held = self._looked()
            if held is not None and self._monotonic() - held.checked < SERVE_SECONDS:
                return held
        raise AccessStale(
            f"the rights could not be read again within {SERVE_SECONDS:.0f} seconds",
            reason="stale",
            hint="check that the database can be reached",
        )

    def _looked(self) -> _Held | None:
        """Let one caller look, while the others go on with what is held."""
        held = self._held
        left = SERVE_SECONDS if held is None else held.checked + SERVE_SECONDS - self._monotonic()
        # Nobody waits while what is held still serves; else all wait for the one that looks.
        if not self._lock.acquire(timeout=0 if left > 0 and held is not None else SERVE_SECONDS):
            return held
        try:
            again = self._held
            if again is None or self._monotonic() - again.checked >= POLL_SECONDS:
                with contextlib.suppress(TokenkitError):
                    self._refresh()
        finally:
            self._lock.release()
        return self._held

    def _refresh(self) -> None:
        started, held = self._monotonic(), self._held
        with self._database.read() as connection:
            if held is not None and rights_version(connection) == held.snapshot.version:
                held.checked = started
            else:
                self._held = _Held(load_snapshot(connection, self._fresh_for), started)
        # By itself and afterwards, so that no other's lock makes what is held too old.
        self._write_uses()

    def _write_uses(self) -> None:
        if self._uses.due:
            with contextlib.suppress(TokenkitError), self._database.begin() as connection:
                self._uses.write(connection)

    def _poll(self) -> None:
        purged = self._monotonic() - _PURGE_SECONDS
        while not self._ending.wait(POLL_SECONDS):
            # Whatever it is, the thread goes on; what is held gets older, and then isn't served.
            with contextlib.suppress(Exception):
                self.refresh()
            if self._monotonic() - purged >= _PURGE_SECONDS:
                purged = self._monotonic()
                with contextlib.suppress(Exception):
                    self._purge()

    def _purge(self) -> None:
        now = self._clock()
        with self._database.begin() as connection:
            purge_attempts(connection, now)
            purge_sessions(connection, now - KEPT_FOR)

    def _session(self, held: _Held, digest: bytes) -> tuple[Session, Principal] | None:
        with self._database.read() as connection:
            session = session_of(connection, digest)
        if session is None or session.revoked is not None:
            return None
        user = self._user(held, session.user_id)
        if user is None:
            return None
        principal = Principal(
            user_id=session.user_id,
            name=user.name,
            via="session",
            id=session.id,
            stepped_up=session.stepped_up,
        )
        return _hold(held.sessions, digest, (session, principal))

    def _api_key(self, held: _Held, digest: bytes) -> tuple[ApiKey, Principal] | None:
        with self._database.read() as connection:
            key = api_key_of(connection, digest)
        user = None if key is None else self._user(held, key.user_id)
        if key is None or user is None:
            return None
        principal = Principal(
            user_id=key.user_id,
            name=user.name,
            via="api-key",
            id=key.id,
            scopes=Scopes(key.scopes),
        )
        return _hold(held.api_keys, digest, (key, principal))

    def _user(self, held: _Held, user_id: UUID) -> UserFacts | None:
        found = held.snapshot.users.get(user_id)
        if found is None and self._monotonic() - held.checked > _AGAIN_SECONDS:
            # Made a moment ago, perhaps. Who has no valid token or key doesn't get this far.
            self.refresh()
            found = None if self._held is None else self._held.snapshot.users.get(user_id)
        return found

    def _idle(self, session: Session, now: datetime) -> bool:
        used = max(session.last_used, self._uses.last(session.id) or session.last_used)
        return now - used > self._limits.idle

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _hold(held: dict[bytes, _T], digest: bytes, found: _T) -> _T:
    if len(held) >= MOST_HELD:
        held.clear()
    held[digest] = found
    return found
