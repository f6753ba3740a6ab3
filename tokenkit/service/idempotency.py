"""Idempotency keys: a request that is sent again is carried out once.

Kept are keyed hashes of the idempotency key and of the request, the status of the answer, and a
reference such as the id of what was made. The answer itself isn't kept: it holds values or tokens,
and is computed again. So whoever has lost a right since then gets a refusal, and no old answer.
"""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tokenkit.access.sealing import access_key
from tokenkit.access.tables.changes import Transactions, utc_now
from tokenkit.engines.audit_chain import token_hash
from tokenkit.errors import InvalidRequest, RequestUnderWay
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.service.caching import Cache
from tokenkit.store.models.service import IdempotencyKeyRow as Kept

KEPT_FOR = timedelta(hours=24)
"""How long a key is known; after that it is as good as new."""
HELD_FOR = timedelta(seconds=60)
"""How long an attempt may take; after that another one may be made, since its worker is gone."""
MOST_HELD = 10_000
"""Requests that were carried out and are held in the process."""

_DOMAIN = "tokenkit.service.idempotency"
_LOCATION = "header.Idempotency-Key"
_FORM = re.compile(r'[!#-~]{1,255}|"[ !#-~]{1,255}"')
_PURGED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class RequestParts:
    """What makes a request the same as another one.

    Attributes
    ----------
    method, target, content_type
        As they were sent; the target is the path with its query.
    body
        Its bytes; not in the repr.

    Examples
    --------
    >>> RequestParts("POST", "/v1/tokenize", "application/json", b"{}")
    RequestParts(method='POST', target='/v1/tokenize', content_type='application/json')
    """

    method: str
    target: str
    content_type: str
    body: bytes = field(repr=False)

    def digest(self) -> bytes:
        """Give a hash of all parts, which doesn't leave the process."""
        whole = hashlib.sha256()
        for part in (self.method, self.target, self.content_type):
            text = part.encode("utf-8", "surrogatepass")
            whole.update(len(text).to_bytes(8, "big") + text)
        whole.update(self.body)
        return whole.digest()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request under an idempotency key, as far as it is known.

    Attributes
    ----------
    fingerprint, id
        Which key it is, and which attempt.
    status
        With which status it was answered before; None if it is now to be carried out.
    reference
        What was noted when it was carried out, such as the id of what it made.

    Examples
    --------
    >>> Attempt(bytes(32), UUID(int=1)).is_first
    True
    """

    fingerprint: bytes = field(repr=False)
    id: UUID
    status: int | None = None
    reference: str | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is to be carried out, and not only its answer computed again."""
        return self.status is None


def checked_idempotency_key(text: str) -> str:
    """Read the header ``Idempotency-Key``: up to 255 visible characters, in quotes or not.

    Raises
    ------
    InvalidRequest
        If it is something else.

    Examples
    --------
    >>> checked_idempotency_key('"8e03978e-40d5-43dd-bc93-6894a57f9324"')
    '8e03978e-40d5-43dd-bc93-6894a57f9324'
    """
    if _FORM.fullmatch(text) is None:
        raise InvalidRequest(
            "an idempotency key has 1 to 255 visible ASCII characters",
            location=_LOCATION,
            reason="malformed",
            hint="a fresh UUID for each request",
        )
    return text.strip('"')


