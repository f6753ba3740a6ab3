"""The table of token records. Each function works in the caller's transaction."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tokenkit.service.token_records.record import NewRecord
from tokenkit.service.token_records.sealing import SealedToken
from tokenkit.store.models.service import TokenRecordRow as T

_AT_ONCE = 10_000
"""Fingerprints a query; SQLite takes 32,766 parameters at most."""
_PIECE = 1_000
"""Rows a transaction, where many are changed."""
_E = TypeVar("_E")


class Place(NamedTuple):
    """Where a token's records are: whose, of which key version, in which domain."""

    caller_id: UUID
    key_id: int
    domain: str

    def here(self) -> Any:
        """Give the condition."""
        return and_(T.caller_id == self.caller_id, T.key_id == self.key_id, T.domain == self.domain)


def is_any_kept(connection: Connection, place: Place) -> bool:
    """Whether a caller has any record there."""
    return connection.execute(select(T.id).where(place.here()).limit(1)).first() is not None


def sealing_ids(connection: Connection) -> list[int]:
    """Give the ids of the key versions that sealed records; a look in the index for each."""
    found: list[int] = []
    while True:
        query = select(func.min(T.sealed_under))
        if found:
            query = query.where(T.sealed_under > found[-1])
        following: int | None = connection.execute(query).scalar_one()
        if following is None:
            return found
        found.append(following)


def moments_of(
    connection: Connection, place: Place, fingerprints: Sequence[bytes]
) -> dict[bytes, tuple[datetime | None, datetime | None]]:
    """Give for those of the fingerprints that are kept when they expire and were revoked."""
    found: dict[bytes, tuple[datetime | None, datetime | None]] = {}
    for some in _pieces(fingerprints, _AT_ONCE):
        rows = connection.execute(
            select(T.fingerprint, T.expires, T.revoked).where(place.here(), T.fingerprint.in_(some))
        )
        found |= {fingerprint: (expires, revoked) for fingerprint, expires, revoked in rows}
    return found


def write(
    connection: Connection,
    place: Place,
    at: datetime,
    key_id: int,
    records: Sequence[tuple[NewRecord, SealedToken]],
    details: dict[bytes, str],
) -> None:
    """Write records, each fingerprint once; one that is there gets the new end and metadata.

    Parameters
    ----------
    connection, place, at
        Where, and when.
    key_id
        The id of the version that sealed the tokens.
    records
        Their tokens aren't among those of other versions; see :func:`move_to`.
    details
        Sealed metadata by fingerprint.
    """
    # In one order everywhere, or two could wait for each other.
    ordered = sorted(records, key=lambda each: each[1].fingerprint)
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(T)
    statement = statement.on_conflict_do_update(
        index_elements=[T.caller_id, T.key_id, T.domain, T.fingerprint],
        set_={
            "details": statement.excluded.details,
            "expires": statement.excluded.expires,
            "purged": None,
            "version": T.version + 1,
        },
        where=T.revoked.is_(None),
    )
    connection.execute(
        statement,
        [
            {
                "id": uuid4(),
                **place._asdict(),
                "key": new.key,
                "scheme": new.scheme,
                "fingerprint": token.fingerprint,
                "sealed": token.sealed,
                "sealed_under": key_id,
                "details": details.get(token.fingerprint),
                "created": at,
                "expires": new.expires,
                "version": 1,
            }
            for new, token in ordered
        ],
    )


def rows_of(
    connection: Connection, place: Place, fingerprints: Sequence[bytes]
) -> dict[bytes, Row[Any]]:
    """Give the records of these fingerprints."""
    found: dict[bytes, Row[Any]] = {}
    for some in _pieces(fingerprints, _AT_ONCE):
        query = _all().where(place.here(), T.fingerprint.in_(some))
        found |= {row.fingerprint: row for row in connection.execute(query)}
    return found


def find(connection: Connection, record: UUID) -> Row[Any] | None:
    """Find a record that hasn't been purged."""
    query = _all().where(T.id == record, T.purged.is_(None))
    return connection.execute(query).one_or_none()


def listed(
    connection: Connection, caller_id: UUID, after: tuple[datetime, UUID] | None, count: int
) -> list[Row[Any]]:
    """List a caller's records in the order in which they were made, from a place on."""
    query = _all().where(T.caller_id == caller_id, T.purged.is_(None))
    if after is not None:
        made, last = after
        query = query.where(or_(T.created > made, and_(T.created == made, T.id > last)))
    query = query.order_by(T.created, T.id).limit(count)
    return list(connection.execute(query))


def revoke(connection: Connection, record: UUID, at: datetime) -> bool:
    """Mark a record as revoked; False if it was, and then nothing changes."""
    marked = connection.execute(
        update(T)
        .where(T.id == record, T.revoked.is_(None))
        .values(revoked=at, version=T.version + 1)
    )
    return marked.rowcount == 1


def purge(connection: Connection, before: datetime, at: datetime) -> int:
    """Take the metadata of some records that expired before a moment; give their number.

    The row stays, and goes on saying that the token has expired.
    """
    some = (
        select(T.id)
        .where(T.expires <= before, T.purged.is_(None))
        .order_by(T.id)
        .limit(_PIECE)
        .with_for_update()
    )
    ids = connection.execute(some).scalars().all()
    if ids:
        connection.execute(update(T).where(T.id.in_(ids)).values(details=None, purged=at))
    return len(ids)


def delete_of_keys(connection: Connection, key_ids: Iterable[int]) -> int:
    """Delete some records whose tokens nobody can turn back any more; give their number."""
    some = select(T.id).where(T.key_id.in_(list(key_ids))).order_by(T.id).limit(_PIECE)
    ids = connection.execute(some).scalars().all()
    if ids:
        connection.execute(delete(T).where(T.id.in_(ids)))
    return len(ids)


def sealed_otherwise(connection: Connection, key_id: int, count: int = _PIECE) -> list[Row[Any]]:
    """Give some records that another key version than this one sealed, and hold them."""
    query = _all().where(or_(T.sealed_under < key_id, T.sealed_under > key_id))
    return list(connection.execute(query.order_by(T.id).limit(count).with_for_update()))


def move_to(
    connection: Connection, record: UUID, token: SealedToken, key_id: int, details: str | None
) -> None:
    """Put a record's other seal in the place of its first one.

    If another record has that token by now, the stricter of both counts, and this one goes.
    """
    old = connection.execute(_all().where(T.id == record)).one()
    place = Place(old.caller_id, old.key_id, old.domain)
    same = place.here() & (T.fingerprint == token.fingerprint) & (T.id != record)
    if connection.execute(select(T.id).where(same).with_for_update()).first() is None:
        connection.execute(
            update(T)
            .where(T.id == record)
            .values(
                fingerprint=token.fingerprint,
                sealed=token.sealed,
                sealed_under=key_id,
                details=details,
            )
        )
        return
    connection.execute(delete(T).where(T.id == record))
    stricter: dict[str, Any] = {"version": T.version + 1}
    if old.revoked is not None:
        stricter["revoked"] = func.coalesce(T.revoked, old.revoked)
    connection.execute(update(T).where(same).values(stricter))
    if old.expires is not None:
        sooner = or_(T.expires.is_(None), T.expires > old.expires)
        connection.execute(update(T).where(same, sooner).values(expires=old.expires))


def _all() -> Select[Any]:
    return select(*T.__table__.columns)


def _pieces(items: Sequence[_E], size: int) -> Iterator[Sequence[_E]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
