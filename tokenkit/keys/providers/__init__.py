"""Key providers: where key-encryption keys (KEKs) come from, each named by a URI.

``passphrase:``, ``rsa:``, ``pkcs11:``, ``aws-kms:`` and ``vault:`` are built in; other packages add
schemes through the entry-point group ``tokenkit.key_providers``.
"""

import importlib
import os
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from tokenkit.errors import KekNotConfigured, KeyProviderError, TokenkitError
from tokenkit.keys.providers.protocol import KeyProvider, Stanza

__all__ = ["ENTRY_POINTS", "KEK_VARIABLE", "KeyProvider", "Stanza", "resolve"]

KEK_VARIABLE = "TOKENKIT_KEK"
"""The environment variable that names the KEK where nothing else does."""

ENTRY_POINTS = "tokenkit.key_providers"
"""The entry-point group of other packages' providers."""

# Modules are named, not imported: each brings dependencies that only its users need.
_BUILT_IN = {
    "aws-kms": "tokenkit.keys.providers.aws_kms:AwsKmsProvider",
    "passphrase": "tokenkit.keys.providers.passphrase:PassphraseProvider",
    "pkcs11": "tokenkit.keys.providers.pkcs11:Pkcs11Provider",
    "rsa": "tokenkit.keys.providers.rsa:RsaProvider",
    "vault": "tokenkit.keys.providers.vault:VaultProvider",
}


def resolve(kek: str | KeyProvider | None = None) -> KeyProvider:
    """Find the key provider that a URI names.

    Parameters
    ----------
    kek
        A URI (``passphrase:env:NAME``, ...), a provider, which is given back as it is, or None for
        the URI in ``TOKENKIT_KEK``.

    Raises
    ------
    KekNotConfigured
        If no KEK is named at all.
    KeyProviderError
        If nothing provides the URI's scheme, or its provider refuses the rest.

    Examples
    --------
    >>> resolve("passphrase:env:KEYRING_PASSPHRASE").describe()
    'passphrase:env:KEYRING_PASSPHRASE'
    """
    if kek is None:
        kek = os.environ.get(KEK_VARIABLE, "")
        if not kek:
            raise KekNotConfigured(
                "nothing says where the keyring's key-encryption key (KEK) comes from",
                hint=f"pass kek= (on the command line --kek) or set {KEK_VARIABLE}, for example "
                f"export {KEK_VARIABLE}=passphrase:file:/run/secrets/keyring-passphrase; "
                "passphrase:env:NAME and passphrase:prompt work too",
            )
    if not isinstance(kek, str):
        return kek
    scheme, colon, rest = kek.partition(":")
    make = _factory(scheme) if colon else None
    if make is None:
        # The URI isn't quoted: a passphrase typed in its place would be shown.
        raise KeyProviderError(
            "the KEK's name doesn't start with the scheme of a known key provider",
            hint=f"use one of {', '.join(f'{known}:...' for known in _schemes())}, "
            "such as passphrase:env:NAME, passphrase:file:PATH or passphrase:prompt",
        )
    return make(rest)


def _factory(scheme: str) -> Callable[[str], KeyProvider] | None:
    if path := _BUILT_IN.get(scheme):
        module, _, name = path.partition(":")
        built_in: Callable[[str], KeyProvider] = getattr(importlib.import_module(module), name)
        return built_in
    found = next(iter(entry_points(group=ENTRY_POINTS, name=scheme)), None)
    return None if found is None else _loaded(found)


def _loaded(found: EntryPoint) -> Callable[[str], KeyProvider]:
    failure = None
    try:
        loaded: Callable[[str], KeyProvider] = found.load()
    except TokenkitError:
        raise
    except Exception as exc:  # noqa: BLE001 - another package's import may fail in any way
        failure = KeyProviderError(
            f'the key provider "{found.name}" can\'t be loaded ({type(exc).__name__})',
            hint=f'check the installation of the package that offers "{found.value}"',
        )
    else:
        return loaded
    raise failure


def _schemes() -> list[str]:
    return sorted({*_BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINTS))})
