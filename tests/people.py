"""People who use a running service in tests, made the short way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import pyotp

from tokenkit.access.grants import Grant
from tokenkit.access.hashing import PasswordPool
from tokenkit.access.sealing import Sealer, access_key
from tokenkit.access.tables.bootstrap import bootstrap
from tokenkit.access.tables.grants import add_grant
from tokenkit.access.tables.roles import assign_role, create_role, find_role
from tokenkit.access.tables.second_factor import begin_totp, confirm_totp
from tokenkit.access.tables.sessions import SessionLimits, open_session
from tokenkit.access.tables.users import create_user, find_user

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from tests.services import Service

PASSWORD = "kettle paper otter moss"


@cache
def password_hash() -> str:
    """Hash the password once for all."""
    with PasswordPool(workers=1) as pool:
        return pool.hash(PASSWORD).result()


@dataclass
class Person:
    """Somebody with a session."""

    service: Service
    name: str
    token: str
    app: pyotp.TOTP | None
    codes: list[str]

    def ask(
        self, method: str, path: str, body: object = None, **query: str | int
    ) -> httpx.Response:
        """Send a request in the session."""
        return self.service.client.request(
            method,
            path,
            json=body,
            params=query or None,
            headers={"authorization": f"Bearer {self.token}"},
        )


def presets(service: Service) -> None:
    """Make the roles to start with, and an administrator."""
    with service.work() as work:
        bootstrap(work, "root", password_hash())


def person(
    service: Service,
    name: str,
    *grants: tuple[str, ...] | Grant,
    roles: Iterable[str] = (),
    second_factor: bool = True,
    fresh: bool = True,
    must_change: bool = False,
    there: bool = False,
) -> Person:
    """Make a person with a role of these grants, and open a session.

    Parameters
    ----------
    service, name, grants, roles
        Where, who, and what may be done, by a role of its own and by others.
    second_factor
        Whether a second factor is set up.
    fresh
        Whether the session has seen it.
    must_change
        Whether the password is to be changed.
    there
        Whether the user is there already.
    """
    codes: list[str] = []
    app = None
    with service.work() as work:
        if not there:
            create_user(work, name, password_hash=password_hash(), must_change_password=must_change)
        user = find_user(work.connection, name)
        if grants:
            role = create_role(work, f"role-of-{name}")
            for grant in grants:
                add_grant(work, role, grant if isinstance(grant, Grant) else Grant.build(*grant))
            assign_role(work, role, user)
        for each in roles:
            assign_role(work, find_role(work.connection, each), user)
        if second_factor:
            sealer = Sealer(access_key(service.keyring))
            app = pyotp.TOTP(begin_totp(work, user, sealer))
            # The code of the step before, so that this step's can still be used.
            codes = confirm_totp(work, user, sealer, app.at(datetime.now(UTC).timestamp() - 30))
        _, made = open_session(
            work, user.id, SessionLimits(), second_factor=second_factor and fresh
        )
    service.state.rights.refresh()
    return Person(service, name, made.text, app, codes)
