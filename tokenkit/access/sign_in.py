"""Signing in: a name and a password, a code where the user has a second factor, then a session."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select, update

from tokenkit.access.bearer import SESSION, bearer_digest
from tokenkit.access.hashing import PasswordPool, Verified
from tokenkit.access.lockout import LIMITS, Subject, network_of, subject
from tokenkit.access.names import typed_user_name
from tokenkit.access.sealing import Sealer
from tokenkit.access.tables.attempts import (
    forgive,
    give_back_attempt,
    is_known_network,
    remember_network,
    take_attempt,
)
from tokenkit.access.tables.changes import UNAUTHENTICATED, Auditor, Transactions, Work, utc_now
from tokenkit.access.tables.second_factor import has_second_factor, use_code
from tokenkit.access.tables.sessions import (
    SessionLimits,
    open_session,
    renew_session,
    session_of,
)
from tokenkit.access.tables.users import User
from tokenkit.errors import (
    AccessBusy,
    AccessError,
    NotAuthenticated,
    SecondFactorNeeded,
    TooManyAttempts,
)
from tokenkit.store.models.access import UserPasswordRow, UserRow


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was opened or renewed.

    Attributes
    ----------
    token
        The session's token, to be handed to its owner; not in the repr.
    session_id, user_id, name
        The session, and whose it is.
    second_factor
        Whether a second factor was shown.
    must_change_password
        Whether the password must be changed before anything else.

    Examples
    --------
    >>> SignedIn("tks_", UUID(int=1), UUID(int=2), "ann", True).second_factor
    True
    """

    token: str = field(repr=False)
    session_id: UUID
    user_id: UUID
    name: str
    second_factor: bool
    must_change_password: bool = False


@dataclass(frozen=True, slots=True)
class _Account:
    id: UUID
    name: str
    hash: str | None = field(repr=False)
    must_change: bool = False


