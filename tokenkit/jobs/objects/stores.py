"""The client of an object store, and what its errors mean."""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from tokenkit.errors import (
    ConnectorFailed,
    ConnectorMissing,
    InputNotFound,
    JobError,
    TokenkitError,
)
from tokenkit.jobs.objects.place import ObjectPlace

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Of the client, not of a store; Polars knows them by the same names.
_CLIENT: Final = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "http1_only",
        "http2_only",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_url",
        "proxy_ca_certificate",
        "proxy_excludes",
        "read_timeout",
        "timeout",
        "user_agent",
    }
)
_FLAGS: Final = frozenset({"allow_http", "allow_invalid_certificates", "http1_only", "http2_only"})
_RETRIES: Final = "max_retries"
_MOST_RETRIES: Final = 4
_YES: Final = frozenset({"1", "true", "yes"})
_HINT: Final = "check the credentials, the endpoint and the region; AWS_... or storage_options"

_PROBLEMS: Final[Mapping[str, str]] = {
    "PermissionDeniedError": "the object store denies access",
    "UnauthenticatedError": "the object store doesn't accept the credentials",
    "PreconditionError": "the object was changed meanwhile",
    "UnknownConfigurationKeyError": "a storage option is none of this store's",
    "NotSupportedError": "the object store doesn't support it",
    "TimeoutError": "the object store doesn't answer in time",
}


def options_of(place: ObjectPlace) -> dict[str, str | int]:
    """Give the storage options by the names that Polars and the client both know.

    Raises
    ------
    JobError
        If a number is none.
    """
    found: dict[str, str | int] = {_RETRIES: _MOST_RETRIES}
    for name, value in place.revealed().items():
        lowered = name.lower()
        bare = lowered.removeprefix("aws_")
        found[bare if bare in _CLIENT else lowered] = value
        if lowered == _RETRIES:
            if not value.isdecimal():
                raise JobError(f"{_RETRIES} is no number", file=place.shown, hint=f"{_RETRIES}: 4")
            found[_RETRIES] = int(value)
    return found


def store_of(place: ObjectPlace) -> "ObjectStore":
    """Give a client for the bucket of a place; it connects when it's used.

    Raises
    ------
    ConnectorMissing
        If the package for object stores isn't installed.
    JobError
        If a storage option is none of the store's.
    """
    given = options_of(place)
    try:
        from obstore.store import from_url  # noqa: PLC0415 - an extra
    except ImportError:
        from_url = None  # type: ignore[assignment]
    if from_url is None:
        raise ConnectorMissing(
            "objects need the package obstore",
            file=place.shown,
            hint="pip install 'tokenkit-vaultless[object-stores]'",
        )
    retries: Any = {_RETRIES: given.pop(_RETRIES)}
    client: dict[str, Any] = {name: given.pop(name) for name in list(given) if name in _CLIENT}
    if client and (allowed := os.environ.get("AWS_ALLOW_HTTP")) is not None:
        # Any option of the client takes the place of all that the environment says of it.
        client.setdefault("allow_http", allowed)
    client.update({name: str(client[name]).lower() in _YES for name in _FLAGS & client.keys()})
    config: Any = given
    options: Any = client
    with reaching(place):
        found: ObjectStore = from_url(
            place.root, config=config, client_options=options or None, retry_config=retries
        )
    return found


class reaching:  # noqa: N801 - used like a function, as contextlib's own are
    """Turn what the client raises into ours; its text quotes requests, and isn't shown.

    ``InputNotFound`` if there is no such object, ``ConnectorFailed`` if the store can't be reached
    or refuses.
    """

    def __init__(self, place: ObjectPlace) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Panics of the client derive from BaseException alone.
        ours = TokenkitError | KeyboardInterrupt | SystemExit | GeneratorExit
        if exc is None or isinstance(exc, ours):
            return
        error = _meant(self._place, exc)
        try:
            raise error from None
        finally:
            error.__context__ = None


def _meant(place: ObjectPlace, failure: BaseException) -> JobError:
    if isinstance(failure, FileNotFoundError):
        return InputNotFound(
            "there is no such object or bucket", file=place.shown, hint="check the URL"
        )
    problem = _PROBLEMS.get(type(failure).__name__, "the object store can't be reached, or refuses")
    return ConnectorFailed(problem, file=place.shown, hint=_HINT)
