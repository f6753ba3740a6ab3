"""Which key authenticates the audit log."""

import os

from tokenkit.errors import UnknownKey
from tokenkit.keys import Keyring, KeyState, KeyVersion

VARIABLE = "TOKENKIT_AUDIT_KEY"
NAME = "audit"


def audit_key(keyring: Keyring) -> KeyVersion:
    """Give the key version under which new audit records are chained.

    That is the primary version of the key that ``TOKENKIT_AUDIT_KEY`` names, else of the key named
    ``audit``, else of the first by name whose primary version is enabled.

    Raises
    ------
    UnknownKey
        If the keyring lacks the key that was named, or has none that is enabled.
    KeyVersionDisabled
        If the primary version of the key that was named is disabled or destroyed.

    Examples
    --------
    >>> with Keyring.from_secrets({"people": bytes(range(32)), "audit": bytes(32)}) as ring:
    ...     audit_key(ring).name
    'audit'
    """
    named = os.environ.get(VARIABLE) or (NAME if NAME in keyring else None)
    if named is not None:
        return keyring[named].primary
    for name in sorted(keyring):
        key = keyring[name]
        version = next(v for v in key.versions if v.number == key.primary_number)
        if version.state is KeyState.ENABLED:
            return version
    raise UnknownKey(
        "the keyring has no enabled key to authenticate the audit log with",
        hint="add one: tokenkit keys add FILE audit",
    )


def verifying_keys(keyring: Keyring) -> list[KeyVersion]:
    """Give every key version that may have authenticated a part of the log, disabled ones too.

    Examples
    --------
    >>> with Keyring.from_secrets({"people": bytes(range(32)), "audit": bytes(32)}) as ring:
    ...     [version.name for version in verifying_keys(ring)]
    ['people', 'audit']
    """
    versions = (version for name in keyring for version in keyring[name].versions)
    return [version for version in versions if version.handle is not None]
