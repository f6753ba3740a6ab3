"""Signing in: the same answer for everybody who can't, waits, codes that count once."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from tests.unit.access.accounts import PASSWORD
from tokenkit.access.bearer import SESSION, bearer_digest
from tokenkit.access.own_password import change_own_password
from tokenkit.access.principals import Principal
from tokenkit.access.sign_in import unlock
from tokenkit.access.tables.second_factor import (
    begin_totp,
    confirm_totp,
    has_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    unused_recovery_codes,
)
from tokenkit.access.tables.sessions import list_sessions, session_of
from tokenkit.access.tables.users import disable_user
from tokenkit.errors import (
    AccessBusy,
    InvalidAccess,
    NotAuthenticated,
    PasswordRefused,
    SecondFactorNeeded,
    StoreError,
    TooManyAttempts,
)
from tokenkit.store.models.access import AttemptRow, UserPasswordRow

HERE, THERE = "192.0.2.1", "198.51.100.7"


def fails(sign_in, *args, **options):
    with pytest.raises((NotAuthenticated, TooManyAttempts)) as caught:
        sign_in(*args, **options)
    error = caught.value
    return type(error).__name__, error.reason, str(error.message), error.hint


def test_a_password_opens_a_session(accounts, sign_in):
    """Name in any case; the session's token is kept as a hash."""
    accounts.user("ann")
    signed_in = sign_in(" Ann ", PASSWORD, address=HERE)
    assert signed_in.name == "ann"
    assert not signed_in.second_factor
    assert signed_in.token not in repr(signed_in)
    assert accounts.records.records[-1].action == "session.open"
    assert accounts.records.records[-1].actor == "ann"


def test_everybody_who_cannot_sign_in_gets_the_same_answer(accounts, sign_in, monkeypatch):
    """Unknown, disabled, service, without a password, wrong password: one text, one hash each."""
    accounts.user("ann")
    gone = accounts.user("gone")
    with accounts.work() as work:
        disable_user(work, gone)
    accounts.user("robot", kind="service")
    calls = []
    verify = PasswordHasher.verify

    def counted(*given):
        calls.append(given)
        return verify(*given)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    answers = {
        fails(sign_in, name, password)
        for name, password in [
            ("nobody", PASSWORD),
            ("gone", PASSWORD),
            ("robot", PASSWORD),
            ("ann", "wrong"),
            ("", ""),
            ("x" * 100_000, "y" * 100_000),
            ("ann'--", PASSWORD),
        ]
    }
    assert len(answers) == 1
    assert len(calls) == 7
    assert {outcome for _, outcome, _ in accounts.records.seen()[-7:]} == {"refused"}


def test_known_and_unknown_names_wait_alike(accounts, sign_in):
    """Five free attempts, then waits that double, whether or not there is such a user."""
    accounts.user("ann")
    for name in ("ann", "nobody"):
        waits = []
        for _ in range(9):
            accounts.clock.advance(milliseconds=1)
            try:
                sign_in(name, "wrong", address=HERE)
            except TooManyAttempts as error:
                waits.append(error.retry_after)
                accounts.clock.advance(seconds=error.retry_after)
            except NotAuthenticated:
                waits.append(0)
        assert waits == [0, 0, 0, 0, 0, 2, 0, 4, 0]


def test_a_wait_checks_nothing_and_shows_in_the_log(accounts, sign_in):
    """Not even the right password gets through, and no hash is computed."""
    accounts.user("ann")
    for _ in range(5):
        fails(sign_in, "ann", "wrong", address=HERE)
    assert fails(sign_in, "ann", PASSWORD, address=HERE)[1] == "too_many_attempts"
    assert accounts.records.seen()[-1] == ("session.open", "refused", "too_many_attempts")
    accounts.clock.advance(seconds=2)
    assert sign_in("ann", PASSWORD, address=HERE).name == "ann"
    fails(sign_in, "ann", "wrong", address=HERE)  # Success has cleared the count.


@pytest.mark.slow
def test_guessing_from_elsewhere_locks_nobody_out(accounts, sign_in):
    """Many addresses use up the name's count; its owner's own address goes on working."""
    ann = accounts.user("ann")
    sign_in("ann", PASSWORD, address=HERE)
    for number in range(100):
        fails(sign_in, "ann", "wrong", address=f"203.0.113.{number}")
    assert fails(sign_in, "ann", PASSWORD, address=THERE)[0] == "TooManyAttempts"
    assert sign_in("ann", PASSWORD, address=HERE).name == "ann"
    # That success has cleared the name's count, too; an administrator can do so as well.
    for number in range(100):
        fails(sign_in, "ann", "wrong", address=f"203.0.113.{number}")
        accounts.clock.advance(seconds=3)
    assert fails(sign_in, "ann", PASSWORD, address=THERE)[0] == "TooManyAttempts"
    with accounts.work() as work:
        unlock(work, ann, accounts.sealer)
    assert sign_in("ann", PASSWORD, address=THERE).name == "ann"


