"""AWS KMS KEKs against moto's server, and against a fake that enforces the state of keys."""

import base64
import json
import secrets
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.http_fake import served
from tokenkit.errors import KekNotConfigured, KeyProviderError, WrongKek
from tokenkit.keys import Stanza, create_keyring, open_keyring, providers

# What only one provider has is tested too.
resolve: Any = providers.resolve
FILE_KEY = bytes(range(32))
SECRET = "made-up-secret"
ARN = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def credentials(monkeypatch, tmp_path):
    """Give made-up credentials, and none of this machine's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def moto():
    """Give the address of moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_a_keyring_behind_moto(moto, tmp_path):
    """A keyring is created and opened again by id, ARN and alias; another key is a wrong KEK."""
    client = boto3.client("kms", region_name="eu-west-1", endpoint_url=moto)
    made = client.create_key()["KeyMetadata"]
    client.create_alias(AliasName="alias/keyring", TargetKeyId=made["KeyId"])
    options = f"?region=eu-west-1&endpoint={moto}"
    path = tmp_path / "k.json"
    create_keyring(path, ["payments"], resolve(f"aws-kms:{made['KeyId']}{options}")).close()
    for name in (made["KeyId"], made["Arn"], "alias/keyring"):
        kek = resolve(f"aws-kms:{name}{options}")
        open_keyring(path, kek).close()
        assert SECRET not in kek.describe() + repr(kek)
        assert kek.recognizes(kek.wrap(bytearray(FILE_KEY)))
    other = client.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(WrongKek):
        open_keyring(path, resolve(f"aws-kms:{other}{options}"))
    with pytest.raises(KeyProviderError, match="NotFoundException"):
        resolve(f"aws-kms:{secrets.token_hex(8)}{options}").wrap(bytearray(FILE_KEY))


class Kms:
    """GenerateDataKey and Decrypt, with the state of the key and the context enforced."""

    def __init__(self):
        self.state = "Enabled"
        self.made = {}
        self.instead = None

    def __call__(self, path, headers, body):
        asked = json.loads(body)
        if self.instead is not None:
            return self.instead
        if self.state == "Disabled":
            return self.error("DisabledException", f"{ARN} is disabled.")
        if self.state == "PendingDeletion":
            return self.error("KMSInvalidStateException", f"{ARN} is pending deletion.")
        if headers["X-Amz-Target"] == "TrentService.GenerateDataKey":
            key, name = secrets.token_bytes(32), secrets.token_bytes(24)
            self.made[name] = (key, asked["EncryptionContext"])
            return self.answer(KeyId=ARN, Plaintext=key, CiphertextBlob=name)
        found = self.made.get(base64.b64decode(asked["CiphertextBlob"]))
        if found is None or found[1] != asked.get("EncryptionContext"):
            return self.error("InvalidCiphertextException", "")
        return self.answer(KeyId=ARN, Plaintext=found[0])

    def answer(self, **found):
        written = {
            name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in found.items()
        }
        return 200, json.dumps(written).encode()

    def error(self, code, text):
        return 400, json.dumps({"__type": code, "message": text}).encode()


@pytest.fixture
def kms():
    """Give the fake and its address."""
    fake = Kms()
    with served(fake) as address:
        yield fake, f"aws-kms:{ARN}?endpoint={address}"


@pytest.mark.parametrize(
    ("state", "code"),
    [("Disabled", "DisabledException"), ("PendingDeletion", "KMSInvalidStateException")],
)
def test_a_key_that_is_switched_off_opens_nothing(kms, state, code):
    """A disabled key, or one about to be deleted, neither wraps nor unwraps, and says why."""
    fake, uri = kms
    kek = resolve(uri)
    stanza = kek.wrap(bytearray(FILE_KEY))
    fake.state = state
    for call in (lambda: kek.unwrap(stanza), lambda: kek.wrap(bytearray(FILE_KEY))):
        with pytest.raises(KeyProviderError, match=code):
            call()
    fake.state = "Enabled"
    assert kek.unwrap(stanza) == FILE_KEY


def test_the_encryption_context(kms):
    """The context is bound to the data key: another one, in the file or asked for, fails."""
    _, uri = kms
    kek = resolve(uri + "&context.team=payments")
    stanza = kek.wrap(bytearray(FILE_KEY))
    assert stanza.parameters["context"] == '{"team":"payments","tokenkit":"keyring"}'
    assert resolve(uri).unwrap(stanza) == FILE_KEY
    with pytest.raises(WrongKek, match="context"):
        resolve(uri + "&context.team=people").unwrap(stanza)
    for context in ('{"team":"people","tokenkit":"keyring"}', "{}", "[]", "\ud800", '{"a":1}'):
        with pytest.raises(WrongKek):
            resolve(uri).unwrap(
                Stanza("aws-kms", {**stanza.parameters, "context": context}, stanza.wrapped)
            )
    with pytest.raises(WrongKek):
        resolve(uri).unwrap(Stanza("aws-kms", stanza.parameters, bytes(40)))
    with pytest.raises(WrongKek, match="another"):
        resolve(uri.replace("1111", "2222")).unwrap(stanza)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b""),
        (200, b"{}"),
        (200, b"hunter2"),
        (200, json.dumps({"KeyId": ARN, "Plaintext": "AAAA", "CiphertextBlob": "AAAA"}).encode()),
        (
            200,
            json.dumps({"KeyId": "x", "Plaintext": "AAAA", "CiphertextBlob": "A" * 9000}).encode(),
        ),
        (400, b'{"__type": "hunter2 <b>", "message": "hunter2"}'),
        (400, b'{"__type": "AccessDeniedException", "message": "hunter2"}'),
        (400, b'{"__type": "ExpiredTokenException", "message": "hunter2"}'),
    ],
)
def test_hostile_and_failing_answers(kms, answer):
    """Whatever KMS answers, the error is ours, and neither its text nor a secret is shown."""
    fake, uri = kms
    fake.instead = answer
    with pytest.raises(KeyProviderError) as caught:
        resolve(uri).wrap(bytearray(FILE_KEY))
    assert "hunter2" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_no_answer_and_no_credentials(monkeypatch):
    """What isn't there is named by class, and missing credentials by where they are looked for."""
    with pytest.raises(KeyProviderError, match="doesn't answer"):
        resolve(f"aws-kms:{ARN}?endpoint=http://127.0.0.1:1").wrap(bytearray(FILE_KEY))
    with pytest.raises(KekNotConfigured, match="NoRegionError"):
        resolve("aws-kms:alias/a").wrap(bytearray(FILE_KEY))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(KekNotConfigured, match="no AWS credentials"):
        resolve(f"aws-kms:{ARN}?endpoint=http://127.0.0.1:1").wrap(bytearray(FILE_KEY))


def test_tls_settings_are_passed_on(tmp_path):
    """The authority that the URI names is the one that is asked."""
    kek = resolve(f"aws-kms:{ARN}?ca=/ca.pem")
    assert kek._connected()._endpoint.http_session._verify == "/ca.pem"
