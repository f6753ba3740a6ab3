"""The cache of rights: right, quick to forget, and never older than five seconds."""

import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.unit.access.accounts import PASSWORD
from tokenkit.access.bearer import SESSION, bearer_digest, new_bearer
from tokenkit.access.cache import RightsCache
from tokenkit.access.resources import NOTHING, Resource
from tokenkit.access.tables.api_keys import issue_api_key, revoke_api_key, rotate_api_key
from tokenkit.access.tables.grants import list_grants, remove_grant
from tokenkit.access.tables.roles import find_role, unassign_role
from tokenkit.access.tables.sessions import revoke_session, session_of
from tokenkit.access.tables.users import disable_user, enable_user
from tokenkit.errors import AccessStale, NotAuthenticated, StoreUnavailable
from tokenkit.store.models.access import ApiKeyRow, AttemptRow, KnownNetworkRow, SessionRow


class Breakable:
    """A database that can be cut off."""

    def __init__(self, database):
        self.database = database
        self.broken = False
        self.looks = 0

    @contextmanager
    def begin(self):
        self._look()
        with self.database.begin() as connection:
            yield connection

    @contextmanager
    def read(self):
        self._look()
        with self.database.read() as connection:
            yield connection

    def _look(self):
        self.looks += 1
        if self.broken:
            raise StoreUnavailable("cut off")


@pytest.fixture
def breakable(accounts):
    return Breakable(accounts.database)


@pytest.fixture
def cache(accounts, breakable):
    with RightsCache(breakable, monotonic=accounts.clock.monotonic, clock=accounts.clock) as made:
        yield made


@pytest.fixture
def ann(accounts):
    """A user who may tokenize and, with a second factor, detokenize."""
    role = accounts.role("worker", ("allow", "tokenize", "*"), ("allow", "detokenize", "*"))
    return accounts.user("ann", roles=[role])


def issue(accounts, user, scopes=("tokenize",), **options):
    with accounts.work() as work:
        key_id, made = issue_api_key(work, user, "billing", scopes, **options)
    return key_id, made.text


def test_sessions_and_keys_are_known(accounts, sign_in, cache, ann):
    """Who it is, and what the session's second factor and the key's scopes allow."""
    app, _ = accounts.totp(ann)
    _, key = issue(accounts, ann)
    first = sign_in("ann", PASSWORD, code=accounts.code(app))
    by_session, by_key = cache.by_session(first.token), cache.by_api_key(key)
    assert (by_session.name, by_session.actor) == ("ann", "ann")
    assert by_key.actor == f"ann api-key:{by_key.id}"
    assert cache.decide(by_session, "detokenize", NOTHING).outcome == "allow"
    assert cache.decide(by_key, "detokenize", NOTHING).reason == "outside_scope"
    accounts.clock.advance(minutes=11)
    assert cache.decide(by_session, "detokenize", NOTHING).reason == "step_up_required"
    again = sign_in.step_up(first.token, accounts.code(app))
    assert cache.decide(cache.by_session(again.token), "detokenize", NOTHING).outcome == "allow"


def test_known_ones_cost_no_look(accounts, sign_in, cache, breakable, ann):
    """Within two seconds the database isn't asked at all."""
    token = sign_in("ann", PASSWORD).token
    _, key = issue(accounts, ann)
    cache.by_session(token)
    cache.by_api_key(key)
    looks = breakable.looks
    for _ in range(100):
        cache.decide(cache.by_session(token), "tokenize", NOTHING)
        cache.decide(cache.by_api_key(key), "tokenize", NOTHING)
    assert breakable.looks == looks
    assert cache.hits == 200


@pytest.mark.parametrize(
    "change", ["session", "key", "rotated", "user", "role", "grant", "step-up"]
)
def test_a_revocation_reaches_every_worker(accounts, sign_in, ann, change):
    """Two workers that hold everything refuse within two seconds."""
    app, _ = accounts.totp(ann)
    signed_in = sign_in("ann", PASSWORD, code=accounts.code(app))
    key_id, key = issue(accounts, ann)
    accounts.clock.advance(minutes=1)
    workers = [
        RightsCache(accounts.database, monotonic=accounts.clock.monotonic, clock=accounts.clock)
        for _ in range(2)
    ]

    def allowed(worker):
        try:
            principals = [worker.by_session(signed_in.token), worker.by_api_key(key)]
        except NotAuthenticated:
            return False
        return all(worker.decide(who, "tokenize", NOTHING).allowed for who in principals)

    assert all(map(allowed, workers))
    with accounts.database.read() as connection:
        grant = list_grants(connection)[0]
    if change == "step-up":
        sign_in.step_up(signed_in.token, accounts.code(app))
    else:
        with accounts.work() as work:
            do = {
                "session": lambda: revoke_session(work, signed_in.session_id),
                "key": lambda: revoke_api_key(work, key_id),
                "rotated": lambda: rotate_api_key(work, key_id, overlap=timedelta(0)),
                "user": lambda: disable_user(work, ann),
                "role": lambda: unassign_role(work, find_role(work.connection, "worker"), ann),
                "grant": lambda: remove_grant(work, grant.id),
            }
            do[change]()
    accounts.clock.advance(seconds=2)
    assert not any(map(allowed, workers))


