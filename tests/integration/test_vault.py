"""Vault KEKs against an HTTP fake with Transit's documented answers and errors."""

import base64
import json
import secrets
import time
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.integration.http_fake import served
from tokenkit.errors import KekNotConfigured, KeyProviderError, WrongKek
from tokenkit.keys import Stanza, create_keyring, open_keyring, providers
from tokenkit.keys.providers import vault

TOKEN = "hvs.made-up-token"
# What only one provider has is tested too.
resolve: Any = providers.resolve
FILE_KEY = bytes(range(32))


class Transit:
    """Transit's datakey and decrypt endpoints."""

    def __init__(self):
        self.keys = {"kek": AESGCM(secrets.token_bytes(32)), "other": AESGCM(bytes(32))}
        self.instead = None
        self.asked = []

    def __call__(self, path, headers, body):
        self.asked.append(path)
        if self.instead is not None:
            return self.instead
        if headers["X-Vault-Token"] != TOKEN:
            return self.error(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token")
        mount, *_, operation, name = path.removeprefix("/v1/").split("/")
        if mount != "transit":
            return self.error(404, f'no handler for route "{path}". route entry not found.')
        if name not in self.keys:
            return self.error(400, "encryption key not found")
        asked = json.loads(body)
        if operation == "plaintext":
            assert asked == {"bits": 256}
            key, nonce = secrets.token_bytes(32), secrets.token_bytes(12)
            sealed = base64.b64encode(nonce + self.keys[name].encrypt(nonce, key, None)).decode()
            return self.data(
                plaintext=base64.b64encode(key).decode(), ciphertext=f"vault:v1:{sealed}"
            )
        found = base64.b64decode(asked["ciphertext"].split(":")[2])
        try:
            key = self.keys[name].decrypt(found[:12], found[12:], None)
        except InvalidTag:
            return self.error(400, "cipher: message authentication failed")
        return self.data(plaintext=base64.b64encode(key).decode())

    def data(self, **found):
        return 200, json.dumps({"request_id": "1", "data": found}).encode()

    def error(self, status, text):
        return status, json.dumps({"errors": [text]}).encode()


@pytest.fixture
def transit(monkeypatch):
    """Give the fake and its address, in the environment as Vault's own tools read it."""
    fake = Transit()
    with served(fake) as address:
        monkeypatch.setenv("VAULT_ADDR", address)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        yield fake


def test_a_keyring_behind_vault(transit, tmp_path):
    """A keyring is created and opened again, and the token stands nowhere."""
    kek = resolve("vault:transit/kek")
    create_keyring(tmp_path / "k.json", ["payments"], kek).close()
    with open_keyring(tmp_path / "k.json", kek) as ring:
        assert ring.names == ("payments",)
    assert TOKEN not in kek.describe() + repr(kek) + (tmp_path / "k.json").read_text()
    assert transit.asked == ["/v1/transit/datakey/plaintext/kek", "/v1/transit/decrypt/kek"]


def test_the_wrong_key_and_damage(transit):
    """Another Transit key and a changed stanza are a wrong KEK."""
    stanza = resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))
    assert resolve("vault:transit/kek").unwrap(stanza) == FILE_KEY
    with pytest.raises(WrongKek):
        resolve("vault:transit/other").unwrap(stanza)
    for encrypted in ("vault:v1:AAAA", "nonsense"):
        changed = {**stanza.parameters, "data_key": encrypted + "A" * 60}
        with pytest.raises(WrongKek):
            resolve("vault:transit/kek").unwrap(Stanza("vault", changed, stanza.wrapped))
    with pytest.raises(WrongKek):
        resolve("vault:transit/kek").unwrap(Stanza("vault", stanza.parameters, bytes(40)))


def data(value):
    return 200, json.dumps({"data": value}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        (200, b""),
        (200, b"[" * 5000),
        (200, b"x" * 200_000),
        data(None),
        data({}),
        data({"plaintext": "AAAA", "ciphertext": "vault:v1:AAAA"}),
        data({"plaintext": base64.b64encode(bytes(31)).decode(), "ciphertext": "vault:v1:AAAA"}),
        data({"plaintext": 7, "ciphertext": "vault:v1:AAAA"}),
        data({"plaintext": base64.b64encode(bytes(32)).decode(), "ciphertext": "hunter2"}),
        (307, b"http://127.0.0.1:1/elsewhere"),
        (400, b'{"errors":["hunter2"]}'),
        (403, b'{"errors":["permission denied hunter2"]}'),
        (404, b"{}"),
        (500, b"hunter2"),
        (503, b'{"errors":["Vault is sealed"]}'),
    ],
)
def test_hostile_and_failing_answers(transit, answer):
    """Whatever Vault answers, the error is ours, and neither its text nor the token is shown."""
    transit.instead = answer
    with pytest.raises(KeyProviderError) as caught:
        resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))
    assert "hunter2" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__context__ is None
    assert len(transit.asked) == 1


def test_what_is_missing(transit, monkeypatch, tmp_path):
    """A missing key, mount, address or token is told, each with what to do."""
    with pytest.raises(KeyProviderError, match="no Transit key"):
        resolve("vault:transit/nowhere").wrap(bytearray(FILE_KEY))
    with pytest.raises(KeyProviderError, match="404"):
        resolve("vault:elsewhere/kek").wrap(bytearray(FILE_KEY))
    monkeypatch.setenv("VAULT_TOKEN", "hvs.wrong")
    with pytest.raises(KeyProviderError, match="403"):
        resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))
    monkeypatch.setenv("VAULT_TOKEN", "a\r\nX: b")
    with pytest.raises(KekNotConfigured):
        resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(KekNotConfigured, match="no Vault token"):
        resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))
    (tmp_path / ".vault-token").write_text(TOKEN + "\n")
    resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))
    monkeypatch.delenv("VAULT_ADDR")
    with pytest.raises(KekNotConfigured, match="where Vault is"):
        resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))


def silent(*_):
    time.sleep(1)
    return 200, b""


def test_a_vault_that_does_not_answer(transit, monkeypatch):
    """A silent Vault is given up on, and one that isn't there is named by class alone."""
    monkeypatch.setattr(vault, "_READ_SECONDS", 0.2)
    monkeypatch.setattr(Transit, "__call__", silent)
    with pytest.raises(KeyProviderError, match="doesn't answer"):
        resolve("vault:transit/kek").wrap(bytearray(FILE_KEY))
    with pytest.raises(KeyProviderError, match="doesn't answer") as caught:
        resolve("vault:transit/kek?address=http://127.0.0.1:1").wrap(bytearray(FILE_KEY))
    assert caught.value.__context__ is None


def test_tls_settings_are_passed_on(monkeypatch):
    """Certificates are always checked, against the given authority and name."""
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    kek = resolve("vault:transit/kek?ca=/ca.pem&certificate=/c.pem&key=/k.pem&server_name=v.test")
    found = kek._connected().connection_pool_kw
    assert found["cert_reqs"] == "CERT_REQUIRED"
    assert (found["ca_certs"], found["cert_file"], found["key_file"]) == (
        "/ca.pem",
        "/c.pem",
        "/k.pem",
    )
    assert found["server_hostname"] == "v.test"
