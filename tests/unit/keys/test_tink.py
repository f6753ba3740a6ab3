"""Tink keysets, held against Tink itself: its Python package reads ours, and we read its."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import traceback
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import tink
from tink import cleartext_keyset_handle, daead, mac
from tink.proto import hmac_pb2, tink_pb2

import tokenkit as tk
from tokenkit.errors import (
    AccessDenied,
    InvalidKey,
    KeyConflict,
    KeyExists,
    KeyringError,
    KeyringExists,
    KeyVersionDisabled,
)
from tokenkit.keys import KeyKind, KeyState
from tokenkit.keys.tink import export_keyset, import_keyset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUES = ["hello", "4111111111111111", "ünïcödé", "x" * 1000]
PREFIX = {"TINK": tink_pb2.TINK, "RAW": tink_pb2.RAW, "CRUNCHY": tink_pb2.CRUNCHY}


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    """Tell Tink its primitives."""
    daead.register()
    mac.register()


@pytest.fixture
def ring() -> Iterator[tk.Keyring]:
    """Open a keyring whose key has two versions."""
    with tk.Keyring.from_secrets({"notes": bytes(range(32))}) as opened:
        opened.rotate("notes")
        yield opened


def read(path: Path) -> tink.KeysetHandle:
    """Let Tink read a keyset."""
    return cleartext_keyset_handle.read(tink.JsonKeysetReader(path.read_text()))


def written(handle: tink.KeysetHandle, path: Path) -> Path:
    """Let Tink write a keyset."""
    stream = io.StringIO()
    cleartext_keyset_handle.write(tink.JsonKeysetWriter(stream), handle)
    path.write_text(stream.getvalue())
    return path


def ciphertext(token: str) -> bytes:
    """Take base64url off a sealed token."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def sealed(key: tk.keys.Key, values: list[str], **options: Any) -> list[str]:
    """Seal values in a column."""
    tokens: list[str] = tk.tokenize(pl.Series(values), "text", key=key, **options).to_list()
    return tokens


def test_tink_opens_sealed_tokens(ring: tk.Keyring, tmp_path: Path) -> None:
    """Tink opens the tokens of every version in the keyset, and makes the primary's very tokens."""
    key = ring["notes"]
    exported = export_keyset(key, tmp_path / "keyset.json", domain="text")
    assert [version.number for version in exported] == [1, 2]
    primitive = read(tmp_path / "keyset.json").primitive(daead.DeterministicAead)
    for version in exported:
        for value, token in zip(VALUES, sealed(key, VALUES, version=version.number), strict=True):
            bytes_ = ciphertext(token)
            assert bytes_[:5] == b"\x01" + version.id.to_bytes(4)
            assert primitive.decrypt_deterministically(bytes_, b"") == value.encode()
    for value, token in zip(VALUES, sealed(key, VALUES), strict=True):
        assert primitive.encrypt_deterministically(value.encode(), b"") == ciphertext(token)


def test_a_keyset_is_one_domains(ring: tk.Keyring, tmp_path: Path) -> None:
    """Tokens of another domain aren't opened, and the key's own bytes aren't in the file."""
    export_keyset(ring["notes"], tmp_path / "keyset.json", domain="other")
    primitive = read(tmp_path / "keyset.json").primitive(daead.DeterministicAead)
    [token] = sealed(ring["notes"], ["hello"])
    with pytest.raises(tink.TinkError):
        primitive.decrypt_deterministically(ciphertext(token), b"")
    [token] = sealed(ring["notes"], ["hello"], domain="other")
    assert primitive.decrypt_deterministically(ciphertext(token), b"") == b"hello"
    keyset = json.loads((tmp_path / "keyset.json").read_text())
    for entry in keyset["key"]:
        assert bytes(range(32)) not in base64.b64decode(entry["keyData"]["value"])


def test_hmac_keysets(ring: tk.Keyring, tmp_path: Path) -> None:
    """The derived HMAC key is the contract's, in Tink's hands HMAC-SHA-256 with whole tags."""
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    ring.destroy("notes", 2)
    with pytest.raises(KeyVersionDisabled):
        export_keyset(ring["notes"], tmp_path / "keyset.json", domain="text", algorithm="hmac")
    with tk.Keyring.from_secrets({"notes": bytes(range(32))}) as own:
        export_keyset(own["notes"], tmp_path / "keyset.json", domain="text", algorithm="hmac")
    derived = HKDF(SHA256(), 32, salt=None, info=b"tokenkit/1\0\x03text").derive(bytes(range(32)))
    primitive = read(tmp_path / "keyset.json").primitive(mac.Mac)
    expected = hmac.digest(derived, b"message", hashlib.sha256)
    assert primitive.compute_mac(b"message") == expected


