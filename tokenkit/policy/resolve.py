"""A policy against the columns of an input: what happens to each of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

from tokenkit.errors import PolicyError
from tokenkit.keys import Keyring
from tokenkit.policy.model import Fate, Policy
from tokenkit.policy.names import escaped
from tokenkit.policy.rule import ColumnRule


def resolve(
    policy: Policy,
    columns: Iterable[str],
    operation: Literal["tokenize", "detokenize"] = "tokenize",
    *,
    keyring: Keyring | None,
) -> dict[str, Fate]:
    """Say what happens to each column of an input.

    Parameters
    ----------
    policy
        The policy.
    columns
        The names of the input's columns.
    operation
        The way back doesn't need the columns that were dropped on the way there.
    keyring
        Is held against the policy's pins; None where nothing will be tokenized.

    Returns
    -------
    dict
        For each column, in the input's order, its rule, or ``"keep"`` or ``"drop"``.

    Raises
    ------
    PolicyError
        If the input lacks a column that the policy names, has none that fits a pattern, has one
        that the policy doesn't name while ``unlisted`` is ``error`` or that fits two patterns, has
        two of one name, or if a tweak column is missing or not kept.
    PinMismatch
        If the keyring isn't the one that the policy pins.

    Examples
    --------
    >>> policy = Policy.from_mapping({"columns": {"note": {"action": "drop"}}, "unlisted": "keep"})
    >>> resolve(policy, ["id", "note"], keyring=None)
    {'id': 'keep', 'note': 'drop'}
    """
    if keyring is not None and policy.pins.check_values:
        keyring.check_pins(policy.pins)
    names = list(columns)
    doubled = next((name for name, count in Counter(names).items() if count > 1), None)
    if doubled is not None:
        raise PolicyError(
            f'the input has more than one column "{doubled}"',
            column=doubled,
            hint="rename the columns: a policy can't tell them apart",
        )
    _require_named(policy, names, operation)
    found = {name: policy.fate(name) for name in names}
    unlisted = [name for name, fate in found.items() if fate is None]
    if unlisted:
        more = f" and {len(unlisted) - 1} more" if len(unlisted) > 1 else ""
        raise PolicyError(
            f'the policy does not say what happens to the column "{unlisted[0]}"{more}',
            column=unlisted[0],
            hint=_unlisted_hint(unlisted[0], policy),
        )
    fates = {name: fate for name, fate in found.items() if fate is not None}
    for name, fate in fates.items():
        if isinstance(fate, ColumnRule) and fate.tweak is not None:
            _check_tweak(name, fate.tweak, fates)
    return fates


def _require_named(policy: Policy, names: list[str], operation: str) -> None:
    there = set(names)
    for name, entry in policy.names.exact.items():
        needed = operation == "tokenize" or policy.columns[entry] != "drop"
        if needed and name not in there:
            raise PolicyError(
                f'the input has no column "{name}", which the policy names',
                column=name,
                hint=_missing_hint(name, names),
            )
    matched = {entry for name in names for entry in policy.names.matches(name)}
    for entry in policy.names.patterns:
        if entry in matched or (operation == "detokenize" and policy.columns[entry] == "drop"):
            continue
        literal = f'the column of that very name is written "{escaped(entry)}"'
        raise PolicyError(
            f'no column of the input fits the pattern "{entry}"',
            column=entry,
            hint=literal if entry in there else "correct it, or leave it out of the policy",
        )


def _check_tweak(name: str, tweak: str, fates: Mapping[str, Fate]) -> None:
    if tweak not in fates:
        raise PolicyError(
            f'the input has no column "{tweak}", which is the tweak of "{name}"',
            column=name,
            hint="tokens can be neither made nor turned back without their tweak",
        )
    if fates[tweak] != "keep":
        raise PolicyError(
            f'the tweak of "{name}" is the column "{tweak}", which the policy does not keep',
            column=name,
            hint=f'a tweak column stays in clear: "{tweak}": {{action: keep}}',
        )


def _missing_hint(name: str, columns: list[str]) -> str:
    close = get_close_matches(name, columns, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    # They aren't listed: in a file without a header, the names of the columns are values.
    return f"the input has {len(columns)} other columns; check its header and the policy's names"


def _unlisted_hint(name: str, policy: Policy) -> str:
    absent = get_close_matches(name, policy.names.exact, n=1)
    if absent:
        return f'did you mean it by "{absent[0]}"? Else name it: "{name}": {{action: keep}}'
    return f'name it, for example "{name}": {{action: keep}}, or say unlisted: keep or drop'