class IdempotencyKeys:
    """The idempotency keys of all callers, on every worker.

    Parameters
    ----------
    database
        The store's.
    keyring
        Gives the keyring as it is now, whose key makes the hashes; see
        :func:`~tokenkit.access.sealing.access_key`.
    size
        How many requests that were carried out are held in the process.
    clock, monotonic
        Give the moment, and seconds that only grow.
    """

    def __init__(
        self,
        database: Transactions,
        keyring: Callable[[], Keyring],
        *,
        size: int = MOST_HELD,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self.finished: Cache[bytes, tuple[bytes, Attempt, datetime]] = Cache(
            "idempotency_keys", size, monotonic=monotonic
        )

    def begin(self, caller_id: UUID, key: str, request: RequestParts) -> Attempt:
        """Begin a request under an idempotency key, or find that it was carried out.

        Of any number at the same time, on whichever workers, one is the first; it is then to be
        ended by :meth:`complete` or :meth:`release`.

        Parameters
        ----------
        caller_id
            Whose key it is: two callers' keys have nothing to do with each other.
        key, request
            The key, and what is asked.

        Raises
        ------
        InvalidRequest
            With the reason ``other_request`` if the key was used for another request.
        RequestUnderWay
            If the request is being carried out.
        StoreError
            If the database fails; nothing is to be carried out then.
        """
        now = self._clock()
        digest = request.digest()
        versions = self._versions()
        names = [_hash(version, caller_id.bytes + key.encode()) for version in versions]
        hashes = {
            name: _hash(version, digest) for name, version in zip(names, versions, strict=True)
        }
        for name in names:
            held = self.finished.get(name)
            if held is not None and now < held[2]:
                _require_same(held[0], hashes[name])
                return held[1]
        with self._database.begin() as connection:
            row = self._older(connection, names[1:], now)
            if row is None:
                made = Attempt(names[0], uuid4())
                if self._insert(connection, made, hashes[names[0]], now):
                    return made
                row = connection.execute(_row(names[0]).with_for_update()).one()
            if row.expires > now:
                _require_same(row.request, hashes[row.fingerprint])
                if row.status is not None:
                    return self._done(row)
                if row.held_until > now:
                    raise RequestUnderWay(
                        "a request under this idempotency key is under way",
                        reason="under_way",
                        retry_after=1,
                        hint="wait for its answer",
                    )
            return self._taken(connection, row, hashes[row.fingerprint], now)

    def complete(self, attempt: Attempt, status: int, reference: str | None = None) -> None:
        """Note that a request was carried out, and how it was answered.

        Raises
        ------
        StoreError
            If the database fails. The attempt then ends by itself after a minute.
        """
        with self._database.begin() as connection:
            self.finish(connection, attempt=attempt, status=status, reference=reference)

    def finish(
        self,
        connection: Connection,
        *,
        attempt: Attempt,
        status: int,
        reference: str | None = None,
    ) -> None:
        """Note the same in the caller's transaction."""
        connection.execute(
            update(Kept)
            .where(Kept.fingerprint == attempt.fingerprint, Kept.attempt == attempt.id)
            .values(status=status, reference=reference)
        )

    def release(self, attempt: Attempt) -> None:
        """Forget a request that failed, so that it can be made again at once."""
        with self._database.begin() as connection:
            connection.execute(
                delete(Kept).where(
                    Kept.fingerprint == attempt.fingerprint,
                    Kept.attempt == attempt.id,
                    Kept.status.is_(None),
                )
            )

    def purge(self) -> int:
        """Delete keys that are no longer known, some thousands at a time; give their number."""
        count = 0
        while True:
            with self._database.begin() as connection:
                some = (
                    select(Kept.fingerprint)
                    .where(Kept.expires <= self._clock())
                    .order_by(Kept.fingerprint)
                    .limit(_PURGED_AT_ONCE)
                )
                found = connection.execute(some).scalars().all()
                if not found:
                    return count
                # What was begun anew meanwhile expires later.
                gone = Kept.fingerprint.in_(found) & (Kept.expires <= self._clock())
                count += connection.execute(delete(Kept).where(gone)).rowcount

    def _insert(
        self, connection: Connection, attempt: Attempt, request: bytes, now: datetime
    ) -> bool:
        insert: Any = (
            postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        )
        made = connection.execute(
            insert(Kept)
            .values(
                fingerprint=attempt.fingerprint,
                request=request,
                attempt=attempt.id,
                held_until=now + HELD_FOR,
                expires=now + KEPT_FOR,
            )
            .on_conflict_do_nothing()
            .returning(Kept.fingerprint)
        )
        return made.first() is not None

    def _taken(
        self, connection: Connection, row: Row[Any], request: bytes, now: datetime
    ) -> Attempt:
        made = Attempt(row.fingerprint, uuid4())
        connection.execute(
            update(Kept)
            .where(Kept.fingerprint == row.fingerprint)
            .values(
                request=request,
                attempt=made.id,
                held_until=now + HELD_FOR,
                expires=now + KEPT_FOR,
                status=None,
                reference=None,
            )
        )
        return made

    def _older(self, connection: Connection, names: list[bytes], now: datetime) -> Row[Any] | None:
        """Find what was noted under a version of the key that isn't the primary one any more."""
        for name in names:
            row = connection.execute(_row(name).with_for_update()).one_or_none()
            if row is not None and row.expires > now:
                return row
        return None

    def _done(self, row: Row[Any]) -> Attempt:
        attempt = Attempt(row.fingerprint, row.attempt, row.status, row.reference)
        self.finished.put(row.fingerprint, (row.request, attempt, row.expires))
        return attempt

    def _versions(self) -> list[KeyVersion]:
        key = access_key(self._keyring())
        loaded = [version for version in key.versions if version.handle is not None]
        return sorted(loaded, key=lambda version: version.number != key.primary_number)


def _row(fingerprint: bytes) -> Any:
    return select(*Kept.__table__.columns).where(Kept.fingerprint == fingerprint)


def _hash(version: KeyVersion, content: bytes) -> bytes:
    return token_hash(version, _DOMAIN, content)


def _require_same(before: bytes, now: bytes) -> None:
    if before != now:
        raise InvalidRequest(
            "the idempotency key was used for another request",
            location=_LOCATION,
            reason="other_request",
            hint="a fresh key for each request",
        )
