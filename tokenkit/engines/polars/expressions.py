"""Tokenization as typed Polars expressions: ``tokenkit.expr``.

The same functions stand on every expression as ``.tk``: ``pl.col("card").tk.tokenize(...)``.
"""

from typing import TypeAlias, Unpack

import polars as pl

from tokenkit.engines.column import ColumnCall, Operation, Output, choose_version
from tokenkit.engines.options import OnInvalidOutcome, OnInvalidValue, SchemeOptions, read_rule
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.errors import SchemeError

Column: TypeAlias = pl.Expr | str
"""A column: its name or an expression."""


def tokenize(
    column: Column,
    scheme: str,
    *,
    on_invalid: OnInvalidValue = "error",
    tweak: Column | None = None,
    **options: Unpack[SchemeOptions],
) -> pl.Expr:
    """Replace the values of a column by tokens.

    Parameters
    ----------
    column
        Strings or categoricals, or integers with a ``width``. Nulls stay null and the empty string
        stays empty.
    scheme
        The name of a scheme; ``tokenkit schemes`` lists them.
    on_invalid
        What becomes of values that don't fit: ``"error"`` makes the query fail and says how many
        there are and why, ``"null"`` makes them null, ``"seal"`` makes them sealed tokens, which
        come back but don't keep the format. They never come out in clear.
    tweak
        A column of strings, such as a tenant: equal values with other tweaks get other tokens. A
        value whose tweak is null doesn't fit.
    **options
        ``key`` and the others of :class:`~tokenkit.engines.options.SchemeOptions`.

    Returns
    -------
    polars.Expr
        Tokens in the type of the column.

    Raises
    ------
    SchemeError
        If the scheme or a parameter is wrong.
    DomainTooSmall
        If the shortest accepted value has fewer than 1,000,000 possible tokens.
    KeyringError
        If the key isn't there. Keys are found when the expression is built.

    Notes
    -----
    The plan names the key version by id and check value and holds no key. The process that runs it
    needs the keyring open, or fails with :class:`~tokenkit.errors.KeyNotLoaded`.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"payments": bytes(range(32))})
    >>> df = pl.DataFrame({"card": ["4111 1111 1111 1111", None]})
    >>> df.select(tk.expr.tokenize("card", "credit-card", key="payments", keyring=ring))
    shape: (2, 1)
    ┌─────────────────────┐
    │ card                │
    │ ---                 │
    │ str                 │
    ╞═════════════════════╡
    │ ...                 │
    │ null                │
    └─────────────────────┘
    """
    return _expression(column, "tokenize", "token", scheme, on_invalid, tweak, options)


def detokenize(
    column: Column,
    scheme: str,
    *,
    on_invalid: OnInvalidValue = "error",
    tweak: Column | None = None,
    **options: Unpack[SchemeOptions],
) -> pl.Expr:
    """Turn tokens back into the values that they stand for.

    Parameters
    ----------
    column
        Tokens, in the type in which they came.
    scheme
        The scheme that they were made with.
    on_invalid
        What becomes of values that aren't tokens of the scheme: ``"error"`` or ``"null"``. With
        ``"seal"``, sealed tokens are opened and others are an error.
    tweak
        The tweak column that they were made with.
    **options
        ``key`` and the others of :class:`~tokenkit.engines.options.SchemeOptions`, as they were
        for :func:`tokenize`. ``version`` is needed once the key has had more than one.

    Returns
    -------
    polars.Expr
        Values in the type of the column.

    Raises
    ------
    KeyVersionUnknown
        If the key has had several versions and ``version`` doesn't say which.
    SchemeError, DomainTooSmall, KeyringError
        As for :func:`tokenize`.

    Notes
    -----
    Format-preserving tokens carry no proof: a wrong key, domain or version gives plausible garbage.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> df = pl.DataFrame({"id": ["0042719365"]})
    >>> tokens = df.select(tk.expr.tokenize("id", "digits", key=ring["people"]))
    >>> tokens.select(tk.expr.detokenize("id", "digits", key="people", keyring=ring)).item()
    '0042719365'
    """
    return _expression(column, "detokenize", "token", scheme, on_invalid, tweak, options)


def try_tokenize(
    column: Column,
    scheme: str,
    *,
    on_invalid: OnInvalidOutcome = "null",
    tweak: Column | None = None,
    **options: Unpack[SchemeOptions],
) -> pl.Expr:
    """Replace values by tokens, and say of each value that doesn't fit why.

    Parameters
    ----------
    column, scheme, tweak, **options
        As for :func:`tokenize`.
    on_invalid
        ``"seal"`` gives a sealed token beside the reason, ``"null"`` none.

    Returns
    -------
    polars.Expr
        ``Struct{token, reason}``: the token, or null and a reason code (``too_short``,
        ``too_long``, ``character``, ``check_digit``, ``range``, ``pattern``, ``encoding``,
        ``type``, ``integrity``, ``tweak``).

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"payments": bytes(range(32))})
    >>> df = pl.DataFrame({"card": ["4111111111111112"]})
    >>> outcome = tk.expr.try_tokenize("card", "credit-card", key="payments", keyring=ring)
    >>> df.select(outcome).item()
    {'token': None, 'reason': 'check_digit'}
    """
    return _expression(column, "tokenize", "outcome", scheme, on_invalid, tweak, options)


def try_detokenize(
    column: Column,
    scheme: str,
    *,
    on_invalid: OnInvalidOutcome = "null",
    tweak: Column | None = None,
    **options: Unpack[SchemeOptions],
) -> pl.Expr:
    """Turn tokens back, and say of each value that isn't a token why.

    Parameters
    ----------
    column, scheme, tweak, **options
        As for :func:`detokenize`.
    on_invalid
        ``"seal"`` opens sealed tokens too.

    Returns
    -------
    polars.Expr
        ``Struct{token, reason}``, where ``token`` holds the value: the struct has the same fields
        in both directions.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"notes": bytes(range(32))})
    >>> df = pl.DataFrame({"note": ["no token"]})
    >>> df.select(tk.expr.try_detokenize("note", "text", key="notes", keyring=ring)).item()
    {'token': None, 'reason': 'encoding'}
    """
    return _expression(column, "detokenize", "outcome", scheme, on_invalid, tweak, options)


def _expression(
    column: Column,
    operation: Operation,
    output: Output,
    scheme: str,
    on_invalid: OnInvalidValue,
    tweak: Column | None,
    options: SchemeOptions,
) -> pl.Expr:
    rule = read_rule(scheme, on_invalid, options)
    call = ColumnCall(
        rule=rule,
        version=choose_version(
            rule,
            operation,
            key=options["key"],
            keyring=options.get("keyring"),
            version=options.get("version"),
        ),
        operation=operation,
        output=output,
        has_tweak_column=tweak is not None,
    )
    return column_expression(_column(column), call, None if tweak is None else _column(tweak))


def _column(column: Column) -> pl.Expr:
    if isinstance(column, pl.Expr):
        return column
    if isinstance(column, str):
        return pl.col(column)
    raise SchemeError(
        "a column is its name or a Polars expression", hint='pl.col("card") or "card"'
    )