def test_no_wait_is_longer_than_fifteen_minutes(accounts, sign_in):
    """However many attempts fail, the next quarter of an hour gives one more."""
    accounts.user("ann")
    for _ in range(60):
        try:
            sign_in("ann", "wrong", address=HERE)
        except TooManyAttempts as error:
            assert error.retry_after is not None
            assert error.retry_after <= 900
            accounts.clock.advance(seconds=error.retry_after)
        except NotAuthenticated:
            pass
    accounts.clock.advance(minutes=15)
    assert sign_in("ann", PASSWORD, address=HERE).name == "ann"


def test_a_busy_pool_costs_no_attempt(accounts, sign_in, monkeypatch):
    """What wasn't checked isn't counted."""
    accounts.user("ann")

    def busy(*_given):
        raise AccessBusy("busy")

    with monkeypatch.context() as patch:
        patch.setattr(type(accounts.pool), "verify", busy)
        for _ in range(10):
            with pytest.raises(AccessBusy):
                sign_in("ann", PASSWORD, address=HERE)
    assert sign_in("ann", PASSWORD, address=HERE).name == "ann"


def test_names_that_were_typed_are_not_kept(accounts, sign_in):
    """A password typed as a name is in no table and no record: attempts have fingerprints."""
    fails(sign_in, "my secret password", "x", address=HERE)
    with accounts.database.read() as connection:
        rows = connection.execute(select(AttemptRow.__table__)).all()
    assert len(rows) == 2
    assert {len(row.subject) for row in rows} == {32}
    assert "my secret password" not in repr(rows) + accounts.records.text()


def test_a_code_is_asked_for_after_the_password_only(accounts, sign_in):
    """A wrong password tells nothing about the second factor."""
    ann = accounts.user("ann")
    app, _ = accounts.totp(ann)
    assert fails(sign_in, "ann", "wrong")[0] == "NotAuthenticated"
    with pytest.raises(SecondFactorNeeded):
        sign_in("ann", PASSWORD)
    assert sign_in("ann", PASSWORD, code=accounts.code(app)).second_factor


def test_no_code_works_twice(accounts, sign_in):
    """Neither at sign-in nor at step-up, nor one first and then the other."""
    ann = accounts.user("ann")
    app, _ = accounts.totp(ann)
    code = accounts.code(app)
    signed_in = sign_in("ann", PASSWORD, code=code)
    assert fails(sign_in, "ann", PASSWORD, code=code)[1] == "credentials"
    assert fails(sign_in.step_up, signed_in.token, code)[1] == "credentials"
    accounts.clock.advance(seconds=30)
    again = sign_in.step_up(signed_in.token, accounts.code(app))
    assert fails(sign_in.step_up, again.token, accounts.code(app))[1] == "credentials"


def test_a_recovery_code_works_once(accounts, sign_in):
    """Each of the ten; fresh ones replace them all."""
    ann = accounts.user("ann")
    _, codes = accounts.totp(ann)
    assert sign_in("ann", PASSWORD, code=codes[0].lower()).second_factor
    assert fails(sign_in, "ann", PASSWORD, code=codes[0])[1] == "credentials"
    with accounts.work() as work:
        assert unused_recovery_codes(work.connection, ann.id) == 9
        fresh = renew_recovery_codes(work, ann)
    assert fails(sign_in, "ann", PASSWORD, code=codes[1])[1] == "credentials"
    assert sign_in("ann", PASSWORD, code=fresh[1]).second_factor


def test_codes_are_counted_by_themselves(accounts, sign_in):
    """Who has the password can guess five codes, and then waits, from wherever."""
    ann = accounts.user("ann")
    app, _ = accounts.totp(ann)
    for number in range(5):
        fails(sign_in, "ann", PASSWORD, code="000000", address=f"203.0.113.{number}")
    answer = fails(sign_in, "ann", PASSWORD, code=accounts.code(app), address=THERE)
    assert answer[0] == "TooManyAttempts"
    accounts.clock.advance(seconds=30)
    assert sign_in("ann", PASSWORD, code=accounts.code(app), address=THERE).second_factor


def test_step_up_gives_another_token(accounts, sign_in):
    """The old one ends; the session stays and knows when."""
    ann = accounts.user("ann")
    app, _ = accounts.totp(ann)
    first = sign_in("ann", PASSWORD, code=accounts.code(app))
    accounts.clock.advance(minutes=20)
    second = sign_in.step_up(first.token, accounts.code(app))
    assert second.session_id == first.session_id
    assert second.token != first.token
    with accounts.database.read() as connection:
        [session] = list_sessions(connection, ann.id, accounts.clock())
    assert session.stepped_up == accounts.clock()
    accounts.clock.advance(minutes=1)
    assert fails(sign_in.step_up, first.token, accounts.code(app))[1] == "session"
    accounts.clock.advance(minutes=31)
    assert fails(sign_in.step_up, second.token, accounts.code(app))[1] == "session"
    assert fails(sign_in.step_up, "tks_" + "0" * 49, accounts.code(app))[1] == "malformed"


