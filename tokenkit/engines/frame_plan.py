"""What a policy means for the columns of one frame: a call for each column that changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from tokenkit.engines.column import ColumnCall, Operation, VersionChoice, choose_version
from tokenkit.errors import MetadataMismatch, PolicyError
from tokenkit.keys import Keyring, current_keyring
from tokenkit.policy import Metadata, PolicySource, VerifiedMetadata, read_policy, resolve
from tokenkit.policy.rule import ColumnRule

Versions = Mapping[str, VersionChoice] | VersionChoice | None
"""Key versions by column, or one choice for all."""
Recorded: TypeAlias = Metadata | VerifiedMetadata
"""How tokens were made: metadata as it was read, or as :meth:`Metadata.verify` gives it."""
FramePlan = dict[str, ColumnCall | None]
"""For each column of the output, in order: its call, or None if it stays as it is."""


def plan_frame(
    policy: PolicySource | None,
    columns: Sequence[str],
    operation: Operation,
    *,
    keyring: Keyring | None = None,
    versions: Versions = None,
    recorded: Recorded | None = None,
) -> FramePlan:
    """Say what happens to each of a frame's columns, once, by policy or by metadata.

    Raises
    ------
    PolicyError
        If there is no policy or it doesn't fit the columns, if ``versions`` names a column that it
        doesn't tokenize, or if it sets rows aside, which frames have no place for.
    MetadataError
        If the metadata can't be trusted, or is about other columns.
    KeyringError
        If a key or version isn't there.
    """
    if recorded is not None:
        if policy is not None or versions is not None:
            raise PolicyError(
                "metadata says how tokens were made, key versions among it",
                hint="give columns=..., or a policy and versions=..., not both",
            )
        return _plan_recorded(recorded, columns, keyring)
    if policy is None:
        raise PolicyError(
            f"nothing says how to {operation} the columns",
            hint="give a policy, or the metadata of tokens as columns=...",
        )
    read = read_policy(policy)
    if read.pins.check_values and keyring is None:
        keyring = current_keyring()
    resolved = resolve(
        read,
        columns,
        "tokenize" if operation == "tokenize" else "detokenize",
        keyring=keyring,
    )
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
            rule = _without_rejects(name, fate, operation)
            chosen = versions.get(name) if isinstance(versions, Mapping) else versions
            version = choose_version(rule, operation, keyring=keyring, version=chosen)
            calls[name] = ColumnCall(rule=rule, version=version, operation=operation)
        elif fate == "keep":
            calls[name] = None
    return calls


def _without_rejects(name: str, rule: ColumnRule, operation: Operation) -> ColumnRule:
    if rule.on_invalid != "reject":
        return rule
    if operation == "tokenize":
        raise PolicyError(
            "the policy sets rows aside (on_invalid: reject), and a frame has no place for them",
            column=name,
            hint="tokenkit.apply(frame, policy) gives them beside the frame",
        )
    # Every row was made from one that fitted, so what is no token is an error.
    return replace(rule, on_invalid="error")


def _plan_recorded(
    recorded: Recorded, columns: Sequence[str], keyring: Keyring | None
) -> FramePlan:
    if isinstance(recorded, Metadata):
        recorded = recorded.verify(current_keyring() if keyring is None else keyring)
    if not isinstance(recorded, Mapping):
        raise PolicyError(
            "columns is metadata of tokens", hint="tokenkit.read_metadata(path) reads it"
        )
    doubled = [name for name in recorded if list(columns).count(name) > 1]
    if doubled:
        raise PolicyError(
            "the frame has more than one column of this name",
            column=doubled[0],
            hint="rename the columns: metadata can't tell them apart",
        )
    if recorded and not set(recorded) & set(columns):
        raise MetadataMismatch(
            "the frame has none of the columns that the metadata describes",
            hint="columns need the names that they were written with",
        )
    calls: FramePlan = dict.fromkeys(columns)
    for name in columns:
        if name not in recorded:
            continue
        rule, version = recorded[name]
        if rule.tweak is not None and rule.tweak not in columns:
            raise MetadataMismatch(
                f'the frame lacks "{rule.tweak}", the tweak of this column',
                column=name,
                hint="tokens can't be turned back without their tweak",
            )
        # What the policy said of values that don't fit was not said of damaged tokens.
        strict = replace(rule, on_invalid="seal" if rule.on_invalid == "seal" else "error")
        calls[name] = ColumnCall(rule=strict, version=version, operation="detokenize")
    return calls
