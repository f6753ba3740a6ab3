"""What the tests of the service's own tables share."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from tests.redis_server import redis_server  # noqa: F401 - a fixture
from tests.unit.access.accounts import START, Clock
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.store.models.access import UserRow


@pytest.fixture
def clock():
    """Give a clock."""
    return Clock()


@pytest.fixture
def ring():
    """Give a keyring with a key that seals and one that makes tokens."""
    with keyring_from_bytes(
        {"access": bytes(range(32)), "payments": bytes(range(1, 33))}
    ) as opened:
        yield opened


@pytest.fixture
def callers(database) -> tuple[UUID, UUID]:
    """Make two users."""
    made = (uuid4(), uuid4())
    with database.begin() as connection:
        for number, each in enumerate(made):
            connection.execute(
                insert(UserRow).values(
                    id=each, name=f"app{number}", kind="service", created=START, created_by="x"
                )
            )
    return made
