"""The names of columns in a policy: exact names, and patterns with ``*``, ``?`` and ``[...]``."""

import fnmatch
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tokenkit.errors import PolicyError

_SPECIAL = re.compile(r"[*?[]")
# As fnmatch reads it: a bracket that nothing closes stands for itself.
_TOKEN = re.compile(r"\[(?P<set>!?\]?[^\]]*)\]|(?P<any>[*?])|(?P<plain>.)", re.DOTALL)


def exact_name(written: str) -> str | None:
    """Give the only name that a policy's entry can mean; None if the entry is a pattern.

    A character in brackets stands for itself, so that names with ``*``, ``?`` or ``[`` in them can
    be written.

    Examples
    --------
    >>> exact_name("card"), exact_name("price[*]"), exact_name("tel_*")
    ('card', 'price*', None)
    """
    name = []
    for found in _TOKEN.finditer(written):
        characters = found["set"]
        if found["any"] or (characters and len(characters) > 1):
            return None
        name.append(found[0] if characters in (None, "", "!") else characters)
    return "".join(name)


def escaped(name: str) -> str:
    """Write a column's name so that it is no pattern.

    Examples
    --------
    >>> escaped("price[*]")
    'price[[][*]]'
    """
    return _SPECIAL.sub(lambda found: f"[{found[0]}]", name)


class ColumnNames:
    """The entries of a policy, and which of them means a column.

    Parameters
    ----------
    entries
        Names and patterns, as the policy writes them.

    Raises
    ------
    PolicyError
        If two entries are spellings of one name.

    Examples
    --------
    >>> names = ColumnNames(["home_tel", "*_tel"])
    >>> names.entry("home_tel"), names.entry("work_tel"), names.entry("card")
    ('home_tel', '*_tel', None)
    """

    __slots__ = ("_exact", "_patterns")

    def __init__(self, entries: Iterable[str]) -> None:
        exact: dict[str, str] = {}
        patterns: dict[str, re.Pattern[str]] = {}
        for entry in entries:
            name = exact_name(entry)
            if name is None:
                patterns[entry] = re.compile(fnmatch.translate(entry))
            elif name in exact:
                raise PolicyError(
                    f'"{exact[name]}" and "{entry}" are the same column',
                    column=entry,
                    hint="leave one of them out",
                )
            else:
                exact[name] = entry
        self._exact = exact
        self._patterns = patterns

    @property
    def exact(self) -> Mapping[str, str]:
        """The names that stand in the policy as such, and how they are written there."""
        return MappingProxyType(self._exact)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The entries that are patterns."""
        return tuple(self._patterns)

    def matches(self, name: str) -> list[str]:
        """List the patterns that a name fits."""
        return [entry for entry, pattern in self._patterns.items() if pattern.match(name)]

    def entry(self, name: str) -> str | None:
        """Find the entry that says what happens to a column; an exact name wins over patterns.

        Raises
        ------
        PolicyError
            If two patterns fit and no exact name does.
        """
        if name in self._exact:
            return self._exact[name]
        fitting = self.matches(name)
        if len(fitting) > 1:
            raise PolicyError(
                f'the column "{name}" fits two patterns, "{fitting[0]}" and "{fitting[1]}"',
                column=name,
                hint=f'name it: "{escaped(name)}": ..., since an exact name wins',
            )
        return fitting[0] if fitting else None
