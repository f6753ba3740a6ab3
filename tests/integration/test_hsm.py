"""PKCS#11 KEKs in a real SoftHSM2."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives import keywrap
from pkcs11 import Attribute, KeyType, ObjectClass

from tests.vectors.wycheproof_cases import groups
from tokenkit.errors import KeyProviderError, KeyringFormatError, WrongKek
from tokenkit.keys import Stanza, create_keyring, open_keyring, providers

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
INSTALL = "install SoftHSM2: apt-get install softhsm2"
PIN = "314159"
# What only one provider has is tested too.
resolve: Any = providers.resolve
FILE_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """Give the label of a fresh token; SoftHSM2 reads its configuration once a process."""
    command = shutil.which("softhsm2-util")
    assert command is not None, INSTALL
    assert Path(MODULE).exists(), INSTALL
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    file = folder / "softhsm2.conf"
    file.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(file)
    os.environ["TEST_HSM_PIN"] = PIN
    label = f"token-{secrets.token_hex(4)}"
    made = [command, "--init-token", "--free", "--label", label, "--so-pin", "2718", "--pin", PIN]
    subprocess.run(made, check=True, capture_output=True)
    yield label
    del os.environ["TEST_HSM_PIN"]
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def provider(token, name, source="env:TEST_HSM_PIN"):
    return resolve(f"pkcs11:token={token};object={name}?module-path={MODULE}&pin-source={source}")


@pytest.fixture(scope="module")
def kek(token):
    """Give a KEK that the token made."""
    made = provider(token, "kek")
    made.generate()
    return made


def test_a_keyring_behind_an_hsm(kek, tmp_path):
    """A keyring is created and opened again with a key that never leaves the token."""
    path = tmp_path / "keyring.json"
    create_keyring(path, ["payments"], kek).close()
    with open_keyring(path, kek) as ring:
        assert ring.names == ("payments",)
    assert PIN not in path.read_text() + kek.describe() + repr(kek)


def test_another_key_or_a_damaged_stanza(token, kek):
    """Another key and every changed byte are a wrong KEK; another length is damage."""
    stanza = kek.wrap(bytearray(FILE_KEY))
    assert len(stanza.wrapped) == 40
    other = provider(token, "other")
    other.generate()
    with pytest.raises(WrongKek):
        other.unwrap(stanza)
    for place in range(40):
        changed = bytearray(stanza.wrapped)
        changed[place] ^= 1
        with pytest.raises(WrongKek) as caught:
            kek.unwrap(Stanza("pkcs11", stanza.parameters, bytes(changed)))
        assert caught.value.__context__ is None
    with pytest.raises(KeyringFormatError):
        kek.unwrap(Stanza("pkcs11", stanza.parameters, stanza.wrapped[:-1]))


def test_names_and_pins(token, kek, monkeypatch):
    """A missing token, key or module is told apart; a refused PIN is sent once and never shown."""
    with pytest.raises(KeyProviderError, match="no such key"):
        provider(token, "missing").wrap(bytearray(FILE_KEY))
    with pytest.raises(KeyProviderError, match="already"):
        kek.generate()
    with pytest.raises(KeyProviderError, match="no token"):
        provider("nowhere", "kek").wrap(bytearray(FILE_KEY))
    with pytest.raises(KeyProviderError, match="module failed"):
        resolve("pkcs11:object=a?module-path=/nowhere.so&pin-source=env:TEST_HSM_PIN").wrap(
            bytearray(FILE_KEY)
        )
    monkeypatch.setenv("WRONG_PIN", "987654")
    wrong = provider(token, "kek", "env:WRONG_PIN")
    for said in ("refuses the PIN", "isn't asked again"):
        with pytest.raises(KeyProviderError, match=said) as caught:
            wrong.wrap(bytearray(FILE_KEY))
        assert "987654" not in str(caught.value)
        assert caught.value.__context__ is None


def imported(token, name, key):
    """Put a known key into the token, open a session, and give both."""
    session = pkcs11.lib(MODULE).get_token(token_label=token).open(rw=True, user_pin=PIN)
    made = session.create_object(
        {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.LABEL: name,
            Attribute.VALUE: key,
            Attribute.TOKEN: True,
            Attribute.WRAP: True,
            Attribute.UNWRAP: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
        }
    )
    return session, made


def test_keys_from_outside_open_and_do_not_wrap(token):
    """The token's wrapping is AES-KWP as software does it; a key made elsewhere isn't used anew."""
    key = bytes(range(100, 132))
    session, _ = imported(token, "imported", key)
    session.close()
    kek = provider(token, "imported")
    wrapped = keywrap.aes_key_wrap_with_padding(key, FILE_KEY)
    assert kek.unwrap(Stanza("pkcs11", {"algorithm": "AES-256-KWP"}, wrapped)) == FILE_KEY
    with pytest.raises(KeyProviderError, match="made inside"):
        kek.wrap(bytearray(FILE_KEY))


def test_wycheproof_in_the_token(token):
    """The token's KWP agrees with Wycheproof on 32-byte keys under AES-256."""
    seen = 0
    for group in groups("aes_kwp_test.json.gz"):
        for case in group["tests"]:
            wrapped = bytes.fromhex(case["ct"])
            if group["keySize"] != 256 or len(wrapped) != 40:
                continue
            seen += 1
            session, _ = imported(token, f"case-{case['tcId']}", bytes.fromhex(case["key"]))
            session.close()
            kek = provider(token, f"case-{case['tcId']}")
            stanza = Stanza("pkcs11", {"algorithm": "AES-256-KWP"}, wrapped)
            if case["result"] == "valid" and len(case["msg"]) == 64:
                assert kek.unwrap(stanza).hex() == case["msg"], case["tcId"]
            else:
                with pytest.raises(WrongKek):
                    kek.unwrap(stanza)
    assert seen > 0
