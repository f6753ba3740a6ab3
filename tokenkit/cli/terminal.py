"""What may be shown on a terminal."""


def printable(text: str) -> str:
    r"""Escape control characters: a column or file may be named to take over the terminal.

    Examples
    --------
    >>> print(printable("a\nb"))
    a\nb
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
