"""Key exchange: what a partner gets, and everything that an import refuses."""

from __future__ import annotations

import base64
import json
import os
import stat
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

import tokenkit as tk
from tests.unit.keys.partners import PURPOSE, Partners, tokens
from tokenkit.errors import (
    AccessDenied,
    ExchangeRefused,
    InvalidKey,
    KekNotConfigured,
    KeyConflict,
    KeyProviderError,
    KeyringError,
    KeyringExists,
    KeyringFormatError,
    KeyringTampered,
    KeyVersionDisabled,
    KeyVersionUnknown,
    WrongKek,
)
from tokenkit.keys.exchange import export_keys, terms
from tokenkit.keys.exchange.document import decoded
from tokenkit.keys.providers.pem import fingerprint, public_key


def test_the_partner_has_the_same_key(partners: Partners, kek: Any) -> None:
    """Exported versions make the same tokens there, with number, id, dates and primary kept."""
    made = partners.export()
    assert dict(made.versions) == {"claims": (1, 2)}
    taken = partners.take()
    assert taken == made
    for version in (1, 2):
        assert tokens(partners.ours, kek, "claims", version) == tokens(
            partners.theirs, kek, "claims", version
        )
    with tk.open_keyring(partners.ours, kek) as a, tk.open_keyring(partners.theirs, kek) as b:
        assert repr(a["claims"]) == repr(b["claims"])
        for mine, its in zip(a["claims"].versions, b["claims"].versions, strict=True):
            assert (mine.created, mine.primary_since) == (its.created, its.primary_since)
        assert b.names == ("own", "claims")


def test_chosen_versions(partners: Partners, kek: Any) -> None:
    """Only what was chosen goes; later versions follow, and a primary one that is taken."""
    partners.export({"claims": [1], "members": [1]})
    partners.take()
    assert partners.names() == {"own": [1], "claims": [1], "members": [1]}
    partners.export({"claims": [1, 2]})
    partners.take()
    assert partners.names() == {"own": [1], "claims": [1, 2], "members": [1]}
    with tk.open_keyring(partners.theirs, kek) as ring:
        assert ring["claims"].primary_number == 1
    partners.export({"claims": [2]})
    partners.take(take_primary=True)
    with tk.open_keyring(partners.theirs, kek) as ring:
        assert ring["claims"].primary_number == 2
    partners.export({"claims": [1]})
    partners.take(take_primary=True)
    with tk.open_keyring(partners.theirs, kek) as ring:
        assert ring["claims"].primary_number == 2


def test_another_name(partners: Partners, kek: Any) -> None:
    """A single key can have another name here; several can't have one name."""
    partners.export()
    assert dict(partners.take(name="theirs").versions) == {"theirs": (1, 2)}
    with tk.open_keyring(partners.theirs, kek) as ring:
        assert ring["theirs"].primary.name == "theirs"
    partners.export(["claims", "members"])
    with pytest.raises(InvalidKey):
        partners.take(name="theirs")


def test_exports_that_are_refused(partners: Partners, ours: Path, kek: Any, tmp_path: Path) -> None:
    """What can't or mustn't be exported is refused, and no file is made."""
    wrong: list[tuple[type[Exception], Any, dict[str, Any]]] = [
        (KeyVersionUnknown, {"claims": [3]}, {}),
        (KeyringError, ["missing"], {}),
        (InvalidKey, [], {}),
        (InvalidKey, "claims", {}),
        (InvalidKey, {"claims": []}, {}),
        (InvalidKey, {"claims": 1}, {}),
        (InvalidKey, {"claims": "12"}, {}),
        (InvalidKey, {"claims": [None, 1]}, {}),
        (InvalidKey, {"claims": [1.0]}, {}),
        (InvalidKey, {"claims": [True]}, {}),
        (InvalidKey, [["claims"]], {}),
        (InvalidKey, 5, {}),
        (InvalidKey, ["claims"], {"purpose": ""}),
        (InvalidKey, ["claims"], {"purpose": "two\nlines"}),
        (InvalidKey, ["claims"], {"days": 0}),
        (InvalidKey, ["claims"], {"days": 91}),
        (KeyProviderError, ["claims"], {"recipient": partners.pems["sender.pub"]}),
        (KeyProviderError, ["claims"], {"recipient": partners.pems["recipient.pem"]}),
        (KeyProviderError, ["claims"], {"identity": partners.pems["recipient.pem"]}),
        (KekNotConfigured, ["claims"], {"recipient": tmp_path / "missing.pub"}),
    ]
    for kind, versions, changes in wrong:
        with pytest.raises(kind):
            partners.export(versions, **changes)
        assert not partners.file.exists()
    with tk.open_keyring(ours, kek, access="tokenize") as ring, pytest.raises(AccessDenied):
        export_keys(
            ring,
            ["claims"],
            partners.file,
            recipient=partners.pems["recipient.pub"],
            identity=partners.pems["sender.pem"],
            purpose=PURPOSE,
        )
    with tk.edit_keyring(ours, kek) as ring:
        ring.disable("members", 1)
    with pytest.raises(KeyVersionDisabled):
        partners.export(["members"])
    assert not partners.file.exists()


