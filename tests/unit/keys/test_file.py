"""The keyring file: everything that isn't exactly what was saved is refused, and says how."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tokenkit import _native
from tokenkit.errors import (
    KeyringError,
    KeyringFormatError,
    KeyringTampered,
    WrongKek,
)
from tokenkit.keys import Stanza, create_keyring, edit_keyring, open_keyring
from tokenkit.keys.file import seal, unseal
from tokenkit.keys.key import KeyRecord, KeyState, KeyVersion
from tokenkit.keys.strict_json import indented

SECRET = bytes.fromhex("c0ffee" * 10 + "c0ff")
NOW = datetime(2025, 1, 31, 12, tzinfo=UTC)


class PlainProvider:
    """Keeps the file key in the open and remembers it, so that tests can forge files."""

    scheme = "plain"

    def __init__(self) -> None:
        self.seen = bytearray()
        self.file_key = b""

    def wrap(self, file_key):
        self.seen, self.file_key = file_key, bytes(file_key)
        return Stanza(self.scheme, {}, bytes(file_key))

    def unwrap(self, stanza):
        self.seen = bytearray(stanza.wrapped)
        return self.seen

    def describe(self):
        return "plain"


def known(
    number: int = 1, secret: bytes = SECRET, state: KeyState = KeyState.ENABLED
) -> KeyVersion:
    """Make a version of known bytes."""
    handle = _native.import_key(1000 + number, bytearray(secret))
    return KeyVersion(
        name="a",
        number=number,
        id=handle.id,
        check_value=handle.check_value,
        state=state,
        created=NOW,
        primary_since=NOW,
        disabled=NOW if state is KeyState.DISABLED else None,
        destroyed=NOW if state is KeyState.DESTROYED else None,
        handle=None if state is KeyState.DESTROYED else handle,
    )


@pytest.fixture
def content(kek):
    """Give a small file's content."""
    return seal({"a": KeyRecord("a", [known()], 1)}, 1, (kek,))


def test_every_bit_of_every_byte(content, kek):
    """A file with any one bit changed is refused with a keyring error, each for a reason."""
    seen = set()
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            with pytest.raises((KeyringFormatError, WrongKek, KeyringTampered)) as caught:
                unseal(bytes(changed), (kek,))
            seen.add(type(caught.value))
    assert seen == {KeyringFormatError, WrongKek, KeyringTampered}


def test_every_truncation_and_extension(content, kek):
    """A file cut at any length, or with anything after its end, is refused."""
    for length in range(len(content)):
        with pytest.raises(KeyringFormatError):
            unseal(content[:length], (kek,))
    for more in (b"\n", b" ", b"\0", b"{}", content):
        with pytest.raises(KeyringFormatError):
            unseal(content + more, (kek,))


def test_where_the_damage_is_decides_the_error(content, kek):
    """Wrapped file key: wrong KEK; header MAC and payload: tampered; everything else: format."""
    container = json.loads(content)

    def changed(**fields: object) -> bytes:
        return indented(container | fields)

    def flipped(text: str) -> str:
        content = base64.b64decode(text)
        return base64.b64encode(bytes([content[0] ^ 1]) + content[1:]).decode()

    stanza = container["stanzas"][0]
    wrapped = stanza | {"wrapped": flipped(stanza["wrapped"])}
    with pytest.raises(WrongKek, match="damaged"):
        unseal(changed(stanzas=[wrapped]), (kek,))
    for field in ("header_mac", "payload"):
        with pytest.raises(KeyringTampered):
            unseal(changed(**{field: flipped(container[field])}), (kek,))
    # A stanza more that nobody can unwrap is no damage to the one that can be, but it's in the MAC.
    with pytest.raises(KeyringTampered):
        unseal(changed(stanzas=[stanza, wrapped]), (kek,))
    with pytest.raises(KeyringFormatError, match="newer"):
        unseal(changed(format_version=2), (kek,))


def test_parts_of_another_file_of_the_same_kek(content, kek):
    """Parts swapped between two good files are refused."""
    other = json.loads(seal({"a": KeyRecord("a", [known()], 1)}, 2, (kek,)))
    for field in ("keyring", "stanzas", "header_mac", "payload"):
        with pytest.raises(KeyringTampered):
            unseal(indented(json.loads(content) | {field: other[field]}), (kek,))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"format": "tokenkit-keyring", "format": "tokenkit-keyring"}',
        b'{"format": NaN}',
        b'{"format": 1.5}',
        b'{"format": ' + b"9" * 5000 + b"}",
        b'{"format": "something else"}',
    ],
)
def test_other_files(text, kek):
    """What isn't a keyring is refused as such, and its text isn't kept in the error."""
    with pytest.raises(KeyringFormatError, match="no keyring") as caught:
        unseal(text, (kek,))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"format_version": True},
        {"format_version": "1"},
        {"format_version": 0},
        {"keyring": ""},
        {"keyring": "A" * 32},
        {"keyring": 1},
        {"signature": None},
        {"signature": {}},
        {"signature": {"public_key": "AAAA", "signature": "AAAA"}},
        {"stanzas": []},
        {"stanzas": {}},
        {"stanzas": [1]},
        {"stanzas": [{}] * 17},
        {"payload": 1},
        {"payload": "AA"},
        {"payload": "AB=="},
        {"payload": "A A="},
        {"payload": "é"},
        {"header_mac": "AAAA"},
        {"header_mac": None},
    ],
)
def test_other_fields_and_types(content, kek, change):
    """Unknown fields, wrong types and loose base64 are refused."""
    with pytest.raises(KeyringFormatError):
        unseal(indented(json.loads(content) | change), (kek,))


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"provider": 1},
        {"parameters": []},
        {"parameters": {"n": True}},
        {"parameters": {"n": 1, "x": {}}},
        {"parameters": {str(number): number for number in range(33)}},
        {"wrapped": "A"},
    ],
)
def test_other_stanzas(content, kek, change):
    """A stanza is held to its form as the rest is."""
    container = json.loads(content)
    container["stanzas"][0] |= change
    with pytest.raises(KeyringFormatError):
        unseal(indented(container), (kek,))


