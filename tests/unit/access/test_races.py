"""Two at once: one succeeds, on both back ends, in threads and in processes."""

import contextlib
import os
import subprocess
import sys
import threading

import pytest
from sqlalchemy import func, select, update

from tests.unit.access.accounts import PASSWORD
from tokenkit.access.tables.changes import rights_version
from tokenkit.access.tables.roles import find_role, unassign_role
from tokenkit.access.tables.second_factor import use_code
from tokenkit.access.tables.sessions import list_sessions
from tokenkit.access.tables.users import disable_user
from tokenkit.access.totp import matching_step
from tokenkit.errors import InvalidAccess, NotAuthenticated, TooManyAttempts
from tokenkit.store.models.access import AttemptRow, UserRow

MANY = 8


def at_once(*calls):
    """Call all from threads that begin together, and give what came of each."""
    start = threading.Barrier(len(calls))
    results: list[object] = [None] * len(calls)

    def run(number, call):
        start.wait()
        try:
            results[number] = call()
        except Exception as exc:  # noqa: BLE001 - what it is, is looked at
            results[number] = exc

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def failed(results):
    return [result for result in results if isinstance(result, Exception)]


def test_one_code_signs_one_in(accounts, sign_in):
    """Of eight with the same TOTP code, one gets a session."""
    ann = accounts.user("ann")
    app, codes = accounts.totp(ann)
    for code in (accounts.code(app), codes[0]):
        # Names' and codes' counts would stop some of them earlier; the code itself must.
        results = at_once(*[lambda code=code: sign_in("ann", PASSWORD, code=code)] * 4)
        assert len(failed(results)) == 3, results
        assert {type(each) for each in failed(results)} <= {NotAuthenticated, TooManyAttempts}
        accounts.clock.advance(minutes=20)


def test_a_code_is_used_up_by_the_update_alone(accounts, monkeypatch):
    """Two that have both found the code right before either took it: one gets it."""
    ann = accounts.user("ann")
    app, _ = accounts.totp(ann)
    both = threading.Barrier(2)

    def found(*given):
        step = matching_step(*given)
        # SQLite lets one in at a time, and PostgreSQL both.
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(2)
        return step

    monkeypatch.setattr("tokenkit.access.tables.second_factor.matching_step", found)
    code, at = accounts.code(app), accounts.clock()

    def use():
        with accounts.database.begin() as connection:
            return use_code(connection, ann.id, accounts.sealer, code, at)

    assert sorted(map(str, at_once(use, use))) == ["None", "totp"]


def test_one_code_steps_one_up(accounts, sign_in):
    """Of many step-ups of one session at the same time, one gets the new token."""
    ann = accounts.user("ann")
    app, codes = accounts.totp(ann)
    token = sign_in("ann", PASSWORD, code=codes[0]).token
    code = accounts.code(app)
    calls = [lambda: sign_in.step_up(token, code)] * 2
    calls += [lambda: sign_in.step_up(token, codes[1]), lambda: sign_in.step_up(token, codes[2])]
    results = at_once(*calls)
    assert len(failed(results)) == 3, results
    with accounts.database.read() as connection:
        assert len(list_sessions(connection, ann.id, accounts.clock())) == 1


def test_attempts_at_once_are_all_counted(accounts, sign_in):
    """Thirty guesses at the same time are five, and then a wait."""
    accounts.user("ann")
    guesses = [lambda: sign_in("ann", "wrong", address="192.0.2.1")] * 30
    results = at_once(*guesses)
    kinds = [type(result) for result in results]
    assert kinds.count(NotAuthenticated) == 5
    assert kinds.count(TooManyAttempts) == 25
    with accounts.database.read() as connection:
        assert connection.execute(select(func.max(AttemptRow.failures))).scalar_one() <= 30


def test_two_administrators_cannot_remove_each_other(accounts):
    """One of them is left, whichever way they try."""
    for do in ("disable", "unassign"):
        role_name = "administrator"
        with accounts.work() as work:
            try:
                role = find_role(work.connection, role_name)
            except LookupError:
                role = None
        role = role or accounts.role(role_name)
        pair = [accounts.user(f"{do}-{number}", roles=[role]) for number in range(2)]

        def remove(user, do=do, role=role):
            with accounts.work() as work:
                if do == "disable":
                    disable_user(work, user)
                else:
                    unassign_role(work, role, user)

        results = at_once(*[lambda user=user: remove(user) for user in pair])
        assert [type(each) for each in failed(results)] == [InvalidAccess]
        with accounts.database.begin() as connection:
            connection.execute(update(UserRow).values(disabled=accounts.clock()))


BOOTSTRAP = """
import sys
from tokenkit.access.tables.bootstrap import bootstrap
from tokenkit.access.tables.changes import Work
from tokenkit.errors import AlreadyBootstrapped
from tokenkit.store.database import Database

class Quiet:
    def append(self, connection, records):
        pass

sys.stdin.readline()
with Database.open(sys.argv[1]) as database:
    try:
        with database.begin() as connection:
            bootstrap(Work(connection=connection, actor="x", auditor=Quiet()), sys.argv[2], "$x")
    except AlreadyBootstrapped:
        sys.exit(3)
"""


@pytest.mark.slow
def test_processes_that_bootstrap_at_once_make_one_administrator(accounts, database_url):
    """One ends well, the others say that it has been done."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", BOOTSTRAP, database_url, f"admin{number}"],
            stdin=subprocess.PIPE,
            env=os.environ,
        )
        for number in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    codes = sorted(process.wait(120) for process in started)
    assert codes == [0, 3, 3, 3]
    with accounts.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(UserRow)).scalar_one() == 1


@pytest.mark.parametrize("number", range(2))
def test_changes_at_once_are_all_counted(accounts, number):
    """Each change of rights gets a version of its own."""

    def change(name):
        accounts.role(f"{name}-{number}")

    with accounts.database.read() as connection:
        before = rights_version(connection)
    assert failed(at_once(*[lambda n=n: change(f"r{n}") for n in range(MANY)])) == []
    with accounts.database.read() as connection:
        assert rights_version(connection) == before + MANY
