"""Secrets of users are in no table, record, error, repr or log."""

import hashlib
import logging

import pyotp
import pytest
from sqlalchemy import inspect, text

from tests.unit.access.accounts import PASSWORD, Accounts, Clock, Records
from tokenkit.access.cache import RightsCache
from tokenkit.access.hashing import PasswordPool
from tokenkit.access.own_password import change_own_password
from tokenkit.access.sealing import Sealer, access_key
from tokenkit.access.sign_in import SignIn
from tokenkit.access.tables.api_keys import issue_api_key, rotate_api_key
from tokenkit.errors import StoreError, TokenkitError
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.store.database import Database

NEW = "walnut ladder gently fog"
TYPED = "my-mistyped-secret-password"


def dump(database):
    """Give every cell of every table."""
    with database.read() as connection:
        names = inspect(connection).get_table_names()
        cells = []
        for name in names:
            for row in connection.execute(text(f'SELECT * FROM "{name}"')):
                cells += [cell if isinstance(cell, bytes) else str(cell).encode() for cell in row]
        return names, b"\n".join(cells)


def test_no_secret_is_anywhere(database, caplog):
    """Passwords, tokens, keys, TOTP secrets, codes: in clear, in hex, or as a plain hash of what
    could be guessed."""
    caplog.set_level(logging.DEBUG)
    secrets, came_out = {PASSWORD, NEW, TYPED}, []

    def attempt(call):
        try:
            result = call()
        except TokenkitError as error:
            came_out.append(f"{error} {error!r} {error.args!r} {vars(error)!r}")
            assert error.__cause__ is None
            return None
        came_out.append(repr(result))
        return result

    with keyring_from_bytes({"access": bytes(range(32))}) as ring, PasswordPool() as pool:
        clock, records = Clock(), Records()
        accounts = Accounts(database, clock, records, pool, Sealer(access_key(ring)))
        sign_in = SignIn(database, pool, accounts.sealer, records, clock=clock)
        cache = RightsCache(database, monotonic=clock.monotonic, clock=clock)
        ann = accounts.user("ann", roles=[accounts.role("worker", ("allow", "tokenize", "*"))])
        app, codes = accounts.totp(ann)
        secrets |= {app.secret, *codes, *(code.replace("-", "") for code in codes)}
        for name, password, code in [
            ("ann", TYPED, None),
            (TYPED, PASSWORD, None),
            ("ann", PASSWORD, None),
            ("ann", PASSWORD, "000000"),
            ("ann", PASSWORD, codes[0]),
            ("ann", PASSWORD, codes[0]),
        ]:
            signed_in = attempt(lambda n=name, p=password, c=code: sign_in(n, p, code=c)) or None
            if signed_in is not None:
                secrets.add(signed_in.token)
                token = signed_in.token
        stepped = attempt(lambda: sign_in.step_up(token, pyotp.TOTP(app.secret).at(clock())))
        attempt(lambda: sign_in.step_up(token, codes[1]))
        secrets.add(stepped.token)
        principal = attempt(lambda: cache.by_session(stepped.token))
        with accounts.work() as work:
            key_id, made = issue_api_key(work, ann, "billing", ["tokenize"])
            _, fresh = rotate_api_key(work, key_id)
            came_out.append(f"{made!r} {fresh!r} {work!r}")
        secrets |= {made.text, fresh.text}
        attempt(lambda: cache.by_api_key(fresh.text))
        attempt(lambda: cache.by_api_key(fresh.text[:-1] + "!"))

        def change():
            change_own_password(
                database,
                pool,
                accounts.sealer,
                records,
                principal,
                old=PASSWORD,
                new=NEW,
                clock=clock,
            )

        attempt(change)
        attempt(change)
        came_out += [repr(each) for each in (sign_in, cache, pool, accounts.sealer, cache._held)]
        names, cells = dump(database)
    assert {"user_passwords", "user_totp", "sessions", "api_keys"} <= set(names)
    assert ann.name.encode() in cells
    log = "\n".join([*came_out, records.text(), caplog.text]).encode()
    for secret in secrets:
        forms = [secret.encode(), secret.encode().hex().encode()]
        for form in forms:
            assert form not in cells, "in a table"
            assert form not in log, "in an error, a repr, a record or a log"
        # What has little entropy isn't there as a plain hash either.
        if secret in {PASSWORD, NEW, TYPED, app.secret}:
            for kind in (hashlib.sha256, hashlib.sha1, hashlib.md5):
                assert kind(secret.encode()).digest() not in cells


@pytest.mark.parametrize("table", ["user_passwords", "user_totp", "recovery_codes"])
def test_a_reader_of_the_store_sees_no_secret(postgresql, table):
    """PostgreSQL refuses tables of secrets to the reading and the writing role."""
    for url in (postgresql.reader_url, postgresql.writer_url):
        with (
            Database.open(url) as database,
            pytest.raises(StoreError),
            database.read() as connection,
        ):
            connection.execute(text(f"SELECT * FROM {table}"))


def rows(url, query):
    with Database.open(url) as database, database.begin() as connection:
        return connection.execute(text(query))


def test_what_each_role_may_do(postgresql):
    """The reader sees who may do what; the writer of records nothing; neither changes anything."""
    for readable in (
        "SELECT * FROM users",
        "SELECT * FROM grants",
        "SELECT id, user_id, ends FROM sessions",
        "SELECT id, scopes, last_used FROM api_keys",
    ):
        rows(postgresql.reader_url, readable)
        with pytest.raises(StoreError):
            rows(postgresql.writer_url, readable)
    for refused in (
        "SELECT digest FROM sessions",
        "SELECT digest FROM api_keys",
        "SELECT subject FROM sign_in_attempts",
        "UPDATE users SET disabled = NULL",
        "INSERT INTO role_members SELECT NULL, 1, now(), ''",
        "DELETE FROM grants",
        "UPDATE access_state SET bootstrapped = NULL",
    ):
        for url in (postgresql.reader_url, postgresql.writer_url):
            with pytest.raises(StoreError):
                rows(url, refused)


def test_the_service_works_with_its_roles(postgresql):
    """tokenkit_service and tokenkit_writer are all that access needs; neither undoes a bootstrap's
    row or deletes a user."""
    server = postgresql.server
    server.execute(
        "DO $$ BEGIN CREATE USER ann_service IN ROLE tokenkit_writer, tokenkit_service; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    url = server.url(postgresql.name, "ann_service")
    with (
        keyring_from_bytes({"access": bytes(range(32))}) as ring,
        PasswordPool() as pool,
        Database.open(url) as database,
    ):
        clock, records = Clock(), Records()
        accounts = Accounts(database, clock, records, pool, Sealer(access_key(ring)))
        role = accounts.role("worker", ("allow", "tokenize", "*"))
        ann = accounts.user("ann", roles=[role])
        app, _ = accounts.totp(ann)
        sign_in = SignIn(database, pool, accounts.sealer, records, clock=clock)
        token = sign_in("ann", PASSWORD, code=app.at(clock())).token
        with RightsCache(database, monotonic=clock.monotonic, clock=clock) as cache:
            assert cache.by_session(token).name == "ann"
    for refused in ("DELETE FROM users", "DELETE FROM access_state", "DROP TABLE users"):
        with pytest.raises(StoreError):
            rows(url, refused)
