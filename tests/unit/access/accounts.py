"""Users, roles and sessions for tests, made the short way."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyotp

from tokenkit.access.grants import Grant
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.grants import add_grant
from tokenkit.access.tables.roles import assign_role, create_role
from tokenkit.access.tables.second_factor import begin_totp, confirm_totp
from tokenkit.access.tables.users import create_user, find_user
from tokenkit.errors import StoreError

PASSWORD = "kettle paper otter moss"
START = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that tests move on."""

    def __init__(self):
        self.at = START

    def __call__(self):
        return self.at

    def monotonic(self):
        return (self.at - START).total_seconds()

    def advance(self, **by):
        self.at += timedelta(**by)


class Records:
    """An audit log in a list; fails where it is told to."""

    def __init__(self):
        self.records = []
        self.fails = False

    def append(self, connection, records):
        if self.fails:
            raise StoreError("the audit log can't be written")
        self.records += records

    def seen(self):
        return [(record.action, record.outcome, record.reason) for record in self.records]

    def text(self):
        return "\n".join(f"{record!r} {json.dumps(record.detail)}" for record in self.records)


class Accounts:
    """A database, a clock and an audit log, and changes with them."""

    def __init__(self, database, clock, records, pool, sealer):
        self.database = database
        self.clock = clock
        self.records = records
        self.pool = pool
        self.sealer = sealer
        self._hash = pool.hash(PASSWORD).result()

    @contextmanager
    def work(self, actor="root"):
        with self.database.begin() as connection:
            yield Work(connection=connection, actor=actor, auditor=self.records, at=self.clock())

    def user(self, name, *, kind="person", must_change=False, roles=()):
        with self.work() as work:
            create_user(
                work,
                name,
                kind=kind,
                password_hash=None if kind == "service" else self._hash,
                must_change_password=must_change,
            )
            user = find_user(work.connection, name)
            for role in roles:
                assign_role(work, role, user)
        return user

    def role(self, name, *grants, requires_mfa=False):
        with self.work() as work:
            role = create_role(work, name, requires_mfa=requires_mfa)
            for grant in grants:
                add_grant(work, role, grant if isinstance(grant, Grant) else Grant.build(*grant))
        return role

    def totp(self, user):
        """Set a second factor up, and give it and the recovery codes; its step is used then."""
        with self.work(user.name) as work:
            app = pyotp.TOTP(begin_totp(work, user, self.sealer))
            codes = confirm_totp(work, user, self.sealer, app.at(self.clock()))
        self.clock.advance(seconds=60)
        return app, codes

    def code(self, app):
        return app.at(self.clock())
