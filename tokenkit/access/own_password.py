"""Users who change their own password."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from tokenkit.access.hashing import PasswordPool
from tokenkit.access.lockout import LIMITS, subject
from tokenkit.access.passwords import PasswordRules
from tokenkit.access.principals import Principal
from tokenkit.access.sealing import Sealer
from tokenkit.access.sign_in import too_many
from tokenkit.access.tables.attempts import forgive, give_back_attempt, take_attempt
from tokenkit.access.tables.changes import Auditor, Transactions, Work, utc_now
from tokenkit.access.tables.users import find_user, set_password
from tokenkit.errors import AccessBusy, NotAuthenticated
from tokenkit.store.models.access import UserPasswordRow


def change_own_password(
    database: Transactions,
    pool: PasswordPool,
    sealer: Sealer,
    auditor: Auditor,
    principal: Principal,
    *,
    old: str,
    new: str,
    rules: PasswordRules | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Change the password of whoever asks, in a session, which goes on while the others end.

    Raises
    ------
    PasswordRefused
        If the new one is too easy to guess, or the old one again.
    NotAuthenticated
        If the old one is wrong.
    TooManyAttempts
        If it was wrong too often; nothing was checked.
    AccessBusy
        If too many passwords are being checked.
    StoreError
        If the database or the audit log fails; the old one still holds then.
    """
    chosen = (rules or PasswordRules()).checked(new, user=principal.name)
    mine = select(UserPasswordRow.hash).where(UserPasswordRow.user_id == principal.user_id)
    # Whoever has found a session open mustn't find out the password too.
    counted = sealer.fingerprint(subject("code", f"{principal.user_id} password"))
    with database.begin() as connection:
        work = Work(connection=connection, actor=principal.actor, auditor=auditor, at=clock())
        stored = connection.execute(mine).scalar_one_or_none()
        wait = take_attempt(connection, counted, LIMITS["code"], work.at)
        if wait is not None:
            _refuse(work, principal, "too_many_attempts")
    if wait is not None:
        raise too_many(wait)
    try:
        right = pool.verify(stored, old).result().right
        hashed = pool.hash(chosen).result() if right else None
    except AccessBusy:
        with database.begin() as connection:
            give_back_attempt(connection, [counted])
        raise
    with database.begin() as connection:
        work = Work(connection=connection, actor=principal.actor, auditor=auditor, at=clock())
        unchanged = connection.execute(mine).scalar_one_or_none() == stored
        if hashed is None or not unchanged:
            hashed = None
            _refuse(work, principal, "credentials")
        else:
            forgive(connection, [counted])
            user = find_user(connection, principal.name)
            set_password(work, user, hashed, must_change=False, keep_session=principal.id)
    if hashed is None:
        raise NotAuthenticated("the old password is wrong", reason="credentials")


def _refuse(work: Work, principal: Principal, reason: str) -> None:
    work.record("user.password", f"user:{principal.name}", outcome="refused", reason=reason)
