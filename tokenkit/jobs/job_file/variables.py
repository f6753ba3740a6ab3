"""Variables of job files: ``${NAME}``, whose values may be secrets."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tokenkit.errors import JobError

_REFERENCE: Final = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|)")


def names_in(value: object) -> frozenset[str]:
    """List the variables that texts name, however deep they stand.

    Examples
    --------
    >>> sorted(names_in({"url": "${URL}", "path": ["in/${DAY}.csv", "5 $$"]}))
    ['DAY', 'URL']
    """
    return frozenset(found[1] for text in _texts(value) for found in _found(text) if found[1])


def resolved(value: Any, variables: Mapping[str, str]) -> Any:
    """Put in the values of variables; ``$$`` becomes a dollar.

    Raises
    ------
    JobError
        If a variable has no value. No value is named.

    Examples
    --------
    >>> resolved({"path": "in/${DAY}.csv", "limit": 5}, {"DAY": "2026-11-23"})
    {'path': 'in/2026-11-23.csv', 'limit': 5}
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _value(found, variables), value)
    if isinstance(value, Mapping):
        return {name: resolved(item, variables) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(item, variables) for item in value]
    return value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found[0] == "$$":
        return "$"
    if not found[1]:
        raise JobError(
            "a dollar stands alone in the job file",
            hint="a variable is written ${NAME}, and a dollar $$",
        )
    if found[1] not in variables:
        raise JobError(
            f"the variable {found[1]} has no value",
            hint=f"--set {found[1]}=VALUE, or export {found[1]}=VALUE",
        )
    return variables[found[1]]


def _found(text: str) -> Iterator[re.Match[str]]:
    return _REFERENCE.finditer(text)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
