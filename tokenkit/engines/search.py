"""Tokens of one value, under every key version that may have made them, to search with."""

from dataclasses import replace
from typing import Any

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.options import SchemeOptions, read_rule
from tokenkit.errors import InvalidValues, PolicyError, SchemeError, UnsupportedType, translated
from tokenkit.keys import Key, Keyring, current_keyring
from tokenkit.policy import PolicySource, read_policy
from tokenkit.policy.rule import ColumnRule

_LEAST, _MOST = -(2**63), 2**64 - 1


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
        If the value doesn't fit the scheme; with ``on_invalid`` ``"seal"`` it has sealed tokens.
    UnsupportedType
        If it is neither text nor a whole number.
    PolicyError, SchemeError
        If the policy has no such column, or an option is wrong.
    KeyringError
        If the key isn't there, or has no enabled version.

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
    # A key of one algorithm made no token by another. An empty answer would look like a value that
    # is nowhere: the primary version says what is up.
    does = [version for version in key.enabled if version.kind.does(rule.scheme.algorithm)]
    versions = does or [key.primary]
    values = _array(value, numbers=True)
    tweaks = None if tweak is None else _array(tweak, numbers=False)
    return {
        version.number: _token(
            values,
            tweaks,
            ColumnCall(
                rule=rule,
                version=version,
                operation="tokenize",
                output="outcome",
                has_tweak_column=tweak is not None,
            ),
            column,
        )
        for version in versions
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
        given: SchemeOptions = {**options}  # type: ignore[typeddict-item]  # read_rule checks them
        if options.get("version") is not None:
            raise SchemeError("a search covers every enabled version", hint="leave version out")
        on_invalid = given.pop("on_invalid", "null")  # type: ignore[typeddict-item]
        if on_invalid == "error":
            # An error of its own says why there is no token.
            on_invalid = "null"
        rule = read_rule(scheme, on_invalid, given)
        chosen = options["key"]
        return rule, chosen if isinstance(chosen, Key) else _found(rule, ring)
    fate = None if column is None else read_policy(policy).fate(column)
    if scheme is not None or set(options) - {"keyring"} or not isinstance(fate, ColumnRule):
        raise PolicyError(
            "with a policy, a column that it tokenizes is named, and no scheme or parameter",
            column=column,
            hint='search_tokens(value, policy="policy.yaml", column="ssn")',
        )
    # Only sealing gives a token to a value that doesn't fit; else the outcome says why not.
    lenient = fate if fate.on_invalid == "seal" else replace(fate, on_invalid="null")
    return lenient, _found(fate, ring)


def _found(rule: ColumnRule, ring: Keyring | None) -> Key:
    return (current_keyring() if ring is None else ring)[rule.key]


def _array(value: object, *, numbers: bool) -> Any:
    """Put a value into an Arrow array; errors of pyarrow and of codecs would hold the value."""
    # pyarrow takes longer to import than everything else; a search is worth it.
    import pyarrow as pa  # noqa: PLC0415

    if numbers and type(value) is int:
        if not _LEAST <= value <= _MOST:
            raise _misfit("range", None)
        return pa.array([value], pa.int64() if value < 0 else pa.uint64())
    if type(value) is not str:
        raise UnsupportedType(
            "a value to search for is text or a whole number, its tweak is text",
            hint="str(...) makes text of it",
        )
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        encoded = None
    if encoded is None:
        raise _misfit("encoding", None)
    return pa.array([encoded], pa.large_binary()).cast(pa.large_string())


def _token(value: Any, tweak: Any, call: ColumnCall, column: str | None) -> Any:
    from tokenkit.engines.arrow.arrays import transform_array  # noqa: PLC0415

    with translated():
        found = transform_array(value, call, column or "", tweak)[0].as_py()
    if found["token"] is None:
        raise _misfit(found["reason"], column)
    return found["token"]


def _misfit(reason: str, column: str | None) -> InvalidValues:
    return InvalidValues(
        "the value doesn't fit the scheme, and has no token",
        column=column,
        reason=reason,
        hint="give it as the column has it: separators, leading zeros and letter case count",
    )
