"""What a client is told: where the service is, who asks, how long to wait, how often to try."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, NoReturn
from urllib.parse import urlsplit

from tokenkit.errors import ClientError

API_KEY_VARIABLE: Final = "TOKENKIT_API_KEY"
BASE_URL_VARIABLE: Final = "TOKENKIT_BASE_URL"

# A header's value that has other characters is quoted by the error of the library that sends it.
_KEY_FORM = re.compile(r"[!-~]{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the parts of one attempt may take, in seconds.

    Attributes
    ----------
    connect
        Until there is a connection.
    read, write
        Until the next bytes come, and until the next ones are taken.
    pool
        Until one of the client's connections is free.

    Examples
    --------
    >>> Timeouts(read=120).connect
    5.0
    """

    connect: float = 5.0
    read: float = 60.0
    write: float = 60.0
    pool: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how long a request is tried again.

    The waits between attempts are random, up to ``first`` seconds, twice that, and so on up to
    ``most``; what ``Retry-After`` asks for comes before that. A download that goes on where it
    broke off begins to count anew.

    Attributes
    ----------
    attempts
        How often at most; 1 for no second attempt.
    seconds
        How long at most from the beginning of the first attempt to that of the last one.
    first, most
        The bounds of the waits.
    under_way_seconds
        How long to ask again while an attempt whose connection broke off may still be under way at
        the service, which forgets one that died after a minute. These aren't counted as attempts.

    Examples
    --------
    >>> Retries(attempts=1)
    Retries(attempts=1, seconds=60.0, first=0.25, most=15.0, under_way_seconds=90.0)
    """

    attempts: int = 6
    seconds: float = 60.0
    first: float = 0.25
    most: float = 15.0
    under_way_seconds: float = 90.0


class ApiKey:
    """An API key, which is in no repr and no pickle.

    Examples
    --------
    >>> key = ApiKey("tkk_not_a_real_one")
    >>> key
    ApiKey(...)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if _KEY_FORM.fullmatch(text) is None:
            raise ClientError(
                "an API key is visible ASCII characters, without spaces or line ends",
                reason="api_key",
                hint="as `tokenkit admin api-key issue` showed it",
            )
        self._text = text

    @property
    def header(self) -> str:
        """The value of the header that shows it."""
        return f"Bearer {self._text}"

    def __repr__(self) -> str:
        return "ApiKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key isn't pickled or copied; make another client")


def find_api_key(given: str | None, environment: Mapping[str, str] = os.environ) -> ApiKey:
    """Give the API key: the one given, or the environment's.

    Raises
    ------
    ClientError
        If there is none, or it can't be one.
    """
    text = environment.get(API_KEY_VARIABLE, "") if given is None else given
    if not text:
        raise ClientError(
            "there is no API key", reason="api_key", hint=f"api_key=..., or {API_KEY_VARIABLE}"
        )
    return ApiKey(text)


def find_base_url(
    given: str | None, *, allow_http: bool, environment: Mapping[str, str] = os.environ
) -> str:
    """Give the service's address: the one given, or the environment's; without a last slash.

    Raises
    ------
    ClientError
        If there is none, it is none of HTTP, holds a secret, or would be sent the API key in clear.

    Examples
    --------
    >>> find_base_url("https://tokens.example.org/", allow_http=False)
    'https://tokens.example.org'
    >>> find_base_url("http://tokens.example.org", allow_http=False)
    Traceback (most recent call last):
        ...
    tokenkit.errors.client.ClientError: over http:// the API key and every value would be sent in
    clear [reason="plain_http"]
    hint: https://..., or allow_http=True where the network itself is trusted
    """
    text = environment.get(BASE_URL_VARIABLE, "") if given is None else given
    if not text:
        raise ClientError(
            "nothing says where the service is",
            reason="base_url",
            hint=f"base_url='https://HOST', or {BASE_URL_VARIABLE}",
        )
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise ClientError(
            "the base URL is no address of HTTP", reason="base_url", hint="https://HOST"
        )
    if parts.username is not None or parts.password is not None:
        raise ClientError(
            "the base URL holds a name or a password, which would be in logs",
            reason="base_url",
            hint="the API key says who asks",
        )
    if parts.scheme == "http" and not (allow_http or _is_loopback(host)):
        raise ClientError(
            "over http:// the API key and every value would be sent in clear",
            reason="plain_http",
            hint="https://..., or allow_http=True where the network itself is trusted",
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