def test_small_rsa_keys_are_refused(partners: Partners, tmp_path: Path) -> None:
    """A partner's key of fewer than 3072 bits gets nothing."""
    small = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    path = tmp_path / "small.pub"
    path.write_bytes(small.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyProviderError, match="2048 bits"):
        partners.export(recipient=path)


def test_file(partners: Partners) -> None:
    """The file is its owner's alone, is never overwritten, and leaves nothing beside it."""
    previous = os.umask(0)
    try:
        partners.export()
    finally:
        os.umask(previous)
    assert stat.S_IMODE(partners.file.stat().st_mode) == 0o600
    before = partners.file.read_bytes()
    with tk.open_keyring(partners.ours, partners.kek) as ring, pytest.raises(KeyringExists):
        export_keys(
            ring,
            ["claims"],
            partners.file,
            recipient=partners.pems["recipient.pub"],
            identity=partners.pems["sender.pem"],
            purpose=PURPOSE,
        )
    assert partners.file.read_bytes() == before
    names = {path.name for path in partners.file.parent.iterdir()}
    assert names == {"ours.json", "theirs.json", "exchange.json"}


def test_paths_that_are_none(partners: Partners, tmp_path: Path) -> None:
    """What can't be a file's name is tokenkit's own error, to write and to read."""
    for wrong in ("", ".", "/", str(tmp_path / "a\0b")):
        partners.file = Path(wrong)
        with (
            tk.open_keyring(partners.ours, partners.kek) as ring,
            pytest.raises(KeyringError, match="can't be written"),
        ):
            export_keys(
                ring,
                ["claims"],
                wrong,
                recipient=partners.pems["recipient.pub"],
                identity=partners.pems["sender.pem"],
                purpose=PURPOSE,
            )
        with pytest.raises(KeyringError, match="can't be read"):
            partners.take()


def test_every_byte(partners: Partners) -> None:
    """A file with any byte changed, or cut off anywhere, is refused before a key is used."""
    partners.export()
    content = partners.file.read_bytes()
    before = partners.theirs.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        partners.file.write_bytes(changed)
        with pytest.raises(KeyringError):
            partners.take()
    for length in range(len(content)):
        partners.file.write_bytes(content[:length])
        with pytest.raises(KeyringFormatError):
            partners.take()
    assert partners.theirs.read_bytes() == before
    partners.file.write_bytes(content.replace(b"\n", b"\r\n"))
    partners.take()


def test_strangers(partners: Partners) -> None:
    """Another signer, recipient or purpose is told apart, and refused."""
    partners.export()
    with pytest.raises(KeyringTampered, match="isn't signed by"):
        partners.take(sender=partners.pems["other-sender.pub"])
    with pytest.raises(WrongKek, match="another RSA key"):
        partners.take(private=partners.pems["other-recipient.pem"])
    with pytest.raises(ExchangeRefused, match="claims 2027"):
        partners.take(purpose="members 2027")
    with pytest.raises(KeyProviderError):
        partners.take(sender=partners.pems["recipient.pub"])
    partners.export(identity=partners.pems["other-sender.pem"])
    with pytest.raises(KeyringTampered):
        partners.take()
    assert partners.names() == {"own": [1]}


