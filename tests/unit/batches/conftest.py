"""Batches to test with."""

from __future__ import annotations

from uuid import UUID

import pytest

from tokenkit.batches.storage import BatchStorage, new_batch_key
from tokenkit.keys import Keyring

BATCH = UUID(int=0x7B)


@pytest.fixture
def storage(tmp_path):
    return BatchStorage.open(str(tmp_path / "batches"))


@pytest.fixture
def key():
    return new_batch_key()


@pytest.fixture
def ring():
    with Keyring.from_secrets({"people": bytes(range(32)), "access": bytes(32)}) as opened:
        yield opened


def upload(storage, key, content, batch=BATCH):
    """Upload something as a whole."""
    writer = storage.upload(batch, key)
    writer.write(content)
    writer.complete()
