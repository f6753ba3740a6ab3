"""What SQLAlchemy and its drivers raise, in our own words: their text may quote values."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tokenkit.errors import SchemaOutdated, StoreError, StoreUnavailable

_MISSING = {"42P01", "42703", "42883", "3F000"}
"""SQLSTATE: no such table, column, function or schema."""
_REFUSED = "42501"
_NO_ROLES = "TK001"
"""What the first migration raises if it may not make the roles."""
_READ_ONLY = "25006"
_LOGIN = {"28000", "28P01", "3D000"}


@contextmanager
def store_errors(place: str) -> Iterator[None]:
    """Turn what the database raises into a :class:`~tokenkit.errors.StoreError`.

    Parameters
    ----------
    place
        Which database, in words.

    Raises
    ------
    StoreUnavailable
        If it can't be reached, or broke off.
    SchemaOutdated
        If a table or column isn't there.
    StoreError
        If it refuses for another reason.
    """
    error: StoreError
    try:
        yield
    except SQLAlchemyError as exc:
        error = explained(exc, place)
    else:
        return
    # Even here the database's own error is being handled, and would be attached.
    try:
        raise error from None
    finally:
        error.__context__ = None


def explained(exc: SQLAlchemyError, place: str) -> StoreError:
    """Say what an error of the database means.

    Examples
    --------
    >>> print(explained(SQLAlchemyError("with values in it"), "PostgreSQL at db").message)
    PostgreSQL at db failed: SQLAlchemyError
    """
    if isinstance(exc, PoolTimeout):
        return StoreUnavailable(
            f"{place} gave no connection in time", hint="try again when it answers"
        )
    original = exc.orig if isinstance(exc, DBAPIError) else None
    state = getattr(original, "sqlstate", None)
    text = str(original).lower() if state is None else ""
    if state in _MISSING or "no such table" in text or "no such column" in text:
        return SchemaOutdated(
            f"{place} lacks tables of this version of tokenkit", hint="tokenkit db upgrade"
        )
    if state in _LOGIN:
        return StoreUnavailable(
            f"{place} lets nobody in with this user, password and database name",
            hint="check TOKENKIT_DATABASE_URL and PGPASSWORD, or the server's pg_hba.conf",
        )
    if state == _NO_ROLES:
        return StoreError(
            f"{place} lacks the roles of the store, and this user may not make them",
            hint="have an administrator run: CREATE ROLE tokenkit_writer NOLOGIN; "
            "CREATE ROLE tokenkit_reader NOLOGIN; CREATE ROLE tokenkit_service NOLOGIN",
        )
    if state == _REFUSED or "append-only" in text:
        return StoreError(
            f"{place} refuses this to the user that is logged in",
            hint="GRANT tokenkit_writer TO the user that records, tokenkit_reader to one who asks",
        )
    if state == _READ_ONLY or "readonly" in text:
        return StoreUnavailable(
            f"{place} can only be read",
            hint="target_session_attrs=read-write finds the primary; check a file's permissions",
        )
    if "not a database" in text:
        return StoreError(f"{place} isn't one", hint="name another file in TOKENKIT_DATABASE_URL")
    if "locked" in text:
        return StoreUnavailable(
            f"{place} is held by another process", hint="run it again when that has ended"
        )
    broken = isinstance(exc, OperationalError) or (
        isinstance(exc, DBAPIError) and exc.connection_invalidated
    )
    if broken or (state or "").startswith(("08", "53", "57")):
        return StoreUnavailable(
            f"{place} can't be reached, or broke off",
            hint="check that it runs and that TOKENKIT_DATABASE_URL is right; then run it again",
        )
    return StoreError(f"{place} failed: {state or type(original or exc).__name__}")
