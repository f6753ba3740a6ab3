"""Tokens of one value, under every key version that may have made them, to search with."""

from dataclasses import replace
from typing import Any

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.options import SchemeOptions, read_rule
from tokenkit.errors import PolicyError, SchemeError
from tokenkit.keys import Key, Keyring, KeyState, current_keyring
from tokenkit.policy import PolicySource, read_policy
from tokenkit.policy.rule import ColumnRule


def search_tokens(
    value: str | int,
    scheme: str | None = None,
    *,
    policy: PolicySource | None = None,
    column: str | None = None,
    tweak: str | None = None,
    **options: Any,
) -> dict[int, str | int]:
    """Give the tokens of a value, one for each enabled version of its key.

    After a rotation a column may hold tokens of several versions, and a search has to look for each
    of them. The tokens are computed here and now: put them into an expression or a query, so that
    the value itself enters no plan and no query history.

    Parameters
    ----------
    value
        The value to look for, as the column holds it: text, or an integer.
    scheme
        The scheme's name, with ``key`` and the other options of :func:`tokenkit.expr.tokenize`.
    policy, column
        Instead of a scheme: a policy, and the column whose rule counts.
    tweak
        The value's tweak, where the column has one.
    **options
        ``key``, ``keyring`` and the scheme's parameters. With a policy only ``keyring``.

    Returns
    -------
    dict
        For each version number the token, ascending.

    Raises
    ------
    InvalidValues
        If the value doesn't fit the scheme.
    PolicyError, SchemeError
        If the policy has no such column, or an option is wrong.
    KeyringError
        If the key isn't there.

    Notes
    -----
    Whoever may call this can test guesses; so can whoever may tokenize.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> us_ssn = {"scheme": "us-ssn", "key": "people"}
    >>> tokens = tk.tokenize(
    ...     pl.DataFrame({"ssn": ["078-05-1120"]}), {"columns": {"ssn": us_ssn}}, keyring=ring
    ... )
    >>> found = tk.search_tokens("078-05-1120", "us-ssn", key="people", keyring=ring)
    >>> tokens.filter(pl.col("ssn").is_in(list(found.values()))).height, list(found)
    (1, [1])
    """
    rule, key = _rule(scheme, policy, column, options)
    # A scheme by itself says nothing of a tweak; a policy's column does.
    if policy is not None and (tweak is None) != (rule.tweak is None):
        raise PolicyError(
            "the column has a tweak, and none is given"
            if tweak is None
            else "the column has no tweak",
            column=column,
            hint='tweak="value of the tweak column"',
        )
    return {
        version.number: _token(
            value,
            tweak,
            ColumnCall(
                rule=rule,
                version=version,
                operation="tokenize",
                has_tweak_column=tweak is not None,
            ),
            column or "",
        )
        for version in key.versions
        # A key of one algorithm made no token by another.
        if version.state is KeyState.ENABLED and version.kind.does(rule.scheme.algorithm)
    }


def _rule(
    scheme: str | None, policy: PolicySource | None, column: str | None, options: dict[str, Any]
) -> tuple[ColumnRule, Key]:
    ring = options.get("keyring")
    if policy is None:
        if scheme is None:
            raise SchemeError(
                "nothing says how tokens are made",
                hint='search_tokens(value, "us-ssn", key="people"), or policy=..., column=...',
            )
        given: SchemeOptions = options  # type: ignore[assignment]  # read_rule checks the names
        rule = read_rule(scheme, "error", given)
        chosen = options["key"]
        return rule, chosen if isinstance(chosen, Key) else _found(rule, ring)
    fate = None if column is None else read_policy(policy).fate(column)
    if scheme is not None or set(options) - {"keyring"} or not isinstance(fate, ColumnRule):
        raise PolicyError(
            "with a policy, a column that it tokenizes is named, and no scheme or parameter",
            column=column,
            hint='search_tokens(value, policy="policy.yaml", column="ssn")',
        )
    # A value that a job would set aside or make null has no token to look for.
    strict = fate if fate.on_invalid == "seal" else replace(fate, on_invalid="error")
    return strict, _found(fate, ring)


def _found(rule: ColumnRule, ring: Keyring | None) -> Key:
    return (current_keyring() if ring is None else ring)[rule.key]


def _token(value: str | int, tweak: str | None, call: ColumnCall, name: str) -> Any:
    # pyarrow takes longer to import than everything else; a search is worth it.
    import pyarrow as pa  # noqa: PLC0415

    from tokenkit.engines.arrow.arrays import transform_array  # noqa: PLC0415

    tweaks = None if tweak is None else pa.array([tweak], type=pa.string())
    kind = pa.int64() if isinstance(value, int) else pa.string()
    return transform_array(pa.array([value], type=kind), call, name, tweaks)[0].as_py()