def test_a_disabled_user_comes_back_without_sessions(accounts, sign_in, cache, ann):
    """API keys work again, sessions stay ended."""
    token = sign_in("ann", PASSWORD).token
    _, key = issue(accounts, ann)
    with accounts.work() as work:
        disable_user(work, ann)
        enable_user(work, ann)
    assert cache.by_api_key(key).name == "ann"
    with pytest.raises(NotAuthenticated):
        cache.by_session(token)


def test_nothing_older_than_five_seconds_is_served(accounts, sign_in, cache, breakable, ann):
    """With the database cut off, answers go on until then, and come back with it."""
    token = sign_in("ann", PASSWORD).token
    ann_ = cache.by_session(token)
    breakable.broken = True
    accounts.clock.advance(seconds=4.9)
    assert cache.decide(cache.by_session(token), "tokenize", NOTHING).allowed
    accounts.clock.advance(seconds=0.1)
    for ask in (
        lambda: cache.decide(ann_, "tokenize", NOTHING),
        lambda: cache.decide_own(ann_),
        lambda: cache.by_session(token),
        lambda: cache.by_api_key(new_bearer("tkk_").text),
    ):
        with pytest.raises(AccessStale):
            ask()
    breakable.broken = False
    assert cache.decide(ann_, "tokenize", NOTHING).allowed


def test_a_cache_that_has_never_read_allows_nothing(accounts, breakable):
    """It fails closed from the start."""
    breakable.broken = True
    cache = RightsCache(breakable, clock=accounts.clock)
    with pytest.raises(AccessStale):
        cache.by_api_key(new_bearer("tkk_").text)
    with pytest.raises(StoreUnavailable):
        RightsCache(breakable, background=True)


def test_what_is_read_late_does_not_outlive_a_revocation(accounts, sign_in, ann):
    """A session that was looked up before it was revoked, and held after, isn't found again."""
    token = sign_in("ann", PASSWORD).token
    cache = RightsCache(accounts.database, monotonic=accounts.clock.monotonic, clock=accounts.clock)
    digest = bearer_digest(token, SESSION)
    with accounts.database.read() as connection:
        session = session_of(connection, digest)
    assert session is not None
    cache.by_session(token)
    held = cache._current()
    with accounts.work() as work:
        revoke_session(work, session.id)
    accounts.clock.advance(seconds=2)
    assert cache._current() is not held
    held.sessions[digest] = session, held.sessions[digest][1]
    with pytest.raises(NotAuthenticated):
        cache.by_session(token)


def test_idle_sessions_end_by_use_anywhere(accounts, sign_in, ann):
    """Half an hour without use ends one; use at another worker keeps it."""
    token = sign_in("ann", PASSWORD).token
    here, there = (
        RightsCache(accounts.database, monotonic=accounts.clock.monotonic, clock=accounts.clock)
        for _ in range(2)
    )
    for _ in range(4):
        here.by_session(token)
        there._current()
        accounts.clock.advance(minutes=20)
        here.by_session(token)
        here.refresh()
        accounts.clock.advance(minutes=5)
    assert there.by_session(token).name == "ann"
    there.refresh()
    accounts.clock.advance(minutes=31)
    for worker in (here, there):
        with pytest.raises(NotAuthenticated):
            worker.by_session(token)


def test_sessions_end_after_their_time(accounts, sign_in, cache, ann):
    """Twelve hours, however busy it was."""
    token = sign_in("ann", PASSWORD).token
    for _ in range(12 * 3 - 1):
        accounts.clock.advance(minutes=20)
        cache.by_session(token)
    accounts.clock.advance(minutes=20)
    with pytest.raises(NotAuthenticated):
        cache.by_session(token)


