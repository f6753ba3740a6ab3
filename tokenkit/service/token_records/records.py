"""Keeping, finding and enforcing token records."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, Row

from tokenkit.access.tables.changes import Transactions, utc_now
from tokenkit.errors import KeyVersionDisabled, UnknownResource
from tokenkit.keys import Keyring, KeyState
from tokenkit.service.caching import Cache
from tokenkit.service.token_records import rows
from tokenkit.service.token_records.record import (
    NewRecord,
    State,
    TokenRecord,
    checked_record,
    state_of,
)
from tokenkit.service.token_records.rows import Place
from tokenkit.service.token_records.sealing import Bound, SealedToken, TokenSealer

HELD_SECONDS = 2.0
"""How long what was read counts; another worker's revocation is seen after that at the latest."""
MOST_HELD = 100_000
"""Tokens whose state is held."""
MOST_PLACES = 10_000
"""Callers' key versions and domains of which it is held whether anything is kept there."""

Cursor: TypeAlias = tuple[datetime, UUID]
"""The place of a record in its caller's list."""
_Moments: TypeAlias = tuple[datetime | None, datetime | None]


class TokenRecords:
    """The records of tokens, by whichever caller asked for them.

    Parameters
    ----------
    database
        The store's.
    keyring
        Gives the keyring as it is now, whose key seals; see :class:`TokenSealer`.
    size
        How many tokens' states are held.
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
        self._sealer = TokenSealer(keyring)
        self._clock = clock
        self.states: Cache[tuple[Place, bytes], tuple[_Moments] | tuple[()]] = Cache(
            "token_records", size, seconds=HELD_SECONDS, monotonic=monotonic
        )
        self.places: Cache[Place, bool] = Cache(
            "token_record_places", MOST_PLACES, seconds=HELD_SECONDS, monotonic=monotonic
        )

    def keep(self, caller_id: UUID, new: Sequence[NewRecord]) -> Sequence[TokenRecord]:
        """Keep tokens, in one transaction: all of them, or none.

        A token that is kept already gets the new end and metadata, and its version is counted up;
        one that was revoked stays as it is, which its record says.

        Raises
        ------
        InvalidTokenRecord
            If one can't be kept.
        StoreError
            If the database fails.
        """
        at = self._clock()
        groups: dict[Place, list[int]] = {}
        for position, record in enumerate(new):
            checked_record(record, at)
            place = Place(caller_id, record.key_id, record.domain)
            groups.setdefault(place, []).append(position)
        kept: dict[int, TokenRecord] = {}
        with self._database.begin() as connection:
            # In one order everywhere, or two requests could wait for each other.
            for place in sorted(groups):
                some = [new[position] for position in groups[place]]
                kept |= zip(
                    groups[place], self._keep_here(connection, place, some, at), strict=True
                )
        self.states.clear()
        for place in groups:
            self.places.drop(place)
        return [kept[position] for position in range(len(new))]

    def kept(self, caller_id: UUID, new: Sequence[NewRecord]) -> Sequence[TokenRecord | None]:
        """Find the records of tokens that were kept before; None where there is none any more."""
        found: list[TokenRecord | None] = []
        with self._database.read() as connection:
            for record in new:
                place = Place(caller_id, record.key_id, record.domain)
                names = self._sealer.fingerprints([record.token])[0]
                rows_ = rows.rows_of(connection, place, names)
                row = next((rows_[name] for name in names if name in rows_), None)
                found.append(None if row is None else self._read(row))
        return found

    def now(self) -> datetime:
        """Give the moment by the clock that ends tokens."""
        return self._clock()

    def find(self, record: UUID) -> TokenRecord:
        """Find a record.

        Raises
        ------
        UnknownResource
            If there is none of that id, or its metadata was purged.
        """
        with self._database.read() as connection:
            row = rows.find(connection, record)
        if row is None:
            raise _unknown()
        return self._read(row)

    def listed(
        self, caller_id: UUID, *, after: Cursor | None = None, count: int = 100
    ) -> list[TokenRecord]:
        """List a caller's records in the order in which they were made, from a place on."""
        with self._database.read() as connection:
            found = rows.listed(connection, caller_id, after, count)
        return [self._read(row) for row in found]

    def revoke(self, connection: Connection, record: UUID) -> bool:
        """Revoke a token for its caller, for good, in a transaction that records it.

        Returns
        -------
        bool
            Whether it was not revoked before. Call :meth:`forget` when it is committed.

        Raises
        ------
        UnknownResource
            If there is no such record.
        """
        if rows.find(connection, record) is None:
            raise _unknown()
        return rows.revoke(connection, record, self._clock())

    def forget(self) -> None:
        """Drop what is held of tokens' states, after a change in this process."""
        self.states.clear()

    def is_any_kept(self, caller_id: UUID, key_id: int, domain: str) -> bool | None:
        """Whether a caller has records of tokens of this kind; None if the database must be asked.

        It never waits: most callers keep nothing, and then nothing more is to be done.
        """
        return self.places.get(Place(caller_id, key_id, domain))

    def ended(
        self, caller_id: UUID, key_id: int, domain: str, tokens: Sequence[str | int | None]
    ) -> dict[int, State]:
        """Say which tokens of a batch may no longer be turned back for a caller.

        One query for up to 10,000 tokens, for those whose state isn't held.

        Returns
        -------
        dict
            By position in the batch: ``expired`` or ``revoked``.

        Raises
        ------
        KeyVersionDisabled
            If a key version that sealed records is gone, so that they can't be found.
        StoreError
            If the database fails; nothing may be turned back then.
        """
        found = self.states_of(caller_id, key_id, domain, tokens)
        return {position: state for position, state in found.items() if state != "active"}

    def states_of(
        self, caller_id: UUID, key_id: int, domain: str, tokens: Sequence[str | int | None]
    ) -> dict[int, State]:
        """Say of the tokens of a batch that a caller has records of what state they are in.

        Parameters and errors are those of :meth:`ended`.
        """
        place = Place(caller_id, key_id, domain)
        known = self.places.get(place)
        if known is None:
            known = self._look(place)
        if not known:
            return {}
        at = self._clock()
        # Null and the empty string stay what they are, and have no records.
        there = [position for position, token in enumerate(tokens) if token not in {None, ""}]
        sealed = self._sealer.fingerprints([str(tokens[position]) for position in there])
        moments = self._moments(place, [each for group in sealed for each in group])
        states: dict[int, State] = {}
        for position, group in zip(there, sealed, strict=True):
            found = [state_of(*moments[each], at) for each in group if each in moments]
            # While a key is being rotated there may be two; the stricter one counts.
            for state in ("revoked", "expired", "active"):
                if state in found:
                    states[position] = state
                    break
        return states

    def purge(self, before: datetime | None = None) -> int:
        """Take the metadata of records that have expired, before a moment if one is given.

        What stays says that the token has expired, or it could be turned back again. Rows go for
        good once the key version that made their tokens is destroyed.

        Returns
        -------
        int
            How many records were purged or deleted.
        """
        at = self._clock()
        count = 0
        while some := self._purge_some(min(before or at, at), at):
            count += some
        self.states.clear()
        return count

    def reseal(self) -> int:
        """Seal records under the primary version that another one sealed; give their number.

        Raises
        ------
        KeyringError
            If a version that sealed some isn't enabled.
        """
        count = 0
        while some := self._reseal_some():
            count += some
        self.states.clear()
        return count

    def _keep_here(
        self, connection: Connection, place: Place, new: Sequence[NewRecord], at: datetime
    ) -> list[TokenRecord]:
        primary = self._sealer.key_id
        sealed = self._sealer.seal([record.token for record in new])
        self._move_older(connection, place, new, sealed)
        # Of a token that comes twice the last one counts, as if it had come in another request.
        last = {token.fingerprint: record for record, token in zip(new, sealed, strict=True)}
        tokens = {token.fingerprint: token for token in sealed}
        noted = {
            fingerprint: record.metadata
            for fingerprint, record in last.items()
            if record.metadata is not None
        }
        bound = [(_bound(place, last[each].token), noted[each]) for each in noted]
        details = dict(zip(noted, self._sealer.seal_details(bound), strict=True))
        rows.write(
            connection,
            place,
            at,
            primary,
            [(record, tokens[each]) for each, record in last.items()],
            details,
        )
        found = rows.rows_of(connection, place, list(last))
        return [self._read(found[token.fingerprint]) for token in sealed]

    def _move_older(
        self,
        connection: Connection,
        place: Place,
        new: Sequence[NewRecord],
        sealed: Sequence[SealedToken],
    ) -> None:
        """Seal those anew that are kept under another version, so that each is found once."""
        if len(self._sealer.usable_ids) == 1:
            return
        groups = self._sealer.fingerprints([record.token for record in new])
        newest = {
            older: token
            for group, token in zip(groups, sealed, strict=True)
            for older in group
            if older != token.fingerprint
        }
        found = rows.rows_of(connection, place, list(newest))
        for older in sorted(found):
            self._move(connection, found[older], newest[older])

    def _move(self, connection: Connection, row: Row[Any], token: SealedToken) -> None:
        details = None
        if row.details is not None:
            place = Place(row.caller_id, row.key_id, row.domain)
            bound = _bound(place, self._sealer.open(SealedToken(row.fingerprint, row.sealed)))
            opened = self._sealer.open_details(bound, row.details)
            details = self._sealer.seal_details([(bound, opened)])[0]
        rows.move_to(connection, row.id, token, self._sealer.key_id, details)

    def _look(self, place: Place) -> bool:
        with self._database.read() as connection:
            known = rows.is_any_kept(connection, place)
            sealing = rows.sealing_ids(connection) if known else []
        if not set(sealing) <= set(self._sealer.usable_ids):
            # Not finding them would turn tokens back that have expired.
            raise KeyVersionDisabled(
                "a key version that sealed records of tokens is gone, so they can't be found",
                hint="import the version again; before one is destroyed: tokenkit admin token "
                "reseal",
            )
        self.places.put(place, known)
        return known

    def _moments(self, place: Place, fingerprints: Sequence[bytes]) -> dict[bytes, _Moments]:
        held = self.states.get_many((place, each) for each in fingerprints)
        missing = [each for each in fingerprints if (place, each) not in held]
        moments = {each: found[0] for (_, each), found in held.items() if found}
        if missing:
            with self._database.read() as connection:
                read = rows.moments_of(connection, place, missing)
            # A large batch would only push everything else out.
            if len(missing) <= self.states.size // 10:
                self.states.put_many(
                    ((place, each), (read[each],) if each in read else ()) for each in missing
                )
            moments |= read
        return moments

    def _purge_some(self, before: datetime, at: datetime) -> int:
        keyring = self._keyring()
        destroyed = [
            version.id
            for name in keyring
            for version in keyring[name].versions
            if version.state is KeyState.DESTROYED
        ]
        with self._database.begin() as connection:
            count = rows.delete_of_keys(connection, destroyed) if destroyed else 0
            return count + rows.purge(connection, before, at)

    def _reseal_some(self) -> int:
        with self._database.begin() as connection:
            found = rows.sealed_otherwise(connection, self._sealer.key_id)
            texts = [self._sealer.open(SealedToken(row.fingerprint, row.sealed)) for row in found]
            for row, token in zip(found, self._sealer.seal(texts), strict=True):
                self._move(connection, row, token)
            return len(found)

    def _read(self, row: Row[Any]) -> TokenRecord:
        token = self._sealer.open(SealedToken(row.fingerprint, row.sealed))
        bound = _bound(Place(row.caller_id, row.key_id, row.domain), token)
        return TokenRecord(
            id=row.id,
            caller_id=row.caller_id,
            token=token,
            key=row.key,
            key_id=row.key_id,
            domain=row.domain,
            scheme=row.scheme,
            metadata=None if row.details is None else self._sealer.open_details(bound, row.details),
            created=row.created,
            expires=row.expires,
            revoked=row.revoked,
            version=row.version,
        )


def _bound(place: Place, token: str) -> Bound:
    return (str(place.caller_id), place.key_id, place.domain, token)


def _unknown() -> UnknownResource:
    return UnknownResource("there is no record of that id", reason="token")
