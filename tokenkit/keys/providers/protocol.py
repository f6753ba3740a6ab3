"""What a key provider is: something that wraps and unwraps a keyring's file key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Stanza:
    """A file key wrapped by one KEK, as it stands in the keyring file.

    Attributes
    ----------
    provider
        The scheme of the provider that wrote it, which is the one that can read it.
    parameters
        What the provider needs to unwrap, in clear: strings and whole numbers. They are
        authenticated only once the file key is known, so a provider checks them before use.
    wrapped
        The wrapped file key.
    """

    provider: str
    parameters: Mapping[str, str | int]
    wrapped: bytes


@runtime_checkable
class KeyProvider(Protocol):
    """Holds a key-encryption key (KEK), or knows who does.

    Another package offers one through the entry-point group ``tokenkit.key_providers``: the entry
    point's name is the URI's scheme, its object a callable that takes what stands behind the
    scheme and the colon and returns a provider.
    """

    @property
    def scheme(self) -> str:
        """The scheme of its URIs and stanzas."""
        ...

    def wrap(self, file_key: bytearray) -> Stanza:
        """Wrap a file key of 32 bytes, without keeping or changing it."""
        ...

    def unwrap(self, stanza: Stanza) -> bytearray:
        """Unwrap a file key; the caller overwrites it after use.

        Raises
        ------
        WrongKek
            If the KEK is another one, or the stanza is damaged.
        KeyringFormatError
            If the parameters aren't this provider's, or ask for too much work.
        """
        ...

    def describe(self) -> str:
        """Name the KEK for people, without any secret."""
        ...
