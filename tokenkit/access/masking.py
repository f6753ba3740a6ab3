"""The masked view of plaintext: the last four characters, and nothing before them."""

import polars as pl

SHOWN = 4
SHORTEST = 8
"""Shorter values are hidden whole: four characters of six would be most of it."""


def masked(values: pl.Expr) -> pl.Expr:
    """Hide all but the last four characters of values, element by element.

    Parameters
    ----------
    values
        Strings, or anything that has a text; null stays null, and empty stays empty.

    Returns
    -------
    polars.Expr
        Strings as long as the values.

    Examples
    --------
    >>> frame = pl.DataFrame({"card": ["4539578763621486", "12345", None]})
    >>> frame.select(masked(pl.col("card")))["card"].to_list()
    ['************1486', '*****', None]
    """
    text = values.cast(pl.String)
    length = text.str.len_chars()
    shown = pl.when(length >= SHORTEST).then(SHOWN).otherwise(0)
    # Over every character, line ends among them.
    hidden = text.str.replace_all("(?s).", "*").str.head(length - shown)
    return pl.when(length == 0).then(text).otherwise(hidden + text.str.tail(shown))


def mask(value: str | int | None) -> str | None:
    """Hide all but the last four characters of one value, as :func:`masked` does of a column.

    Examples
    --------
    >>> mask("4539578763621486"), mask(12345), mask(None)
    ('************1486', '*****', None)
    """
    if value is None:
        return None
    text = str(value)
    shown = SHOWN if len(text) >= SHORTEST else 0
    return "*" * (len(text) - shown) + text[len(text) - shown :]
