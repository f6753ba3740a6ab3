"""For whom a keyring's file key is wrapped, and which of the KEKs at hand are theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tokenkit.errors import KekNotConfigured, KeyringError, WrongKek
from tokenkit.keys.providers import KeyProvider, Stanza, resolve

FILE_KEY_BYTES = 32

Keks: TypeAlias = str | KeyProvider | Sequence[str | KeyProvider]
"""A key-encryption key, by its URI or as its provider, or several of them."""


def resolve_all(kek: Keks | None) -> tuple[KeyProvider, ...]:
    """Find the providers of one KEK or several; None is the one that the environment names.

    Raises
    ------
    KekNotConfigured, KeyProviderError
        As :func:`tokenkit.keys.providers.resolve` does.
    """
    if kek is None or isinstance(kek, str) or not isinstance(kek, Sequence):
        return (resolve(kek),)
    if not kek:
        raise KekNotConfigured("no KEK is named", hint="name at least one")
    return tuple(resolve(one) for one in kek)


@dataclass(slots=True)
class Wrapping:
    """The KEKs of a keyring file: its stanzas, and the providers at hand.

    Attributes
    ----------
    stanzas
        Those of the file.
    providers
        Those at hand; there may be fewer, or more.
    matched
        Which of them is known to be a stanza's, by the stanza's place.
    """

    stanzas: tuple[Stanza, ...]
    providers: tuple[KeyProvider, ...]
    matched: dict[int, KeyProvider] = field(default_factory=dict)

    @classmethod
    def anew(cls, providers: Sequence[KeyProvider]) -> "Wrapping":
        """Say for whom the next save wraps, whatever the file says now."""
        return cls((), tuple(providers), dict(enumerate(providers)))

    @property
    def kek_count(self) -> int:
        """How many KEKs open the file."""
        return max(len(self.stanzas), len(self.matched))

    def unwrap(self) -> tuple[bytearray, KeyProvider]:
        """Unwrap the file key with the first provider that can; the caller overwrites it.

        Raises
        ------
        WrongKek
            If no provider unwraps any stanza.
        """
        refusal: WrongKek | None = None
        for provider in self.providers:
            for place, stanza in enumerate(self.stanzas):
                if stanza.provider != provider.scheme:
                    continue
                try:
                    file_key = provider.unwrap(stanza)
                except WrongKek as exc:
                    refusal = exc
                    continue
                if len(file_key) == FILE_KEY_BYTES:
                    self.matched[place] = provider
                    return file_key, provider
        if refusal is not None:
            raise refusal
        named = ", ".join(provider.describe() for provider in self.providers)
        raise WrongKek(
            f"no stanza of the keyring can be unwrapped by {named}",
            hint="the keyring names "
            + ", ".join(sorted({repr(stanza.provider) for stanza in self.stanzas}))
            + ": give one of these as KEK, or restore the file from a copy",
        )

    def for_saving(self) -> list[KeyProvider]:
        """Find every stanza's provider, so that a save shuts nobody out.

        Raises
        ------
        KeyringError
            If a stanza's KEK isn't at hand.
        """
        for place, stanza in enumerate(self.stanzas):
            if place not in self.matched:
                for provider in self.providers:
                    if provider not in self.matched.values() and recognizes(provider, stanza):
                        self.matched[place] = provider
                        break
        lacking = [stanza for place, stanza in enumerate(self.stanzas) if place not in self.matched]
        if lacking:
            kinds = ", ".join(sorted(repr(stanza.provider) for stanza in lacking))
            raise KeyringError(
                f"the keyring is wrapped for {len(self.stanzas)} KEKs, and only "
                f"{len(self.matched)} of them given: saving would shut the others out "
                f"(lacking: {kinds})",
                hint="give all of them: kek=[...], on the command line --other-kek; of an RSA KEK "
                "the public key is enough. To leave a KEK out for good: tokenkit keys rewrap",
            )
        return [self.matched[place] for place in sorted(self.matched)]


def recognizes(provider: KeyProvider, stanza: Stanza) -> bool:
    """Whether a stanza is wrapped under the provider's KEK."""
    if stanza.provider != provider.scheme:
        return False
    told = getattr(provider, "recognizes", None)
    if told is not None:
        return bool(told(stanza))
    try:
        file_key = provider.unwrap(stanza)
    except WrongKek:
        return False
    file_key[:] = bytes(len(file_key))
    return True