class SignIn:
    """Signs users in, and lets them show a second factor again.

    A failure is the same answer, in the same time, whether there is such a user or not: a password
    is hashed either way, and attempts are counted either way. Every attempt is in the audit log.

    Parameters
    ----------
    database
        The store's.
    pool
        Hashes passwords. No transaction is open meanwhile.
    sealer
        Opens TOTP secrets, and tells names apart.
    auditor
        Takes the records.
    limits
        How long sessions last.
    clock
        Gives the moment.
    """

    def __init__(
        self,
        database: Transactions,
        pool: PasswordPool,
        sealer: Sealer,
        auditor: Auditor,
        *,
        limits: SessionLimits | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._pool = pool
        self._sealer = sealer
        self._auditor = auditor
        self._limits = limits or SessionLimits()
        self._clock = clock

    def __call__(
        self, name: str, password: str, *, code: str | None = None, address: str | None = None
    ) -> SignedIn:
        """Open a session.

        Parameters
        ----------
        name, password
            What was typed.
        code
            A TOTP code or a recovery code.
        address
            Where it was typed, as an IP address; what is counted is counted for it.

        Raises
        ------
        NotAuthenticated
            If name, password or code are wrong, or the user is disabled.
        SecondFactorNeeded
            If the password is right and a code is missing.
        TooManyAttempts
            If too many attempts failed; nothing was checked.
        AccessBusy
            If too many passwords are being checked.
        StoreError
            If the database or the audit log fails; no session is open then.
        """
        typed, network = typed_user_name(name), network_of(address)
        known = self._fingerprint("known", typed, network)
        counted = [self._fingerprint("pair", typed, network)]
        with self._database.begin() as connection:
            work = self._work(connection, UNAUTHENTICATED)
            account = _account(connection, typed)
            if not (network and is_known_network(connection, known, work.at)):
                counted.insert(0, self._fingerprint("name", typed, ""))
            wait = self._take(connection, counted, work.at)
            if wait is not None:
                self._refused(work, account, "too_many_attempts", network)
        if wait is not None:
            raise too_many(wait)
        stored = None if account is None else account.hash
        try:
            verified = self._pool.verify(stored, password).result()
        except AccessBusy:
            with self._database.begin() as connection:
                give_back_attempt(connection, counted)
            raise
        with self._database.begin() as connection:
            work = self._work(connection, UNAUTHENTICATED)
            outcome = self._finish(work, typed, account, verified, code, network)
            if isinstance(outcome, SignedIn):
                forgive(connection, [self._fingerprint("name", typed, ""), *counted])
                if network:
                    remember_network(connection, known, work.at)
            elif isinstance(outcome, SecondFactorNeeded):
                # The password was right; codes are counted by themselves.
                forgive(connection, counted)
        # Raised here, since an exception inside would have rolled the records back.
        if isinstance(outcome, SignedIn):
            return outcome
        raise outcome

    def step_up(self, token: str, code: str) -> SignedIn:
        """Show a second factor in a session, which gets another token; the old one ends.

        Raises
        ------
        NotAuthenticated
            If the session has ended, or the code is wrong or was used before.
        TooManyAttempts
            If too many codes were wrong.
        StoreError
            If the database or the audit log fails.
        """
        digest = bearer_digest(token, SESSION)
        with self._database.begin() as connection:
            at = self._clock()
            session = session_of(connection, digest)
            ended = session is None or session.revoked is not None or at >= session.ends
            account = None
            if session is not None and not ended:
                # Idleness ends a session whether or not a worker has noticed.
                idle = at - session.last_used > self._limits.idle
                account = None if idle else _account_with_id(connection, session.user_id)
            wait = None
            if account is not None:
                wait = self._take_code(connection, account.id, at)
        if session is None or account is None:
            raise NotAuthenticated("the session has ended", reason="session", hint="sign in again")
        if wait is not None:
            raise too_many(wait)
        outcome: SignedIn | AccessError = _wrong()
        with self._database.begin() as connection:
            work = self._work(connection, account.name)
            used = use_code(connection, account.id, self._sealer, code, work.at)
            # Someone else may have renewed or ended it since it was looked up.
            made = None if used is None else renew_session(work, session, digest)
            if made is not None:
                forgive(connection, [self._fingerprint("code", str(account.id), "")])
                work.record("session.step-up", f"session:{session.id}", factor=used)
                outcome = SignedIn(made.text, session.id, account.id, account.name, True)
            else:
                work.record(
                    "session.step-up", f"session:{session.id}", outcome="refused", reason="code"
                )
        if isinstance(outcome, SignedIn):
            return outcome
        raise outcome

    def _finish(
        self,
        work: Work,
        typed: str,
        account: _Account | None,
        verified: Verified,
        code: str | None,
        network: str,
    ) -> SignedIn | AccessError:
        connection = work.connection
        # The password may have been changed, or the user disabled, while it was checked.
        now = _account(connection, typed)
        if not verified.right or account is None or now != account:
            self._refused(work, account, "credentials", network)
            return _wrong()
        factor = None
        if has_second_factor(connection, account.id):
            if code is None:
                self._refused(work, account, "second_factor_needed", network)
                return SecondFactorNeeded(
                    "a code is needed too",
                    reason="second_factor",
                    hint="the code of the authenticator app, or a recovery code",
                )
            wait = self._take_code(connection, account.id, work.at)
            if wait is not None:
                self._refused(work, account, "too_many_attempts", network)
                return too_many(wait)
            factor = use_code(connection, account.id, self._sealer, code, work.at)
            if factor is None:
                self._refused(work, account, "code", network)
                return _wrong()
            forgive(connection, [self._fingerprint("code", str(account.id), "")])
        if verified.renewed is not None:
            connection.execute(
                update(UserPasswordRow)
                .where(UserPasswordRow.user_id == account.id, UserPasswordRow.hash == account.hash)
                .values(hash=verified.renewed)
            )
        second = factor is not None
        session_id, made = open_session(work, account.id, self._limits, second_factor=second)
        self._work(connection, account.name, work.at).record(
            "session.open",
            f"session:{session_id}",
            factor=factor,
            address=network or None,
        )
        return SignedIn(
            made.text, session_id, account.id, account.name, second, account.must_change
        )

    def _refused(self, work: Work, account: _Account | None, reason: str, network: str) -> None:
        # A name that there isn't may be a password that was typed in the wrong place.
        named = None if account is None else f"user:{account.name}"
        work.record(
            "session.open", named, outcome="refused", reason=reason, address=network or None
        )

    def _take(self, connection: Connection, counted: list[bytes], at: datetime) -> timedelta | None:
        kinds: list[Subject] = ["name", "pair"]
        kinds = kinds[-len(counted) :]
        for fingerprint, kind in zip(counted, kinds, strict=True):
            wait = take_attempt(connection, fingerprint, LIMITS[kind], at)
            if wait is not None:
                return wait
        return None

    def _take_code(self, connection: Connection, user_id: UUID, at: datetime) -> timedelta | None:
        fingerprint = self._fingerprint("code", str(user_id), "")
        return take_attempt(connection, fingerprint, LIMITS["code"], at)

    def _fingerprint(self, kind: Subject, name: str, network: str) -> bytes:
        return self._sealer.fingerprint(subject(kind, name, network))

    def _work(self, connection: Connection, actor: str, at: datetime | None = None) -> Work:
        return Work(
            connection=connection, actor=actor, auditor=self._auditor, at=at or self._clock()
        )


def _account(connection: Connection, typed: str) -> _Account | None:
    row = connection.execute(
        select(UserRow.id, UserRow.name, UserPasswordRow.hash, UserPasswordRow.must_change)
        .join(UserPasswordRow, UserPasswordRow.user_id == UserRow.id)
        .where(UserRow.name == typed, UserRow.disabled.is_(None), UserRow.kind == "person")
    ).one_or_none()
    return None if row is None else _Account(*row)


def _account_with_id(connection: Connection, user_id: UUID) -> _Account | None:
    row = connection.execute(
        select(UserRow.id, UserRow.name).where(UserRow.id == user_id, UserRow.disabled.is_(None))
    ).one_or_none()
    return None if row is None else _Account(row.id, row.name, None)


def _wrong() -> NotAuthenticated:
    return NotAuthenticated(
        "that can't be signed in with",
        reason="credentials",
        hint="check the name, the password and the code",
    )


def too_many(wait: timedelta) -> TooManyAttempts:
    """Say how long the next attempt has to wait."""
    seconds = math.ceil(wait.total_seconds())
    return TooManyAttempts(
        "too many attempts have failed",
        reason="too_many_attempts",
        retry_after=seconds,
        hint=f"try again in {seconds} seconds",
    )


def unlock(work: Work, user: User, sealer: Sealer) -> None:
    """Forget the attempts that were counted for a user's name and codes.

    Those that are counted for a pair of name and address pass by themselves within minutes.
    """
    texts = [subject("name", user.name), subject("code", str(user.id))]
    forgive(work.connection, [sealer.fingerprint(text) for text in texts])
    work.record("user.unlock", f"user:{user.name}")