def test_reformatting_is_refused_but_for_line_ends(content, kek):
    """Version control's CRLF is read; any other spelling of the same JSON isn't."""
    assert unseal(content.replace(b"\n", b"\r\n"), (kek,)).generation == 1
    for other in (
        json.dumps(json.loads(content)).encode(),
        content.replace(b"  ", b"    "),
        content.replace(b'"format"', b'"\\u0066ormat"'),
        content.rstrip(b"\n"),
    ):
        with pytest.raises(KeyringFormatError):
            unseal(other, (kek,))


def test_oversized_file(path, kek):
    """A file larger than any keyring isn't even parsed."""
    path.write_bytes(b" " * (4 * 2**20 + 1))
    with pytest.raises(KeyringFormatError, match="larger"):
        open_keyring(path, kek)


def test_wrong_passphrase(path, kek, monkeypatch):
    """Another passphrase is a wrong KEK; the right one works afterwards."""
    create_keyring(path, ["a"], kek).close()
    monkeypatch.setenv("OTHER", "wrong")
    with pytest.raises(WrongKek, match="doesn't open") as caught:
        open_keyring(path, "passphrase:env:OTHER")
    assert "wrong" not in str(caught.value).replace("wrong KEK", "")
    open_keyring(path, "passphrase:env:KEYRING_PASSPHRASE").close()


def test_other_provider(content):
    """A KEK of another kind than any stanza's is a wrong KEK that names what is needed."""
    with pytest.raises(WrongKek) as caught:
        unseal(content, (PlainProvider(),))
    assert "passphrase" in str(caught.value)


def test_any_of_several_keks_opens_but_one_does_not_save(path, kek):
    """A file wrapped for two KEKs opens with each, and isn't saved with one: the other would go."""
    spare = PlainProvider()
    path.write_bytes(seal({"a": KeyRecord("a", [known()], 1)}, 1, (kek, spare)))
    for provider in (kek, spare):
        with open_keyring(path, provider) as ring:
            assert ring["a"].primary.number == 1
            with pytest.raises(KeyringError, match="2 KEKs"):
                ring.save()


def spellings(secret: bytes) -> Iterator[bytes]:
    """Give the ways in which bytes could stand in a file."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + secret)[4:-4]
    for window in range(len(secret) - 7):
        yield secret[window : window + 8]


def test_no_key_byte_in_clear(kek):
    """Known key bytes and the file key are nowhere in the file, in no spelling."""
    plain = PlainProvider()
    records = {"a": KeyRecord("a", [known()], 1)}
    seal(records, 1, (plain,))
    content = seal(records, 1, (kek,))
    texts = [content, *(base64.b64decode(json.loads(content)[f]) for f in ("payload",))]
    for text in texts:
        assert not any(spelling in text for spelling in spellings(SECRET))
    assert b'"a"' not in content


def test_each_save_has_a_fresh_file_key_and_salt(kek):
    """Two saves of the same keys share no file key, wrap, MAC or payload."""
    plain = PlainProvider()
    records = {"a": KeyRecord("a", [known()], 1)}
    keys = []
    for _ in range(2):
        seal(records, 1, (plain,))
        keys.append(plain.file_key)
    assert keys[0] != keys[1]
    one, two = (json.loads(seal(records, 1, (kek,))) for _ in range(2))
    assert one["header_mac"] != two["header_mac"]
    assert one["payload"] != two["payload"]
    assert one["stanzas"][0]["parameters"]["salt"] != two["stanzas"][0]["parameters"]["salt"]


def test_file_keys_are_wiped():
    """After sealing and after opening, and after failing to, the file key's bytes are zero."""
    plain = PlainProvider()
    content = seal({"a": KeyRecord("a", [known()], 1)}, 1, (plain,))
    assert plain.seen == bytes(32)
    unseal(content, (plain,))
    assert plain.seen == bytes(32)
    container = json.loads(content)
    with pytest.raises(KeyringTampered):
        unseal(indented(container | {"header_mac": base64.b64encode(bytes(32)).decode()}), (plain,))
    assert plain.seen == bytes(32)


def test_states_and_dates_round_trip(path, kek):
    """Disabled and destroyed versions keep state and dates; a destroyed one has no bytes."""
    versions = [
        known(1, state=KeyState.DESTROYED),
        known(2, bytes(32), KeyState.DISABLED),
        known(3),
    ]
    path.write_bytes(seal({"a": KeyRecord("a", versions, 3)}, 7, (kek,)))
    with open_keyring(path, kek) as ring:
        found = ring["a"].versions
        assert [version.state for version in found] == [version.state for version in versions]
        assert [version.handle is None for version in found] == [True, False, False]
        assert {version.created for version in found} == {NOW}
        assert ring.generation == 7
    with edit_keyring(path, kek) as ring:
        assert ring.rotate("a").number == 4
