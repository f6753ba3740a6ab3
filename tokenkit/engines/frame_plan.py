"""What a policy means for the columns of one frame: a call for each column that changes."""

from collections.abc import Mapping, Sequence

from tokenkit.engines.column import ColumnCall, Operation, VersionChoice, choose_version
from tokenkit.errors import PolicyError
from tokenkit.keys import Keyring
from tokenkit.policy import PolicySource, read_policy, resolve
from tokenkit.policy.rule import ColumnRule

Versions = Mapping[str, VersionChoice] | VersionChoice | None
"""Key versions by column, or one choice for all."""
FramePlan = dict[str, ColumnCall | None]
"""For each column of the output, in order: its call, or None if it stays as it is."""


def plan_frame(
    policy: PolicySource,
    columns: Sequence[str],
    operation: Operation,
    *,
    keyring: Keyring | None = None,
    versions: Versions = None,
) -> FramePlan:
    """Resolve a policy against a frame's columns, once.

    Raises
    ------
    PolicyError
        If the policy doesn't fit the columns, or ``versions`` names one that it doesn't tokenize.
    KeyringError
        If a key or version isn't there.
    """
    resolved = resolve(read_policy(policy), columns, operation)
    rules = {name: fate for name, fate in resolved.items() if isinstance(fate, ColumnRule)}
    if isinstance(versions, Mapping):
        foreign = [name for name in versions if name not in rules]
        if foreign:
            raise PolicyError(
                "versions name a column that the policy does not tokenize",
                column=str(foreign[0]),
                hint=f"it tokenizes {', '.join(rules) or 'none'}",
            )
    calls: FramePlan = {}
    for name, fate in resolved.items():
        if isinstance(fate, ColumnRule):
            chosen = versions.get(name) if isinstance(versions, Mapping) else versions
            version = choose_version(fate, operation, keyring=keyring, version=chosen)
            calls[name] = ColumnCall(rule=fate, version=version, operation=operation)
        elif fate == "keep":
            calls[name] = None
    return calls
