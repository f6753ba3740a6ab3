"""PostgreSQL, on a real server."""

import psycopg
import pytest

from tests.integration.connectors.postgresql_system import PostgresSystem
from tokenkit.testing.connectors import SinkConformance, SourceConformance


@pytest.fixture
def system(empty_postgresql):
    """Give a database of its own, of which the URL holds a password."""
    with psycopg.connect(empty_postgresql.url, prepare_threshold=None) as connection:
        yield PostgresSystem(empty_postgresql.url, connection)


class TestSource(SourceConformance):
    """The kit's tests of sources."""

    @pytest.fixture
    def system(self, system):
        return system


class TestSink(SinkConformance):
    """The kit's tests of sinks."""

    @pytest.fixture
    def system(self, system):
        return system