def test_file(ring: tk.Keyring, tmp_path: Path) -> None:
    """The file is its owner's alone whatever the umask; nothing is overwritten or left aside."""
    previous = os.umask(0)
    try:
        export_keyset(ring["notes"], tmp_path / "keyset.json", domain="text")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "keyset.json").stat().st_mode) == 0o600
    before = (tmp_path / "keyset.json").read_bytes()
    with pytest.raises(KeyringExists):
        export_keyset(ring["notes"], tmp_path / "keyset.json", domain="text")
    assert (tmp_path / "keyset.json").read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["keyset.json"]
    with pytest.raises(KeyringError, match="can't be written"):
        export_keyset(ring["notes"], tmp_path / "missing" / "keyset.json", domain="text")
    for wrong in ({"domain": "No Domain"}, {"domain": "text", "algorithm": "aes-gcm"}):
        with pytest.raises(InvalidKey):
            export_keyset(ring["notes"], tmp_path / "other.json", **wrong)  # type: ignore[arg-type]


def test_what_is_exported(ring: tk.Keyring, tmp_path: Path) -> None:
    """Versions that are out of use stay out; a keyring for tokenizing only exports nothing."""
    ring.disable("notes", 1)
    exported = export_keyset(ring["notes"], tmp_path / "keyset.json", domain="text")
    assert [version.number for version in exported] == [2]
    ring.disable("notes", 2)
    with pytest.raises(KeyVersionDisabled):
        export_keyset(ring["notes"], tmp_path / "other.json", domain="text")


def test_access(tmp_path: Path, kek: Any) -> None:
    """A keyring that turns nothing back gives no key away that does."""
    tk.create_keyring(tmp_path / "keyring.json", ["notes"], kek).close()
    with (
        tk.open_keyring(tmp_path / "keyring.json", kek, access="tokenize") as ring,
        pytest.raises(AccessDenied),
    ):
        export_keyset(ring["notes"], tmp_path / "keyset.json", domain="text")


def test_importing_aes_siv(ring: tk.Keyring, tmp_path: Path) -> None:
    """Under an imported key tokens are Tink's ciphertexts, in both directions, in any domain."""
    handle = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
    primitive = handle.primitive(daead.DeterministicAead)
    key = import_keyset(ring, "theirs", written(handle, tmp_path / "keyset.json"))
    assert key.primary.kind is KeyKind.RAW_AES_SIV
    assert key.primary.id == handle.keyset_info().primary_key_id
    for domain in ("text", "another"):
        tokens = sealed(key, VALUES, domain=domain)
        for value, token in zip(VALUES, tokens, strict=True):
            assert primitive.encrypt_deterministically(value.encode(), b"") == ciphertext(token)
        back = tk.detokenize(pl.Series(tokens), "text", key=key, domain=domain)
        assert back.to_list() == VALUES


def test_importing_several_keys(ring: tk.Keyring, tmp_path: Path) -> None:
    """A rotated keyset keeps its ids, order, states and primary; destroyed keys stay out."""
    keyset = tink_pb2.Keyset()
    for number, status in enumerate(("ENABLED", "ENABLED", "DISABLED", "DESTROYED"), 1):
        made = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
        entry = json.loads(written(made, tmp_path / f"{number}.json").read_text())["key"][0]
        key = keyset.key.add()
        key.key_data.type_url = entry["keyData"]["typeUrl"]
        key.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
        key.key_data.value = base64.b64decode(entry["keyData"]["value"])
        key.key_id, key.output_prefix_type = 1000 + number, tink_pb2.TINK
        key.status = tink_pb2.KeyStatusType.Value(status)
    keyset.primary_key_id = 1002
    (tmp_path / "keyset.json").write_text(tink_json(keyset))
    key = import_keyset(ring, "theirs", tmp_path / "keyset.json")
    assert [(v.number, v.id, v.state) for v in key.versions] == [
        (1, 1001, KeyState.ENABLED),
        (2, 1002, KeyState.ENABLED),
        (3, 1003, KeyState.DISABLED),
    ]
    assert key.primary_number == 2


