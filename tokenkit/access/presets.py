"""Roles that a new installation starts with. They are rows like any other, and can be changed."""

from dataclasses import dataclass

from tokenkit.access.grants import Grant

ADMINISTRATOR = "administrator"
"""The role of the first administrator; its last member can't be disabled or leave it."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A role to start with.

    Examples
    --------
    >>> [preset.name for preset in PRESETS if preset.requires_mfa]
    ['administrator', 'key-officer', 'detokenizer']
    """

    name: str
    description: str
    requires_mfa: bool
    grants: tuple[Grant, ...]


def _allow(*actions: str) -> tuple[Grant, ...]:
    return tuple(Grant.build("allow", action, "*") for action in actions)


PRESETS = (
    Preset(
        ADMINISTRATOR,
        "Manages users, roles, grants, API keys and sessions; no tokens and no keys.",
        True,
        _allow("users.*", "roles.*", "grants.*", "api-keys.*", "sessions.*", "policies.read"),
    ),
    Preset(
        "key-officer",
        "Rotates, enables and disables keys, and changes policies.",
        True,
        _allow("keys.*", "policies.*"),
    ),
    Preset(
        "auditor",
        "Reads the audit log and everything that says who may do what.",
        False,
        _allow(
            "audit.read",
            "users.read",
            "roles.read",
            "grants.read",
            "api-keys.read",
            "sessions.read",
            "keys.read",
            "policies.read",
        ),
    ),
    Preset(
        "tokenizer",
        "Tokenizes under every policy and key; turns nothing back.",
        False,
        _allow("tokenize", "tokens.*", "policies.read"),
    ),
    Preset(
        "detokenizer",
        "Turns tokens back, for a stated purpose.",
        True,
        (
            Grant.build("allow", "detokenize", "*", purposes=()),
            *_allow("tokens.read", "policies.read"),
        ),
    ),
    Preset(
        "support",
        "Sees the last four characters of what a token stands for.",
        False,
        (Grant.build("masked", "detokenize", "*"), *_allow("tokens.read")),
    ),
)
