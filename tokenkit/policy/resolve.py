"""A policy against the columns of an input: what happens to each of them."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

from tokenkit.errors import PolicyError
from tokenkit.policy.model import Fate, Policy


def resolve(
    policy: Policy,
    columns: Iterable[str],
    operation: Literal["tokenize", "detokenize"] = "tokenize",
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

    Returns
    -------
    dict
        For each column, in the input's order, its rule, or ``"keep"`` or ``"drop"``.

    Raises
    ------
    PolicyError
        If the input lacks a column that the policy names, has one that the policy doesn't name
        while ``unlisted`` is ``error``, or has two of one name.

    Examples
    --------
    >>> policy = Policy.from_mapping({"columns": {"note": {"action": "drop"}}, "unlisted": "keep"})
    >>> resolve(policy, ["id", "note"])
    {'id': 'keep', 'note': 'drop'}
    """
    names = list(columns)
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise PolicyError(
            f'the input has more than one column "{doubled}"',
            column=doubled,
            hint="rename the columns: a policy can't tell them apart",
        )
    for name, fate in policy.columns.items():
        if name not in names and not (operation == "detokenize" and fate == "drop"):
            raise PolicyError(
                f'the input has no column "{name}", which the policy names',
                column=name,
                hint=_missing_hint(name, names),
            )
    unlisted = [name for name in names if name not in policy.columns]
    if unlisted and policy.unlisted == "error":
        more = f" and {len(unlisted) - 1} more" if len(unlisted) > 1 else ""
        raise PolicyError(
            f'the policy does not say what happens to the column "{unlisted[0]}"{more}',
            column=unlisted[0],
            hint=_unlisted_hint(unlisted[0], policy),
        )
    rest: Fate = "drop" if policy.unlisted == "drop" else "keep"
    return {name: policy.columns.get(name, rest) for name in names}


def _missing_hint(name: str, columns: list[str]) -> str:
    if set(name) & set("*?"):
        return "this release does not have patterns of column names yet: name each column"
    close = get_close_matches(name, columns, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    # They aren't listed: in a file without a header, the names of the columns are values.
    return f"the input has {len(columns)} other columns; check its header and the policy's names"


def _unlisted_hint(name: str, policy: Policy) -> str:
    absent = get_close_matches(name, policy.columns, n=1)
    if absent:
        return f'did you mean it by "{absent[0]}"? Else name it: "{name}": {{action: keep}}'
    return f'name it, for example "{name}": {{action: keep}}, or say unlisted: keep or drop'
