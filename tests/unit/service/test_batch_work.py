"""Who works on batches, as the settings say; what is secret in them isn't shown."""

from __future__ import annotations

import pytest

from tokenkit.errors import InvalidRequest
from tokenkit.keys import create_keyring, use_keyring
from tokenkit.service.batch_work import working_on_batches
from tokenkit.service.settings import ServiceSettings

TOKEN = "CANARY-dagster-token"


def test_the_token_of_dagster_is_not_shown():
    """It comes from the environment, and is in no repr."""
    found = ServiceSettings.from_environment(
        {
            "TOKENKIT_SERVICE_DAGSTER_URL": "https://dagster.example",
            "TOKENKIT_SERVICE_DAGSTER_TOKEN": TOKEN,
        }
    )
    assert (found.dagster_url, found.dagster_token) == ("https://dagster.example", TOKEN)
    assert found.dagster_location == "tokenkit"
    assert TOKEN not in repr(found)


def test_a_token_in_clear_is_refused_at_the_start(tmp_path, monkeypatch):
    """Rather than sent over the network at the first batch."""
    monkeypatch.setenv("B_PASSPHRASE", "correct horse")
    ring = tmp_path / "keyring.json"
    create_keyring(ring, ["access", "audit"], "passphrase:env:B_PASSPHRASE").close()
    monkeypatch.setenv("TOKENKIT_KEYRING", str(ring))
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:B_PASSPHRASE")
    settings = ServiceSettings(
        database_url=f"sqlite:///{tmp_path / 'tokenkit.db'}",
        batches=str(tmp_path / "batches"),
        dagster_url="http://dagster.example",
        dagster_token=TOKEN,
    )
    with (
        use_keyring(ring, "passphrase:env:B_PASSPHRASE"),
        pytest.raises(InvalidRequest) as raised,
        working_on_batches(settings),
    ):
        pass
    assert TOKEN not in str(raised.value)
