"""Errors of Polars, Arrow and the native module, turned into tokenkit's own."""

import json
import re
from contextlib import ContextDecorator
from types import TracebackType

from tokenkit.errors import EngineError, NativeDefect, TokenkitError


def _tree(root: type[TokenkitError]) -> list[type[TokenkitError]]:
    return [root, *(found for child in root.__subclasses__() for found in _tree(child))]


BY_CODE: dict[str, type[TokenkitError]] = {found.code: found for found in _tree(TokenkitError)}
"""The class of each stable code."""

# A code counts only where the text begins, or follows what Polars and Arrow put before a plugin's
# own text. Further on it may stand in a value that a foreign error quotes, among other values.
_CODE = re.compile(
    r"(?:(?:\w+(?:Error|Exception)|External error|the plugin failed with message): )*"
    r"(TK\d{3}): ([^\n]*)"
)
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_NATIVE = re.compile(
    r"(?P<message>.*?)"
    rf"(?: \[(?:column=(?P<column>{_STRING}) ?)?(?:reason=(?P<reason>{_STRING}) ?)?"
    r"(?:count=(?P<count>\d+))?\])?"
    r"(?: hint: (?P<hint>.*))?",
    re.DOTALL,
)
_PANIC = "PanicException"


def from_polars(exc: BaseException) -> Exception:
    r"""Turn an error of Polars, Arrow or the native module into the tokenkit error it stands for.

    Parameters
    ----------
    exc
        What was caught. A :class:`TokenkitError` is given back as it is.

    Returns
    -------
    Exception
        The class whose code the text starts with, with its column, reason, count and hint, or an
        :class:`EngineError` that only names the foreign class. To raise it, :class:`translated`
        is the way: the foreign error doesn't stay attached.

    Examples
    --------
    >>> error = from_polars(ValueError('TK301: no [column="a [b] \\"c\\"" count=3] hint: look'))
    >>> type(error).__name__, error.message, error.column, error.count, error.hint
    ('InvalidValues', 'no', 'a [b] "c"', 3, 'look')
    >>> print(from_polars(ValueError("could not parse '4111111111111111'")).message)
    the data engine failed (ValueError)
    """
    if isinstance(exc, TokenkitError):
        return exc
    found = _CODE.match(str(exc))
    kind = BY_CODE.get(found[1]) if found else None
    if found and kind and (parts := _NATIVE.fullmatch(found[2])):
        return kind(
            parts["message"],
            column=_unquoted(parts["column"]),
            reason=_unquoted(parts["reason"]),
            count=int(parts["count"]) if parts["count"] else None,
            hint=parts["hint"] or None,
        )
    name = type(exc).__name__
    if name == _PANIC:
        return NativeDefect("the data engine panicked", hint="please report it, without any data")
    hint = "its message may quote values and is withheld; check column names, types and paths"
    return EngineError(f"the data engine failed ({name})", hint=hint)


class translated(ContextDecorator):  # noqa: N801 - used like a function, as contextlib's own are
    """Let no error of Polars or Arrow out: raise what :func:`from_polars` makes of it instead.

    A context manager and decorator. The raised error has no cause and no context, since the
    foreign one may quote values. ``KeyboardInterrupt``, ``SystemExit`` and the like pass.

    Examples
    --------
    >>> try:
    ...     with translated():
    ...         raise ValueError("could not parse '4111111111111111'")
    ... except EngineError as error:
    ...     print(error.message, error.__cause__, error.__context__)
    the data engine failed (ValueError) None None
    """

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc is None or isinstance(exc, TokenkitError):
            return
        # pyo3's panics derive from BaseException alone.
        if not isinstance(exc, Exception) and type(exc).__name__ != _PANIC:
            return
        error = from_polars(exc)
        try:
            raise error from None
        finally:
            # "from None" only hides the foreign error from tracebacks; it would still be reachable.
            error.__context__ = None


def _unquoted(quoted: str | None) -> str | None:
    return None if quoted is None else str(json.loads(quoted))
