"""Second factors: TOTP secrets and recovery codes, each code good for one use."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

from tokenkit.access.recovery_codes import new_recovery_codes, recovery_code_digest
from tokenkit.access.sealing import Sealer
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.sessions import revoke_sessions
from tokenkit.access.tables.users import User
from tokenkit.access.totp import matching_step, new_totp_secret
from tokenkit.errors import InvalidAccess, NotAuthenticated
from tokenkit.store.models.access import RecoveryCodeRow, UserTotpRow

PENDING_FOR = timedelta(minutes=30)
"""How long a secret that was shown can be confirmed by a code."""


def has_second_factor(connection: Connection, user_id: UUID) -> bool:
    """Whether a user has confirmed a TOTP secret."""
    found = select(UserTotpRow.user_id).where(
        UserTotpRow.user_id == user_id, UserTotpRow.secret.is_not(None)
    )
    return connection.execute(found).first() is not None


def begin_totp(work: Work, user: User, sealer: Sealer) -> str:
    """Make a TOTP secret, to be shown once; it counts once a code of it has been given.

    Until then the one before goes on counting.

    Raises
    ------
    InvalidAccess
        If the user is a service.
    """
    if not user.is_person:
        raise InvalidAccess("a service has no second factor", reason="service")
    secret = new_totp_secret()
    pending = {
        "pending": sealer.seal("totp", str(user.id), secret),
        "pending_since": work.at,
    }
    ours = UserTotpRow.user_id == user.id
    if work.connection.execute(select(UserTotpRow.user_id).where(ours)).first() is None:
        work.connection.execute(insert(UserTotpRow).values(user_id=user.id, **pending))
    else:
        work.connection.execute(update(UserTotpRow).where(ours).values(**pending))
    work.record("second-factor.begin", f"user:{user.name}")
    return secret


def confirm_totp(work: Work, user: User, sealer: Sealer, code: str) -> list[str]:
    """Make the secret that was shown last count, and give fresh recovery codes, to be shown once.

    Raises
    ------
    NotAuthenticated
        If the code isn't the secret's, or there is nothing to confirm.
    """
    work.begin_change()
    ours = UserTotpRow.user_id == user.id
    row = work.connection.execute(
        select(UserTotpRow.pending, UserTotpRow.pending_since).where(ours)
    ).one_or_none()
    step = None
    if row is not None and row.pending and row.pending_since > work.at - PENDING_FOR:
        secret = sealer.open("totp", str(user.id), row.pending)
        step = matching_step(secret, code, work.at, None)
    if row is None or step is None:
        raise NotAuthenticated(
            "that code is not one of the secret that was shown",
            reason="code",
            hint="type the code that the app shows now, or begin again",
        )
    work.connection.execute(
        update(UserTotpRow)
        .where(ours)
        .values(
            secret=row.pending,
            confirmed=work.at,
            last_step=step,
            pending=None,
            pending_since=None,
        )
    )
    codes = _write_recovery_codes(work, user.id)
    work.record("second-factor.confirm", f"user:{user.name}")
    return codes


def renew_recovery_codes(work: Work, user: User) -> list[str]:
    """Give fresh recovery codes, to be shown once; the ones before don't count any more.

    Raises
    ------
    InvalidAccess
        If the user has no second factor that they could stand in for.
    """
    if not has_second_factor(work.connection, user.id):
        raise InvalidAccess("the user has no second factor", reason="second_factor")
    codes = _write_recovery_codes(work, user.id)
    work.record("second-factor.recovery-codes", f"user:{user.name}")
    return codes


def remove_second_factor(work: Work, user: User) -> None:
    """Take a user's second factor away, for one who has lost it; the user's sessions end."""
    work.begin_change()
    work.connection.execute(delete(UserTotpRow).where(UserTotpRow.user_id == user.id))
    work.connection.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user.id))
    # A session that has just shown it would otherwise count as fresh for a while.
    ended = revoke_sessions(work, user.id)
    work.record("second-factor.remove", f"user:{user.name}", sessions_ended=ended)


def use_code(
    connection: Connection, user_id: UUID, sealer: Sealer, code: str, at: datetime
) -> str | None:
    """Use up a TOTP code or a recovery code.

    Returns
    -------
    str or None
        ``totp`` or ``recovery-code``; None if the code is wrong or was used before. Of two at the
        same time with one code, one gets None: each is taken in a single UPDATE.
    """
    digest = recovery_code_digest(code)
    if digest is not None:
        used = connection.execute(
            update(RecoveryCodeRow)
            .where(
                RecoveryCodeRow.user_id == user_id,
                RecoveryCodeRow.digest == digest,
                RecoveryCodeRow.used.is_(None),
            )
            .values(used=at)
        )
        return "recovery-code" if used.rowcount == 1 else None
    row = connection.execute(
        select(UserTotpRow.secret, UserTotpRow.last_step).where(UserTotpRow.user_id == user_id)
    ).one_or_none()
    if row is None or row.secret is None:
        return None
    secret = sealer.open("totp", str(user_id), row.secret)
    step = matching_step(secret, code, at, row.last_step)
    if step is None:
        return None
    taken = connection.execute(
        update(UserTotpRow)
        .where(
            UserTotpRow.user_id == user_id,
            UserTotpRow.secret == row.secret,
            func.coalesce(UserTotpRow.last_step, -1) < step,
        )
        .values(last_step=step)
    )
    return "totp" if taken.rowcount == 1 else None


def unused_recovery_codes(connection: Connection, user_id: UUID) -> int:
    """Count the recovery codes that a user still has."""
    return connection.execute(
        select(func.count())
        .select_from(RecoveryCodeRow)
        .where(RecoveryCodeRow.user_id == user_id, RecoveryCodeRow.used.is_(None))
    ).scalar_one()


def _write_recovery_codes(work: Work, user_id: UUID) -> list[str]:
    work.connection.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id))
    codes = new_recovery_codes()
    work.connection.execute(
        insert(RecoveryCodeRow),
        [
            {"user_id": user_id, "digest": recovery_code_digest(code), "created": work.at}
            for code in codes
        ],
    )
    return codes