def tink_json(keyset: Any) -> str:
    """Write a keyset as Tink's JSON, without Tink's own checks."""
    from google.protobuf import json_format

    return str(json_format.MessageToJson(keyset))


def test_raw_keys_do_their_algorithm_alone(ring: tk.Keyring, tmp_path: Path) -> None:
    """No other scheme, seal or algorithm takes a raw key; rotating goes on with an own one."""
    siv = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
    key = import_keyset(ring, "siv", written(siv, tmp_path / "siv.json"))
    tags = import_keyset(ring, "tags", hmac_keyset(tmp_path / "hmac.json"))
    for raw, scheme in ((key, "digits"), (key, "credit-card"), (tags, "text"), (tags, "digits")):
        with pytest.raises(InvalidKey, match="imported as raw"):
            tk.tokenize(pl.Series(["1234567890"]), scheme, key=raw)
    with pytest.raises(InvalidKey):
        export_keyset(key, tmp_path / "out.json", domain="text", algorithm="hmac")
    export_keyset(tags, tmp_path / "out.json", domain="any", algorithm="hmac")
    assert read(tmp_path / "out.json").primitive(mac.Mac).compute_mac(b"m") == read(
        tmp_path / "hmac.json"
    ).primitive(mac.Mac).compute_mac(b"m")
    ring.rotate("siv")
    assert key.primary.kind is KeyKind.TOKENKIT
    assert list(tk.search_tokens("1234567890", "digits", key=key)) == [2]
    assert list(tk.search_tokens("hello", "text", key=key)) == [1, 2]


def hmac_keyset(path: Path, **changes: Any) -> Path:
    """Write a keyset with one HMAC key, as wrong as asked."""
    given = {"hash": 3, "tag": 32, "key": bytes(range(100, 132)), "prefix": "RAW", **changes}
    message = hmac_pb2.HmacKey(
        params=hmac_pb2.HmacParams(hash=given["hash"], tag_size=given["tag"]),
        key_value=given["key"],
    )
    keyset = tink_pb2.Keyset(primary_key_id=7)
    key = keyset.key.add(key_id=7, status=tink_pb2.ENABLED)
    key.output_prefix_type = PREFIX[given["prefix"]]
    key.key_data.type_url = "type.googleapis.com/google.crypto.tink.HmacKey"
    key.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
    key.key_data.value = message.SerializeToString()
    path.write_text(tink_json(keyset))
    return path


def test_saved_and_opened_again(tmp_path: Path, kek: Any) -> None:
    """Raw versions survive a save beside tokenkit's own, and turn back what they made."""
    siv = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
    path = tmp_path / "keyring.json"
    with tk.create_keyring(path, ["notes"], kek) as ring:
        key = import_keyset(ring, "siv", written(siv, tmp_path / "siv.json"))
        import_keyset(ring, "tags", hmac_keyset(tmp_path / "hmac.json"))
        tokens = sealed(key, VALUES)
        ring.save()
    with tk.open_keyring(path, kek) as ring:
        kinds = {name: ring[name].primary.kind for name in ring}
        assert kinds == {"notes": "tokenkit", "siv": "raw:aes-siv", "tags": "raw:hmac"}
        back = tk.detokenize(pl.Series(tokens), "text", key=ring["siv"])
        assert back.to_list() == VALUES
        assert len(ring["siv"].primary.authenticate(b"metadata")) == 32
    with tk.edit_keyring(path, kek) as ring:
        ring.destroy("siv", 1)
    with tk.open_keyring(path, kek) as ring:
        assert ring["siv"].versions[0].kind is KeyKind.RAW_AES_SIV


def test_jobs_under_raw_keys(ring: tk.Keyring, tmp_path: Path) -> None:
    """A file is tokenized, described and brought back under an imported key."""
    siv = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
    import_keyset(ring, "siv", written(siv, tmp_path / "siv.json"))
    pl.DataFrame({"note": VALUES}).write_parquet(tmp_path / "in.parquet")
    from tokenkit.jobs import Job, run
    from tokenkit.policy import Policy

    policy = Policy.from_mapping({"columns": {"note": {"scheme": "text", "key": "siv"}}})
    for operation, source, target in (
        ("tokenize", "in", "tokens"),
        ("detokenize", "tokens", "out"),
    ):
        run(
            Job(
                operation=operation,  # type: ignore[arg-type]
                source=tmp_path / f"{source}.parquet",
                target=tmp_path / f"{target}.parquet",
                policy=policy if operation == "tokenize" else None,
                keyring=ring,
            )
        )
    assert pl.read_parquet(tmp_path / "out.parquet")["note"].to_list() == VALUES


