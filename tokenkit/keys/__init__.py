"""Keys: keyrings, their files, and the key providers that wrap them.

Key bytes live in the native module, which hands out handles; nothing here shows, copies or pickles
them. See the token contract, "Keys and subkeys" and "Keyring file".
"""

from tokenkit.keys.current import current_keyring, forget_keyrings, use_keyring
from tokenkit.keys.key import Key, KeyKind, KeyState, KeyVersion
from tokenkit.keys.keyring import Keyring
from tokenkit.keys.opening import (
    accept_older,
    create_keyring,
    edit_keyring,
    open_keyring,
    rewrap,
)
from tokenkit.keys.pins import Pins
from tokenkit.keys.providers import KeyProvider, Stanza
from tokenkit.keys.usage import KeyUse, key_uses, on_use

__all__ = [
    "Key",
    "KeyKind",
    "KeyProvider",
    "KeyState",
    "KeyUse",
    "KeyVersion",
    "Keyring",
    "Pins",
    "Stanza",
    "accept_older",
    "create_keyring",
    "current_keyring",
    "edit_keyring",
    "forget_keyrings",
    "key_uses",
    "on_use",
    "open_keyring",
    "rewrap",
    "use_keyring",
]
