"""What the tests of access share."""

import pytest
from argon2 import PasswordHasher

from tests.unit.access.accounts import Accounts, Clock, Records
from tokenkit.access.hashing import PasswordPool
from tokenkit.access.sealing import Sealer, access_key
from tokenkit.access.sign_in import SignIn
from tokenkit.hazmat import keyring_from_bytes


@pytest.fixture(scope="session")
def pool():
    """Hash passwords with the real parameters."""
    with PasswordPool() as made:
        yield made


@pytest.fixture(scope="session")
def quick_pool():
    """Hash them with parameters that cost nothing, where hashing isn't what is tested."""
    with PasswordPool() as made:
        made._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        made._nobody = made._hasher.hash("nobody's")
        yield made


@pytest.fixture
def keyring():
    """Give a keyring with a key to seal with."""
    with keyring_from_bytes({"access": bytes(range(32))}) as ring:
        yield ring


@pytest.fixture
def accounts(database, quick_pool, keyring):
    """Give a database of each back end, with what changes it."""
    return Accounts(database, Clock(), Records(), quick_pool, Sealer(access_key(keyring)))


@pytest.fixture
def sign_in(accounts):
    """Sign in to it."""
    return SignIn(
        accounts.database, accounts.pool, accounts.sealer, accounts.records, clock=accounts.clock
    )