def test_an_expired_key_stops_by_itself(accounts, cache, ann):
    """Without any change in the database."""
    _, key = issue(accounts, ann, expires_after=timedelta(hours=1))
    assert cache.by_api_key(key).name == "ann"
    accounts.clock.advance(hours=1)
    with pytest.raises(NotAuthenticated):
        cache.by_api_key(key)


def test_last_use_is_written_once_a_minute(accounts, sign_in, cache, ann):
    """However often a key or a session is used."""
    token = sign_in("ann", PASSWORD).token
    _, key = issue(accounts, ann)
    writes = []
    write = cache._uses.write
    cache._uses.write = lambda connection: writes.append(write(connection))
    for _ in range(180):
        cache.by_api_key(key)
        cache.by_session(token)
        accounts.clock.advance(seconds=1)
    assert 4 <= sum(writes) <= 8
    cache.close()
    with accounts.database.read() as connection:
        used = connection.execute(select(ApiKeyRow.last_used)).scalar_one()
        assert accounts.clock() - used <= timedelta(minutes=1, seconds=5)
        assert connection.execute(select(SessionRow.last_used)).scalar_one() == used


def test_who_was_made_a_moment_ago_is_found(accounts, cache):
    """A valid key of a user whom the snapshot doesn't have makes the cache look again."""
    cache._current()
    bob = accounts.user("bob", kind="service")
    _, key = issue(accounts, bob)
    accounts.clock.advance(seconds=1)
    assert cache.by_api_key(key).name == "bob"


def test_what_is_held_is_bounded(accounts, ann, cache, monkeypatch):
    """More keys than fit are looked up again."""
    monkeypatch.setattr("tokenkit.access.cache.MOST_HELD", 3)
    keys = [issue(accounts, ann)[1] for _ in range(5)]
    for key in keys * 2:
        cache.by_api_key(key)
    assert len(cache._held.api_keys) <= 3


@pytest.mark.slow
def test_a_thread_keeps_it_fresh(accounts, breakable, ann):
    """In real time: callers never wait, a revocation arrives, and a cut makes it refuse."""
    key_id, key = issue(accounts, ann)
    accounts.clock.at = accounts.clock.at.replace(year=2027)
    with RightsCache(breakable, background=True, clock=accounts.clock) as cache:
        assert cache.by_api_key(key).name == "ann"
        with accounts.work() as work:
            revoke_api_key(work, key_id)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                cache.by_api_key(key)
            except NotAuthenticated:
                break
            time.sleep(0.1)
        assert time.monotonic() < deadline
        breakable.broken = True
        cut = time.monotonic()
        while time.monotonic() < cut + 10:
            try:
                cache._current()
            except AccessStale:
                break
            time.sleep(0.1)
        assert (
            2.5 < time.monotonic() - cut < 5.5 + 5
        )  # The upper bound is generous: a busy machine.
        assert [t.name for t in threading.enumerate()].count("tokenkit-rights") == 1
    assert "tokenkit-rights" not in [t.name for t in threading.enumerate()]


def test_what_no_longer_counts_is_deleted(accounts, sign_in, cache, ann):
    """Attempts after a day, addresses after three months, sessions a month after their end."""
    with pytest.raises(NotAuthenticated):
        sign_in("nobody", "wrong", address="192.0.2.1")
    sign_in("ann", PASSWORD, address="192.0.2.2")

    def rows():
        cache._purge()
        with accounts.database.read() as connection:
            return [
                len(connection.execute(select(table)).all())
                for table in (AttemptRow, KnownNetworkRow, SessionRow)
            ]

    found = [rows()]
    for days in (2, 30, 60):
        accounts.clock.advance(days=days)
        found.append(rows())
    assert found == [[2, 1, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0]]


def test_callers_do_not_pile_up_behind_a_slow_database(accounts, breakable, ann):
    """While one looks, the others go on with what is held."""
    cache = RightsCache(breakable, monotonic=accounts.clock.monotonic, clock=accounts.clock)
    _, key = issue(accounts, ann)
    who = cache.by_api_key(key)
    accounts.clock.advance(seconds=3)
    looking, go_on = threading.Event(), threading.Event()
    read = breakable.read

    @contextmanager
    def slow():
        looking.set()
        go_on.wait(20)
        with read() as connection:
            yield connection

    breakable.read = slow
    one = threading.Thread(target=cache._current)
    one.start()
    assert looking.wait(20)
    assert cache.decide(who, "tokenize", Resource(key="payments")).allowed
    go_on.set()
    one.join()
