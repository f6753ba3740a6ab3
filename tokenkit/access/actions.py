"""What can be done: the actions that grants and scopes name."""

from tokenkit.errors import InvalidAccess

TOKENIZE = "tokenize"
DETOKENIZE = "detokenize"
ACTIONS: tuple[str, ...] = (
    TOKENIZE,
    DETOKENIZE,
    "tokens.read",
    "tokens.write",
    "keys.read",
    "keys.write",
    "policies.read",
    "policies.write",
    "users.read",
    "users.write",
    "roles.read",
    "roles.write",
    "grants.read",
    "grants.write",
    "api-keys.read",
    "api-keys.write",
    "sessions.read",
    "sessions.write",
    "audit.read",
)
"""Every action there is."""

ADMINISTRATIVE = frozenset(
    action for action in ACTIONS if action.endswith(".write") and action != "tokens.write"
)
"""Changes to keys, policies and rights: a person's, with a second factor that is fresh."""

STEP_UP = ADMINISTRATIVE | {DETOKENIZE}
"""What asks a person for a fresh second factor."""

EVERYTHING = "*"


def checked_action(pattern: str) -> str:
    """Give back an action, ``AREA.*`` or ``*``.

    Raises
    ------
    InvalidAccess
        If it matches no action: a misspelt denial would deny nothing.

    Examples
    --------
    >>> checked_action("keys.*")
    'keys.*'
    """
    if not matching_actions(pattern):
        raise InvalidAccess(
            "there is no such action", reason="action", hint=f"use *, or of: {', '.join(ACTIONS)}"
        )
    return pattern


def matching_actions(pattern: str, *, denied: bool = False) -> frozenset[str]:
    """Give the actions that a pattern stands for.

    Turning tokens back is a right of its own: the pattern ``*`` doesn't give it, and denies it.

    Examples
    --------
    >>> sorted(matching_actions("keys.*"))
    ['keys.read', 'keys.write']
    >>> "detokenize" in matching_actions("*"), "detokenize" in matching_actions("*", denied=True)
    (False, True)
    """
    if pattern == EVERYTHING:
        return frozenset(ACTIONS) if denied else frozenset(ACTIONS) - {DETOKENIZE}
    area, dot, rest = pattern.partition(".")
    if dot and rest == "*":
        return frozenset(action for action in ACTIONS if action.startswith(f"{area}."))
    return frozenset({pattern}) & frozenset(ACTIONS)
