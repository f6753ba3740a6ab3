"""What may be shown on a terminal."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def table_console() -> "Console":
    """Give a console for wide tables.

    Lines that go into a file or another program aren't cut to a terminal's width.
    """
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


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
