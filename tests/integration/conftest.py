"""A store that jobs record in, on each back end."""

import pytest

from tests.integration.object_store import (  # noqa: F401 - fixtures are found here
    proxy,
    s3,
    s3_bucket,
    s3_server,
)
from tests.integration.recorded_jobs import COLUMNS, ROWS
from tests.integration.stored import Stored
from tests.services import quick_service, service  # noqa: F401 - fixtures are found here
from tokenkit.jobs import Job
from tokenkit.keys import Keyring
from tokenkit.lineage import use_recorder
from tokenkit.policy import Policy
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.recording import StoreRecorder


@pytest.fixture
def ring():
    """Give a keyring of two keys."""
    secrets = {"payments": bytes(range(32)), "people": bytes(range(1, 33))}
    with Keyring.from_secrets(secrets) as opened:
        yield opened


@pytest.fixture
def recorder(database):
    """Give a recorder to the store."""
    return StoreRecorder(database, AuditLog(database), audit_key)


@pytest.fixture
def stored(database, recorder):
    """Let jobs be recorded in the store, and give what it holds."""
    with use_recorder(recorder):
        yield Stored(database)


@pytest.fixture
def job(ring, tmp_path):
    """Make a job over files of the test's folder."""

    def making(operation="tokenize", source="a.csv", target="b.parquet", columns=None, **options):
        if operation == "tokenize":
            options["policy"] = Policy.from_mapping(
                {"columns": columns or COLUMNS, "unlisted": "keep"}
            )
        return Job(
            operation=operation,
            source=tmp_path / source,
            target=None if target is None else tmp_path / target,
            keyring=ring,
            **options,
        )

    (tmp_path / "a.csv").write_text(ROWS)
    return making
