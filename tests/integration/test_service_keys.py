"""Keys over HTTP: what is shown, and a rotation that every worker takes up."""

from __future__ import annotations

import time

import pytest

from tests.people import person
from tests.services import running, said
from tokenkit.keys import create_keyring, open_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider

CARD = "4539578763621486"
COLUMN = {"policy": "orders", "column": "card"}


@pytest.fixture
def kek(monkeypatch):
    """Give a key-encryption key that costs little."""
    monkeypatch.setenv("S_PASSPHRASE", "correct horse battery staple")
    return PassphraseProvider("env:S_PASSPHRASE", cost=2**10)


@pytest.fixture
def file(tmp_path, kek):
    """Give a keyring's file."""
    path = tmp_path / "keyring.json"
    create_keyring(path, ["payments", "people", "audit", "access"], kek).close()
    return path


def test_a_rotation_is_saved_and_taken_up_by_every_worker(database_url, tmp_path, file, kek):
    """Two workers: one rotates, both make tokens with the new version within five seconds, and
    both still turn the old ones back."""
    with (
        running(database_url, tmp_path / "a", keyring=open_keyring(file, kek)) as one,
        running(database_url, tmp_path / "b", keyring=open_keyring(file, kek)) as other,
    ):
        officer = person(one, "officer", ("allow", "keys.*", "*"))
        key = one.caller(("allow", "tokenize", "*"), ("allow", "detokenize", "*"))
        other.state.rights.refresh()
        body = {**COLUMN, "value": CARD}
        before = other.post("/v1/tokenize", body, key).json()
        assert before["version"] == 1
        answer = officer.ask("POST", "/v1/keys/payments/rotate")
        assert answer.status_code == 201, answer.text
        assert (answer.json()["primary"], len(answer.json()["versions"])) == (2, 2)
        after = one.post("/v1/tokenize", body, key).json()
        assert after["version"] == 2
        assert after["token"] != before["token"]
        until = time.monotonic() + 5
        while (seen := other.post("/v1/tokenize", body, key).json())["version"] == 1:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert seen == after
        for service in (one, other):
            for made in (before, after):
                asked = {**COLUMN, "value": made["token"], "version": made["version"]}
                assert service.post("/v1/detokenize", asked, key).json()["value"] == CARD
        rows = one.audited("key.rotate")
        assert [(row["outcome"], row["key"]) for row in rows] == [
            ("prepared", "payments"),
            ("complete", "payments"),
        ]
        assert rows[1]["key_id"] == answer.json()["versions"][1]["id"]
        assert {row["key_id"] for row in one.audited("key.load")} >= {rows[1]["key_id"]}
    with open_keyring(file, kek) as ring:
        assert ring["payments"].primary_number == 2


def test_a_rotation_at_the_command_line_is_taken_up_too(tmp_path, file, kek):
    """The file is followed, whoever saves it; one that can't be opened changes nothing."""
    url = f"sqlite:///{tmp_path / 'tokenkit.db'}"
    with running(url, tmp_path, keyring=open_keyring(file, kek)) as service:
        key = service.caller(("allow", "tokenize", "*"))
        with open_keyring(file, kek) as ring:
            ring.rotate("payments")
            ring.save()
        content = file.read_bytes()
        file.write_bytes(b"{}")
        time.sleep(2.5)
        body = {**COLUMN, "value": CARD}
        assert service.post("/v1/tokenize", body, key).json()["version"] == 1
        file.write_bytes(content)
        service.state.keys.look()
        assert service.post("/v1/tokenize", body, key).json()["version"] == 2


def test_keys_are_shown_without_bytes(tmp_path, file, kek):
    """Names, versions and states, of those keys that the caller may read."""
    url = f"sqlite:///{tmp_path / 'tokenkit.db'}"
    with running(url, tmp_path, keyring=open_keyring(file, kek)) as service:
        officer = person(service, "officer", ("allow", "keys.read", "key:p*"))
        items = officer.ask("GET", "/v1/keys").json()["items"]
        assert [one["name"] for one in items] == ["payments", "people"]
        (version,) = items[0]["versions"]
        assert set(version) == {
            *("version", "id", "check_value", "kind", "state"),
            *("created", "primary_since", "disabled", "destroyed"),
        }
        assert version["check_value"] == service.keyring["payments"].primary.check_value.hex()
        answers = [officer.ask("GET", f"/v1/keys/{name}") for name in ("audit", "nothing")]
        assert {answer.status_code for answer in answers} == {404}
        assert said(answers[0]) == said(answers[1])


def test_a_keyring_in_memory_cannot_be_rotated(quick_service):
    """There is no file to save it to, and the log has both the intent and the failure."""
    officer = person(quick_service, "officer", ("allow", "keys.*", "*"))
    answer = officer.ask("POST", "/v1/keys/payments/rotate")
    assert (answer.status_code, answer.json()["reason"]) == (422, "in_memory")
    rows = quick_service.audited("key.rotate")
    assert [row["outcome"] for row in rows] == ["prepared", "failed"]
