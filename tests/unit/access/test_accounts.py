"""Users, roles, grants, API keys and sessions in the tables, on both back ends."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from tests.unit.access.accounts import PASSWORD
from tokenkit.access.bearer import API_KEY, bearer_digest
from tokenkit.access.grants import Grant
from tokenkit.access.tables.api_keys import (
    api_key_of,
    find_api_key,
    issue_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from tokenkit.access.tables.bootstrap import bootstrap
from tokenkit.access.tables.changes import rights_version
from tokenkit.access.tables.grants import add_grant, list_grants, remove_grant
from tokenkit.access.tables.roles import (
    assign_role,
    change_role,
    delete_role,
    find_role,
    list_roles,
    members,
    unassign_role,
)
from tokenkit.access.tables.sessions import (
    SessionLimits,
    list_sessions,
    open_session,
    purge_sessions,
    revoke_session,
)
from tokenkit.access.tables.users import (
    create_user,
    disable_user,
    enable_user,
    find_user,
    list_users,
    set_password,
)
from tokenkit.errors import (
    AccountExists,
    AlreadyBootstrapped,
    InvalidAccess,
    StoreError,
    UnknownAccount,
)
from tokenkit.store.models.access import ApiKeyRow, UserRow


def version(accounts):
    with accounts.database.read() as connection:
        return rights_version(connection)


def test_users_are_found_by_name_in_any_case(accounts):
    """Two writings of a name are one user, and a name is taken once."""
    made = accounts.user("Ann@Example.org")
    with accounts.database.read() as connection:
        assert find_user(connection, "ANN@example.org") == made
        with pytest.raises(UnknownAccount):
            find_user(connection, "bob")
    with pytest.raises(AccountExists):
        accounts.user("ann@example.ORG")
    accounts.user("robot", kind="service")
    with accounts.database.read() as connection:
        assert [user.name for user in list_users(connection)] == ["ann@example.org", "robot"]


def test_a_service_has_no_password(accounts):
    """It has API keys, and can't sign in."""
    robot = accounts.user("robot", kind="service")
    with pytest.raises(InvalidAccess), accounts.work() as work:
        create_user(work, "other", kind="service", password_hash="$argon2id$")
    with pytest.raises(InvalidAccess), accounts.work() as work:
        set_password(work, robot, "$argon2id$", must_change=False)


def test_every_change_is_recorded_and_counted(accounts):
    """Users, passwords, roles, grants, keys and sessions: who did it, and the version goes up."""
    changes = {}

    def change(expected, do):
        before = version(accounts)
        with accounts.work("root") as work:
            result = do(work)
        after = accounts.records.records[-1]
        assert (after.action, after.actor, after.outcome) == (expected, "root", "complete")
        changes[expected] = version(accounts) > before
        return result

    ann = accounts.user("ann")
    change("user.create", lambda w: create_user(w, "bob"))
    change("user.password", lambda w: set_password(w, ann, "$x", must_change=True))
    role = accounts.role("support")
    change("role.change", lambda w: change_role(w, role, requires_mfa=True))
    grant = Grant.build("deny", "detokenize", "key:payments")
    number = change("grant.add", lambda w: add_grant(w, role, grant))
    change("role.assign", lambda w: assign_role(w, role, ann))
    change("role.unassign", lambda w: unassign_role(w, role, ann))
    assert change("grant.remove", lambda w: remove_grant(w, number)) == grant
    change("role.delete", lambda w: delete_role(w, role))
    key, _ = change("api-key.issue", lambda w: issue_api_key(w, ann, "billing", ["tokenize"]))
    key, _ = change("api-key.rotate", lambda w: rotate_api_key(w, key))
    change("api-key.revoke", lambda w: revoke_api_key(w, key))
    with accounts.work() as work:
        session, _ = open_session(work, ann.id, SessionLimits(), second_factor=False)
    change("session.revoke", lambda w: revoke_session(w, session))
    change("user.disable", lambda w: disable_user(w, ann))
    change("user.enable", lambda w: enable_user(w, ann))
    assert all(changes.values()), changes
    assert accounts.records.records[-4].object == f"api-key:{key}"


