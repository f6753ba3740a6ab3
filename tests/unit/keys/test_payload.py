"""A keyring's payload: what is authentic is still held to its form."""

import base64

import pytest

from tokenkit import _native
from tokenkit.errors import KeyringTampered
from tokenkit.keys import Stanza
from tokenkit.keys.file import unseal
from tokenkit.keys.strict_json import compact, indented

SECRET = bytes.fromhex("c0ffee" * 10 + "c0ff")


class PlainProvider:
    """Takes the file key as it stands in the stanza, so that tests can forge files."""

    scheme = "plain"

    def wrap(self, file_key):
        return Stanza(self.scheme, {}, bytes(file_key))

    def unwrap(self, stanza):
        return bytearray(stanza.wrapped)

    def describe(self):
        return "plain"


def forged(metadata: bytes, secrets: dict[int, bytes]) -> tuple[bytes, PlainProvider]:
    """Make an authentic file with metadata and keys of our choice."""
    file_key = bytearray(32)
    wrapped = base64.b64encode(file_key).decode()
    fields = {
        "format": "tokenkit-keyring",
        "format_version": 1,
        "keyring": "0" * 32,
        "stanzas": [{"provider": "plain", "parameters": {}, "wrapped": wrapped}],
    }
    header = compact(fields)
    handles = [_native.import_key(id_, bytearray(secret)) for id_, secret in secrets.items()]
    parts = {
        "header_mac": _native.header_mac(file_key, header),
        "payload": _native.seal_payload(file_key, header, metadata, handles),
    }
    written = {name: base64.b64encode(part).decode() for name, part in parts.items()}
    return indented(fields | written), PlainProvider()


def metadata(**changes: object) -> bytes:
    """Write a good payload's metadata, but for the changes."""
    handle = _native.import_key(77, bytearray(SECRET))
    version: dict[str, object] = {
        "number": 1,
        "id": 77,
        "check_value": handle.check_value.hex(),
        "state": "enabled",
        "created": "2025-01-31T12:00:00Z",
        "primary_since": None,
        "disabled": None,
        "destroyed": None,
    }
    key: dict[str, object] = {
        "name": "a",
        "primary": 1,
        "rotate_after": None,
        "versions": [version],
    }
    top: dict[str, object] = {"generation": 1, "keys": [key]}
    for part in (version, key, top):
        part.update({name: value for name, value in changes.items() if name in part})
    return compact(top)


def test_a_forged_file_of_the_right_form_opens():
    """The forgery of the tests below is good in itself, so that they prove what they say."""
    content, plain = forged(metadata(), {77: SECRET})
    assert unseal(content, (plain,)).records["a"].primary == 1


@pytest.mark.parametrize(
    ("inside", "secrets"),
    [
        (b"", {77: SECRET}),
        (b"{}", {77: SECRET}),
        (metadata, {}),
        (metadata, {77: bytes(32)}),
        (metadata, {78: SECRET}),
        (metadata, {77: SECRET, 78: SECRET}),
        ({"generation": 0}, {77: SECRET}),
        ({"generation": "1"}, {77: SECRET}),
        ({"name": "A"}, {77: SECRET}),
        ({"primary": 2}, {77: SECRET}),
        ({"number": 2}, {77: SECRET}),
        ({"versions": []}, {77: SECRET}),
        ({"state": "unknown"}, {77: SECRET}),
        ({"state": "destroyed"}, {77: SECRET}),
        ({"created": "2025-01-31"}, {77: SECRET}),
        ({"created": "2025-1-31T12:00:00Z"}, {77: SECRET}),
        ({"created": "9001-01-01T00:00:00Z"}, {77: SECRET}),
        ({"primary_since": "9999-12-31T00:00:00Z", "rotate_after": 36500}, {77: SECRET}),
        ({"generation": 2**63}, {77: SECRET}),
        ({"number": 2**32, "primary": 2**32}, {77: SECRET}),
        ({"number": 10**4000, "primary": 10**4000}, {77: SECRET}),
        ({"created": "2025-13-31T12:00:00Z"}, {77: SECRET}),
        ({"primary_since": 1}, {77: SECRET}),
        ({"state": "disabled"}, {77: SECRET}),
        ({"disabled": "2025-01-31T12:00:00Z"}, {77: SECRET}),
        ({"destroyed": "2025-01-31T12:00:00Z"}, {77: SECRET}),
        ({"rotate_after": 0}, {77: SECRET}),
        ({"rotate_after": "1"}, {77: SECRET}),
        ({"id": 0}, {77: SECRET}),
        ({"id": 2**32}, {77: SECRET}),
        ({"check_value": "00"}, {77: SECRET}),
        ({"keys": [1]}, {77: SECRET}),
    ],
)
def test_authentic_but_wrong_payloads(inside, secrets):
    """Even who holds the KEK can't make a file that opens to something half right."""
    text = inside if isinstance(inside, bytes) else metadata(**({} if callable(inside) else inside))
    content, plain = forged(text, secrets)
    with pytest.raises(KeyringTampered, match="not understood"):
        unseal(content, (plain,))


def test_a_refused_file_leaves_no_key_loaded():
    """After a refusal the id is free again, even while the error is kept."""
    content, plain = forged(metadata(generation=0), {77: SECRET})
    with pytest.raises(KeyringTampered) as caught:
        unseal(content, (plain,))
    _native.import_key(77, bytearray(32)).release()
    assert caught.value is not None
