"""Tokens as the store keeps them: sealed, and found again by the seal itself.

AES-SIV always seals the same text alike. So the part of a sealed token that comes before its
ciphertext, the key version's id and the synthetic IV, is a keyed hash of the token: 21 bytes to
look for, which the rest needn't repeat. Whoever has the database alone learns no token, and can't
test guesses.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from tokenkit.access.sealing import access_key
from tokenkit.engines.arrow.arrays import transform_array
from tokenkit.engines.column import ColumnCall
from tokenkit.errors import InvalidValues, NotAuthentic, translated
from tokenkit.keys import Key, Keyring, KeyVersion
from tokenkit.policy.rule import ColumnRule

FINGERPRINT_BYTES = 21
"""A byte that says which form it is, four for the key version's id, sixteen for the SIV."""

_TOKENS = "tokenkit.service.tokens"
_DETAILS = "tokenkit.service.details"
_FINGERPRINT_TEXT = FINGERPRINT_BYTES * 4 // 3

Bound: TypeAlias = tuple[str, int, str, str]
"""What metadata is bound to: the caller's id, the key version's id, the domain and the token."""


@dataclass(frozen=True, slots=True)
class SealedToken:
    """A token at rest.

    Attributes
    ----------
    fingerprint
        What it is found by.
    sealed
        The rest of it; not in the repr.
    """

    fingerprint: bytes
    sealed: bytes = field(repr=False)


class TokenSealer:
    """Seals tokens, and what is noted beside them, under the key that seals secrets of users.

    Parameters
    ----------
    keyring
        Gives the keyring as it is now; see :func:`~tokenkit.access.sealing.access_key`.

    Examples
    --------
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"access": bytes(range(32))})
    >>> sealer = TokenSealer(lambda: ring)
    >>> made = sealer.seal(["4111119999991111"])[0]
    >>> sealer.fingerprints(["4111119999991111"]) == [[made.fingerprint]]
    True
    >>> sealer.open(made)
    '4111119999991111'
    """

    __slots__ = ("_keyring",)

    def __init__(self, keyring: Callable[[], Keyring]) -> None:
        self._keyring = keyring

    @property
    def key_id(self) -> int:
        """The id of the version that seals."""
        return self._key.primary.id

    @property
    def usable_ids(self) -> tuple[int, ...]:
        """The ids of the versions that can still find what they sealed, disabled ones too."""
        return tuple(version.id for version in self._versions())

    def seal(self, tokens: Sequence[str]) -> list[SealedToken]:
        """Seal tokens under the primary version."""
        texts = _transformed(tokens, self._key.primary, _TOKENS, reveal=False)
        return [
            SealedToken(whole[:FINGERPRINT_BYTES], whole[FINGERPRINT_BYTES:])
            for whole in map(_decoded, texts)
        ]

    def fingerprints(self, tokens: Sequence[str]) -> list[list[bytes]]:
        """Give for each token its fingerprints under every usable version, the primary's first."""
        columns = [
            [
                base64.urlsafe_b64decode(text[:_FINGERPRINT_TEXT])
                for text in _transformed(tokens, version, _TOKENS, reveal=False)
            ]
            for version in self._versions()
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def open(self, token: SealedToken) -> str:
        """Give the token back.

        Raises
        ------
        NotAuthentic
            If it was changed.
        KeyringError
            If the version that sealed it can't be used any more.
        """
        version = self._version_of(token.fingerprint)
        text = _encoded(token.fingerprint + token.sealed)
        return _transformed([text], version, _TOKENS, reveal=True)[0]

    def seal_details(self, notes: Sequence[tuple[Bound, dict[str, Any]]]) -> list[str]:
        """Seal what is noted beside tokens, each bound to whose and which token it is."""
        contents = [
            json.dumps([*bound, details], separators=(",", ":"), allow_nan=False)
            for bound, details in notes
        ]
        return _transformed(contents, self._key.primary, _DETAILS, reveal=False)

    def open_details(self, bound: Bound, sealed: str) -> dict[str, Any]:
        """Open what was noted; raises as :meth:`open` does."""
        version = self._version_of(_decoded(sealed))
        content = _transformed([sealed], version, _DETAILS, reveal=True)[0]
        *owner, details = json.loads(content)
        if owner != list(bound) or not isinstance(details, dict):
            raise NotAuthentic("what was noted belongs to another token")
        return details

    @property
    def _key(self) -> Key:
        # Asked for each time: the key may have been rotated in this process.
        return access_key(self._keyring())

    def _versions(self) -> list[KeyVersion]:
        key = self._key
        loaded = [version for version in key.versions if version.handle is not None]
        return sorted(loaded, key=lambda version: version.number != key.primary_number)

    def _version_of(self, content: bytes) -> KeyVersion:
        return self._key.version_with_id(int.from_bytes(content[1:5], "big"))


def _transformed(
    texts: Sequence[str], version: KeyVersion, domain: str, *, reveal: bool
) -> list[str]:
    rule = ColumnRule.build("text", key=version.name, domain=domain)
    call = ColumnCall(rule=rule, version=version, operation="detokenize" if reveal else "tokenize")
    try:
        array = pa.array(texts, pa.large_string())
    except (UnicodeError, pa.ArrowException):
        # Their text quotes the value.
        array = None
    if array is None:
        raise InvalidValues("a token is text in Unicode", reason="characters")
    with translated():
        turned: list[str] = transform_array(array, call).to_pylist()
    return turned


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