def test_a_change_that_cannot_be_recorded_does_not_happen(accounts):
    """The audit record is in the same transaction."""
    accounts.records.fails = True
    with pytest.raises(StoreError):
        accounts.user("ann")
    accounts.records.fails = False
    with accounts.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(UserRow)).scalar_one() == 0
        assert rights_version(connection) == 1


def test_roles_and_their_members(accounts):
    """Made, listed, assigned twice without harm, taken away, deleted with all that hung on them."""
    role = accounts.role("support", ("masked", "detokenize", "*"), requires_mfa=True)
    with pytest.raises(AccountExists):
        accounts.role("support")
    ann = accounts.user("ann", roles=[role, role])
    with accounts.database.read() as connection:
        assert list_roles(connection) == [role] == [find_role(connection, "support")]
        assert members(connection) == {role.id: ["ann"]}
    with accounts.work() as work:
        unassign_role(work, role, ann)
    with pytest.raises(UnknownAccount), accounts.work() as work:
        unassign_role(work, role, ann)
    with accounts.work() as work:
        assign_role(work, role, ann)
        delete_role(work, role)
    with accounts.database.read() as connection:
        assert (list_roles(connection), members(connection), list_grants(connection)) == (
            [],
            {},
            [],
        )


def test_grants_come_back_as_they_were(accounts):
    """No purpose, any purpose and named ones are three things; a grant is there once."""
    grants = [
        Grant.build("allow", "detokenize", "key:a"),
        Grant.build("allow", "detokenize", "key:b", purposes=[]),
        Grant.build("allow", "detokenize", "column:orders/*", purposes=["refund", "fraud-review"]),
        Grant.build("deny", "*", "*"),
    ]
    role = accounts.role("mixed", *grants)
    with accounts.database.read() as connection:
        assert [found.grant for found in list_grants(connection, role)] == grants
    with pytest.raises(AccountExists), accounts.work() as work:
        add_grant(work, role, Grant.build("allow", "detokenize", "key:a", purposes=[]))
    with pytest.raises(UnknownAccount), accounts.work() as work:
        remove_grant(work, 4711)


def test_the_last_administrator_stays(accounts):
    """Neither disabled nor without the role; a disabled one and a service don't count."""
    with accounts.work() as work:
        bootstrap(work, "ann", accounts._hash)
    with accounts.database.read() as connection:
        ann = find_user(connection, "ann")
        role = find_role(connection, "administrator")
    bob = accounts.user("bob", roles=[role])
    accounts.user("robot", kind="service", roles=[role])
    with accounts.work() as work:
        disable_user(work, bob)
    for do in (
        lambda work: disable_user(work, ann),
        lambda work: unassign_role(work, role, ann),
        lambda work: delete_role(work, role),
    ):
        with pytest.raises(InvalidAccess) as caught, accounts.work() as work:
            do(work)
        assert caught.value.reason == "last_administrator"
    with accounts.work() as work:
        enable_user(work, bob)
        disable_user(work, ann)


def test_bootstrap_works_once(accounts):
    """It makes the roles and one administrator; later attempts change nothing."""
    role = accounts.role("auditor")
    with accounts.work() as work:
        bootstrap(work, "ann", accounts._hash)
    with pytest.raises(AlreadyBootstrapped), accounts.work() as work:
        bootstrap(work, "eve", accounts._hash)
    with accounts.database.read() as connection:
        assert [user.name for user in list_users(connection)] == ["ann"]
        assert len(list_roles(connection)) == 6
        assert list_grants(connection, role) == []
        administrator = find_role(connection, "administrator")
        assert members(connection) == {administrator.id: ["ann"]}
        assert administrator.requires_mfa