@pytest.mark.parametrize(
    "changes",
    [{"hash": 1}, {"hash": 4}, {"tag": 16}, {"key": bytes(15)}, {"key": bytes(65)},
     {"prefix": "TINK"}, {"prefix": "CRUNCHY"}],
)  # fmt: skip
def test_hmac_keys_that_are_refused(
    ring: tk.Keyring, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Only HMAC-SHA-256 with whole tags and no prefix is taken."""
    with pytest.raises(InvalidKey):
        import_keyset(ring, "tags", hmac_keyset(tmp_path / "hmac.json", **changes))
    assert "tags" not in ring


def damaged(keyset: dict[str, Any]) -> Iterator[dict[str, Any] | str]:
    """Give keysets that are none."""
    text = json.dumps(keyset)
    yield ""
    yield "[]"
    yield text[:-1]
    yield text + "x"
    for path, value in [
        (("primaryKeyId",), 5),
        (("key",), []),
        (("encryptedKeyset",), "AAAA"),
        (("key", 0, "status"), "UNKNOWN_STATUS"),
        (("key", 0, "status"), "DESTROYED"),
        (("key", 0, "outputPrefixType"), "RAW"),
        (("key", 0, "outputPrefixType"), "LEGACY"),
        (("key", 0, "keyId"), 2**32),
        (("key", 0, "keyId"), -1),
        (("key", 0, "keyData", "typeUrl"), "type.googleapis.com/google.crypto.tink.AesGcmKey"),
        (("key", 0, "keyData", "keyMaterialType"), "REMOTE"),
        (("key", 0, "keyData", "value"), "!!"),
        (("key", 0, "keyData", "value"), ""),
        (("key", 0, "keyData", "value"), base64.b64encode(b"\x12\x40" + bytes(63)).decode()),
        (("key", 0, "keyData", "value"), base64.b64encode(b"\x12\x20" + bytes(32)).decode()),
        (
            ("key", 0, "keyData", "value"),
            base64.b64encode(b"\x08\x01\x12\x40" + bytes(64)).decode(),
        ),
        (("key", 0, "keyData", "value"), base64.b64encode(b"\xff" * 20).decode()),
    ]:
        changed = json.loads(text)
        place = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        yield changed
    doubled = json.loads(text)
    doubled["key"].append(doubled["key"][0])
    yield doubled


def test_keysets_that_are_refused(ring: tk.Keyring, tmp_path: Path) -> None:
    """What is no keyset of ours is refused, nothing is taken in, and no byte of it is shown."""
    siv = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
    path = written(siv, tmp_path / "keyset.json")
    good = json.loads(path.read_text())
    marked = good["key"][0]["keyData"]["value"]
    for wrong in damaged(good):
        path.write_text(wrong if isinstance(wrong, str) else json.dumps(wrong))
        with pytest.raises(InvalidKey) as caught:
            import_keyset(ring, "theirs", path)
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert marked[:20] not in shown
        assert marked[-20:] not in shown
        assert ring.names == ("notes",)
    with pytest.raises(KeyringError, match="can't be read"):
        import_keyset(ring, "theirs", tmp_path / "missing.json")
    with pytest.raises(KeyringError, match="can't be read"):
        import_keyset(ring, "theirs", "a\0b")
    path.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(KeyringError, match="larger"):
        import_keyset(ring, "theirs", path)


def test_conflicts(ring: tk.Keyring, tmp_path: Path) -> None:
    """A name or an id that is taken is refused; nothing stays loaded."""
    siv = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
    path = written(siv, tmp_path / "keyset.json")
    with pytest.raises(KeyExists):
        import_keyset(ring, "notes", path)
    import_keyset(ring, "theirs", path)
    with pytest.raises(KeyConflict):
        import_keyset(ring, "again", path)
    keyset = json.loads(path.read_text())
    keyset["key"][0]["keyId"] = keyset["primaryKeyId"] = ring["notes"].primary.id
    path.write_text(json.dumps(keyset))
    with pytest.raises(KeyConflict):
        import_keyset(ring, "again", path)
    assert ring.names == ("notes", "theirs")
