"""Names as drawings show them: whoever names a file or a column shall not draw anything else."""

import unicodedata

from tokenkit.lineage.datasets import Dataset


def shown(name: str) -> str:
    r"""Escape what doesn't print: line ends, terminal codes, marks that turn the direction of text.

    Examples
    --------
    >>> print(shown("a\n\u202eb"))
    a\n\u202eb
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in name
    )


def width(text: str) -> int:
    """Give the width of a text in narrow letters; those of East Asia are wide.

    Examples
    --------
    >>> width("card"), width("卡号")
    (4, 4)
    """
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def shortened(text: str, most: int, *, end: bool = False) -> str:
    """Cut a text to a width, at its end or, with ``end``, keeping its end.

    Examples
    --------
    >>> shortened("customers.parquet", 10), shortened("customers.parquet", 10, end=True)
    ('customers…', '…s.parquet')
    """
    if width(text) <= most:
        return text
    kept: list[str] = []
    left = most - 1
    for char in reversed(text) if end else text:
        left -= width(char)
        if left < 0:
            break
        kept.append(char)
    return "…" + "".join(reversed(kept)) if end else "".join(kept) + "…"


def short_name(dataset: Dataset) -> str:
    """Give the part of a dataset's name by which people call it.

    Examples
    --------
    >>> short_name(Dataset("file", "/data/tokens/customers.parquet"))
    'customers.parquet'
    """
    return dataset.name.rstrip("/").rpartition("/")[2] or dataset.name
