"""What systems and their packages raise, kept from showing: their text may quote values."""

from collections.abc import Callable
from types import TracebackType

from tokenkit.errors import ConnectorMissing, TokenkitError


class foreign_errors:  # noqa: N801 - used like a function, as contextlib's own are
    """Let no error of a system out: raise what ``explain`` makes of it instead.

    A context manager. The raised error has no cause and no context. Our own errors pass, and so do
    ``KeyboardInterrupt`` and the like.

    Parameters
    ----------
    explain
        Says in our own words what an error means.
    keep
        Another class that passes.

    Examples
    --------
    >>> from tokenkit.errors import ConnectorFailed
    >>> try:
    ...     with foreign_errors(lambda exc: ConnectorFailed("it failed")):
    ...         raise ValueError("could not parse '4111111111111111'")
    ... except ConnectorFailed as error:
    ...     print(error.message, error.__cause__, error.__context__)
    it failed None None
    """

    def __init__(
        self,
        explain: Callable[[Exception], TokenkitError],
        keep: type[Exception] | None = None,
    ) -> None:
        self._explain = explain
        self._kept = (TokenkitError,) if keep is None else (TokenkitError, keep)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if not isinstance(exc, Exception) or isinstance(exc, self._kept):
            return
        error = self._explain(exc)
        try:
            raise error from None
        finally:
            # "from None" only hides the foreign error from tracebacks; it would still be reachable.
            error.__context__ = None


class needing:  # noqa: N801 - used like a function
    """Say how a package is installed where importing it fails.

    A context manager.

    Parameters
    ----------
    extra
        The extra of this distribution that brings the package.

    Examples
    --------
    >>> try:
    ...     with needing("duckdb"):
    ...         raise ImportError("no such module", name="duckdb")
    ... except ConnectorMissing as error:
    ...     print(error)
    duckdb isn't installed
    hint: pip install 'tokenkit-vaultless-connectors[duckdb]'
    """

    def __init__(self, extra: str) -> None:
        self._extra = extra

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if isinstance(exc, ImportError):
            raise ConnectorMissing(
                f"{exc.name or 'a package'} isn't installed",
                hint=f"pip install 'tokenkit-vaultless-connectors[{self._extra}]'",
            ) from None