def resigned(partners: Partners, signer: str = "sender.pem", **changes: Any) -> None:
    """Let the sender, or somebody else, sign a file whose fields were changed."""
    fields = json.loads(partners.file.read_text()) | changes
    fields["signature"]["signature"] = base64.b64encode(bytes(64)).decode()
    unsigned = decoded((json.dumps(fields, indent=2) + "\n").encode())
    key = load_pem_private_key(partners.pems[signer].read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    made = key.sign(unsigned.signed_message())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    fields["signature"]["public_key"] = base64.b64encode(public).decode()
    fields["signature"]["signature"] = base64.b64encode(made).decode()
    partners.file.write_text(json.dumps(fields, indent=2) + "\n")


def test_the_header_is_bound_to_the_keys(partners: Partners) -> None:
    """Even the sender's own signature doesn't put keys under another header."""
    later = (datetime.now(UTC) + timedelta(days=80)).strftime("%Y-%m-%dT%H:%M:%SZ")
    other = base64.b64encode(bytes(100)).decode()
    for changes in (
        {"expires": later},
        {"exchange": "0" * 32},
        {"payload": other},
        {"wrapped": other},
    ):
        partners.export()
        resigned(partners, **changes)
        with pytest.raises(KeyringTampered, match="parts don't fit"):
            partners.take()
    partners.export()
    resigned(partners)
    partners.take()


def test_the_sender_is_bound_to_the_keys(partners: Partners) -> None:
    """Who puts his own signature on a stolen file isn't taken for its sender."""
    thief = partners.pems["other-sender.pub"]
    partners.export()
    resigned(partners, "other-sender.pem")
    with pytest.raises(KeyringTampered, match="isn't signed by"):
        partners.take(sender=thief)
    sender = fingerprint(public_key(str(thief), Ed25519PublicKey))
    resigned(partners, "other-sender.pem", sender=sender)
    with pytest.raises(KeyringTampered, match="parts don't fit"):
        partners.take(sender=thief)
    assert partners.names() == {"own": [1]}


class Clock(datetime):
    """A clock that can be set."""

    moment = datetime.now(UTC)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        """Give the time it was set to."""
        return cls.moment


def test_expiry(partners: Partners, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange is taken until it expires, and not before it was made."""
    made = partners.export(days=3)
    assert made.expires - made.created == timedelta(days=3)
    monkeypatch.setattr(terms, "datetime", Clock)
    monkeypatch.setattr(Clock, "moment", made.expires)
    with pytest.raises(ExchangeRefused, match="expired on"):
        partners.take()
    monkeypatch.setattr(Clock, "moment", made.created - timedelta(minutes=6))
    with pytest.raises(ExchangeRefused, match="yet to come"):
        partners.take()
    monkeypatch.setattr(Clock, "moment", made.expires - timedelta(seconds=1))
    partners.take()


def test_replays(partners: Partners, kek: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """A file is imported once; where nobody remembers it, nothing destroyed comes back."""
    partners.export()
    partners.take()
    with pytest.raises(ExchangeRefused, match="imported into this keyring before"):
        partners.take()
    with tk.edit_keyring(partners.theirs, kek) as ring:
        ring.destroy("claims", 1)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nothing-remembered"))
    with pytest.raises(KeyConflict, match="was destroyed here"):
        partners.take()
    other = tmp_path / "other.json"
    tk.create_keyring(other, [], kek).close()
    partners.theirs = other
    partners.take()
    assert partners.names() == {"claims": [1, 2]}


def test_encrypted_private_keys(partners: Partners, tmp_path: Path, monkeypatch: Any) -> None:
    """Private keys may be encrypted; the passphrase comes from its source and is shown nowhere."""
    encrypted = {}
    for name in ("sender.pem", "recipient.pem"):
        key = load_pem_private_key(partners.pems[name].read_bytes(), None)
        encrypted[name] = tmp_path / f"encrypted-{name}"
        encrypted[name].write_bytes(
            key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary 8071")
            )
        )
    monkeypatch.setenv("PEM_PASSPHRASE", "canary 8071")
    with pytest.raises(KekNotConfigured):
        partners.export(identity=encrypted["sender.pem"])
    partners.export(identity=encrypted["sender.pem"], passphrase="env:PEM_PASSPHRASE")
    monkeypatch.setenv("PEM_PASSPHRASE", "canary 8072")
    with pytest.raises(WrongKek) as caught:
        partners.take(private=encrypted["recipient.pem"], passphrase="env:PEM_PASSPHRASE")
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.setenv("PEM_PASSPHRASE", "canary 8071")
    partners.take(private=encrypted["recipient.pem"], passphrase="env:PEM_PASSPHRASE")


def test_raw_versions_travel(partners: Partners, kek: Any, tmp_path: Path) -> None:
    """Keys that came from Tink can be handed on, and stay of their kind."""
    from tokenkit.keys.tink import export_keyset, import_keyset

    with tk.Keyring.from_secrets({"other": bytes(range(32))}) as other:
        export_keyset(other["other"], tmp_path / "keyset.json", domain="text")
    with tk.edit_keyring(partners.ours, kek) as ring:
        import_keyset(ring, "raw", tmp_path / "keyset.json")
    partners.export(["raw"])
    partners.take()
    with tk.open_keyring(partners.theirs, kek) as ring:
        assert ring["raw"].primary.kind.value == "raw:aes-siv"