def test_api_keys_are_kept_as_hashes(accounts):
    """The text is nowhere in the table but for its first characters."""
    ann = accounts.user("ann")
    with accounts.work() as work:
        key_id, made = issue_api_key(
            work, ann, "billing", ["tokenize"], expires_after=timedelta(days=30)
        )
    with accounts.database.read() as connection:
        row = connection.execute(select(ApiKeyRow.__table__)).one()
        assert made.text not in repr(row)
        assert row.shown == made.text[:10]
        found = api_key_of(connection, bearer_digest(made.text, API_KEY))
        assert found == find_api_key(connection, key_id)
        assert found.works(accounts.clock())
        assert not found.works(accounts.clock() + timedelta(days=30))
        assert list_api_keys(connection, ann) == list_api_keys(connection) == [found]


def test_api_keys_that_cannot_be_meant_are_refused(accounts):
    """No scope, an unknown one, an odd name, an end in the past."""
    ann = accounts.user("ann")
    for name, scopes, after in (
        ("billing", [], None),
        ("billing", ["everything"], None),
        ("\x1b[31m", ["tokenize"], None),
        ("billing", ["tokenize"], timedelta(0)),
    ):
        with pytest.raises(InvalidAccess), accounts.work() as work:
            issue_api_key(work, ann, name, scopes, expires_after=after)
    with pytest.raises(UnknownAccount), accounts.work() as work:
        revoke_api_key(work, uuid4())


def test_rotation_overlaps(accounts):
    """Old and new key work together for a while; the old one's own end stays; once is enough."""
    ann = accounts.user("ann")
    with accounts.work() as work:
        old, _ = issue_api_key(work, ann, "billing", ["tokenize"], expires_after=timedelta(days=30))
    accounts.clock.advance(days=29, hours=12)
    with accounts.work() as work:
        new, made = rotate_api_key(work, old, overlap=timedelta(days=1))
    with accounts.database.read() as connection:
        before, after = find_api_key(connection, old), find_api_key(connection, new)
        assert before.ends == before.created + timedelta(days=30)
        assert before.successor_id == new
        assert (after.name, after.scopes, after.user_id) == (
            before.name,
            before.scopes,
            before.user_id,
        )
        assert after.ends == accounts.clock() + timedelta(days=30)
        assert api_key_of(connection, made.digest) == after
        assert before.works(accounts.clock())
        assert after.works(accounts.clock())
    with pytest.raises(InvalidAccess), accounts.work() as work:
        rotate_api_key(work, old)
    with accounts.work() as work:
        rotate_api_key(work, new, overlap=timedelta(0))
    with accounts.database.read() as connection:
        assert not find_api_key(connection, new).works(accounts.clock())


def test_sessions_are_listed_and_purged(accounts, sign_in):
    """Those that haven't ended, the latest first; purging leaves them."""
    ann = accounts.user("ann")
    first = sign_in("ann", PASSWORD)
    accounts.clock.advance(hours=1)
    second = sign_in("ann", PASSWORD)
    with accounts.database.read() as connection:
        listed = [s.id for s in list_sessions(connection, ann.id, accounts.clock())]
    assert listed == [second.session_id, first.session_id]
    with pytest.raises(UnknownAccount), accounts.work() as work:
        revoke_session(work, first.session_id, of_user=uuid4())
    accounts.clock.advance(hours=11, minutes=30)
    with accounts.work() as work:
        assert purge_sessions(work.connection, accounts.clock()) == 1
        assert [s.id for s in list_sessions(work.connection, ann.id, accounts.clock())] == [
            second.session_id
        ]


@pytest.mark.parametrize(
    "limits",
    [(timedelta(seconds=30), timedelta(hours=1)), (timedelta(hours=2), timedelta(hours=1))],
)
def test_session_limits_that_cannot_be_kept_are_refused(limits):
    """Use is written down once a minute, so idle time is no shorter than two."""
    with pytest.raises(InvalidAccess):
        SessionLimits(*limits)
