"""What the lines of an NDJSON file hold, found in the native module."""

from collections.abc import Iterable, Mapping

from tokenkit import _native
from tokenkit.errors import InputError


class JsonLines:
    r"""Finds the keys of NDJSON objects, and what their values are.

    Refused are lines that are no JSON object, keys that stand in one object twice, are empty or
    hold a NUL, and halves of surrogate pairs.

    Parameters
    ----------
    names
        The keys that there may be; by default any.
    file
        What errors call the file.

    Examples
    --------
    >>> lines = JsonLines()
    >>> lines.feed('{"id": 1, "note": "a"}\n{"id": -2.5}\n', 1)
    >>> lines.rows, lines.columns()["id"]
    (2, {'integer': 1, 'fraction': 2})
    """

    def __init__(self, names: Iterable[str] | None = None, *, file: str | None = None) -> None:
        self._native = _native.JsonLines(None if names is None else list(names))
        self._file = file

    @property
    def rows(self) -> int:
        """Objects so far; blank lines are none."""
        return self._native.rows

    def feed(self, text: str, first_line: int) -> None:
        """Look at whole lines.

        Parameters
        ----------
        text
            The lines.
        first_line
            The number of the first of them, from 1.

        Raises
        ------
        InputError
            For the first line that can't be accepted.
        """
        try:
            self._native.feed(text, first_line)
        except InputError as error:
            error.file = self._file
            raise

    def columns(self) -> dict[str, Mapping[str, int]]:
        """Give what is known of each key's values, in the order in which the keys appeared.

        Returns
        -------
        dict
            For each key the line on which each of these was first seen: ``text``, ``integer``,
            ``fraction`` (a number with a point or an exponent), ``boolean``, ``null``, ``list``,
            ``object``; ``negative`` integers, ``unsigned`` ones above the signed 64-bit range and
            ``beyond`` every 64-bit range; ``negative_zero``; ``inexact_fraction`` and
            ``inexact_integer``, which no 64-bit float holds exactly.
        """
        return dict(self._native.columns())