def test_a_second_factor_counts_once_confirmed(accounts, sign_in):
    """Until then the one before goes on; a wrong code or a late one confirms nothing."""
    ann = accounts.user("ann")
    with accounts.work() as work:
        begin_totp(work, ann, accounts.sealer)
        assert not has_second_factor(work.connection, ann.id)
    assert sign_in("ann", PASSWORD).second_factor is False
    old, _ = accounts.totp(ann)
    with accounts.work() as work:
        begin_totp(work, ann, accounts.sealer)
    with pytest.raises(NotAuthenticated), accounts.work() as work:
        confirm_totp(work, ann, accounts.sealer, accounts.code(old))
    assert sign_in("ann", PASSWORD, code=accounts.code(old)).second_factor
    accounts.clock.advance(minutes=31)
    with pytest.raises(NotAuthenticated), accounts.work() as work:
        confirm_totp(work, ann, accounts.sealer, "000000")
    with accounts.work() as work:
        remove_second_factor(work, ann)
    assert not sign_in("ann", PASSWORD).second_factor
    with pytest.raises(InvalidAccess), accounts.work() as work:
        renew_recovery_codes(work, ann)
    robot = accounts.user("robot", kind="service")
    with pytest.raises(InvalidAccess), accounts.work() as work:
        begin_totp(work, robot, accounts.sealer)


def test_no_session_opens_unrecorded(accounts, sign_in):
    """If the audit log can't be written, nobody signs in."""
    ann = accounts.user("ann")
    accounts.records.fails = True
    with pytest.raises(StoreError):
        sign_in("ann", PASSWORD)
    accounts.records.fails = False
    with accounts.database.read() as connection:
        assert list_sessions(connection, ann.id, accounts.clock()) == []


def test_an_old_hash_is_renewed_at_sign_in(accounts, sign_in):
    """With parameters of today, while the password is known."""
    ann = accounts.user("ann")
    old = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1).hash(PASSWORD)
    table = UserPasswordRow.__table__
    with accounts.work() as work:
        work.connection.execute(update(UserPasswordRow).values(hash=old))
    sign_in("ann", PASSWORD)
    with accounts.database.read() as connection:
        assert "m=64,t=1,p=1" in connection.execute(select(table.c.hash)).scalar_one()
    assert sign_in("ann", PASSWORD).user_id == ann.id


def test_a_password_that_changes_meanwhile_opens_nothing(accounts, sign_in, monkeypatch):
    """What was right when it was checked isn't when the session would open."""
    ann = accounts.user("ann")
    verify = type(accounts.pool).verify

    def slow(pool, stored, password):
        done = verify(pool, stored, password)
        done.result()
        with accounts.work() as work:
            disable_user(work, ann)
        return done

    monkeypatch.setattr(type(accounts.pool), "verify", slow)
    assert fails(sign_in, "ann", PASSWORD)[1] == "credentials"


def test_users_change_their_own_password(accounts, sign_in):
    """The old one is asked for; other sessions end, this one goes on."""
    accounts.user("ann", must_change=True)
    other, this = sign_in("ann", PASSWORD), sign_in("ann", PASSWORD)
    assert this.must_change_password
    ann = Principal(user_id=this.user_id, name="ann", via="session", id=this.session_id)
    parts = (accounts.database, accounts.pool, accounts.sealer, accounts.records, ann)
    new = "walnut ladder gently fog"
    with pytest.raises(NotAuthenticated):
        change_own_password(*parts, old="wrong", new=new, clock=accounts.clock)
    with pytest.raises(PasswordRefused):
        change_own_password(*parts, old=PASSWORD, new="short", clock=accounts.clock)
    change_own_password(*parts, old=PASSWORD, new=new, clock=accounts.clock)
    assert not sign_in("ann", new).must_change_password
    assert fails(sign_in, "ann", PASSWORD)[1] == "credentials"
    with accounts.database.read() as connection:
        listed = {s.id for s in list_sessions(connection, this.user_id, accounts.clock())}
    assert this.session_id in listed
    assert other.session_id not in listed
    assert len(listed) == 2


def test_sessions_end_when_they_must(accounts, sign_in):
    """After twelve hours, whatever was done in between."""
    accounts.user("ann")
    signed_in = sign_in("ann", PASSWORD)
    with accounts.database.read() as connection:
        session = session_of(connection, bearer_digest(signed_in.token, SESSION))
    assert session is not None
    assert session.ends - session.created == timedelta(hours=12)
