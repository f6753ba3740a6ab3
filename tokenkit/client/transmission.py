"""What both clients know of httpx: how a call becomes a request, and what its errors are."""

from typing import Any

import httpx

from tokenkit.client.effects import Answer, Call, Fault, FaultKind
from tokenkit.client.settings import ApiKey, Retries, Timeouts, find_api_key, find_base_url

_KINDS: tuple[tuple[type[httpx.HTTPError], FaultKind], ...] = (
    (httpx.ConnectError, "connect"),
    (httpx.ConnectTimeout, "connect"),
    (httpx.PoolTimeout, "connect"),
    (httpx.ProxyError, "connect"),
    (httpx.TimeoutException, "timeout"),
    (httpx.LocalProtocolError, "local"),
    (httpx.UnsupportedProtocol, "local"),
)


class Bearer(httpx.Auth):
    """Shows the API key, request by request: the client's headers don't have it.

    Parameters
    ----------
    key
        The API key.
    """

    def __init__(self, key: ApiKey) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Any:
        """Add the header."""
        request.headers["authorization"] = self._key.header
        yield request


def client_options(
    api_key: str | None,
    base_url: str | None,
    *,
    timeouts: Timeouts,
    allow_http: bool,
) -> dict[str, Any]:
    """Give what a client of httpx is made with.

    Redirects aren't followed: the key, and values with it, would go where they lead.

    Raises
    ------
    ClientError
        If there is no API key or address, or one that can't be used.
    """
    address = find_base_url(base_url, allow_http=allow_http)
    return {
        "auth": Bearer(find_api_key(api_key)),
        "base_url": address,
        "timeout": httpx.Timeout(
            connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool
        ),
        "follow_redirects": False,
        "headers": {"user-agent": "tokenkit-client", "accept": "*/*"},
        # A proxy of the environment's would see what goes over http:// in clear.
        "trust_env": address.startswith("https://"),
    }


def request_options(call: Call) -> dict[str, Any]:
    """Give what a request is made with, but for its content."""
    headers = dict(call.headers)
    if call.content is not None:
        headers["content-type"] = call.content.media_type
        if call.content.length is not None:
            headers["content-length"] = str(call.content.length)
    return {
        "method": call.method,
        "url": call.path,
        "params": dict(call.query) or None,
        "headers": headers,
    }


def head_of(response: httpx.Response) -> Answer:
    """Give an answer without its body."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers)


def fault_of(error: httpx.HTTPError | httpx.InvalidURL) -> Fault:
    """Give what an error of httpx stands for.

    Examples
    --------
    >>> fault_of(httpx.ReadTimeout("4111111111111111"))
    Fault(kind='timeout', name='ReadTimeout')
    """
    found: FaultKind = "local" if isinstance(error, httpx.InvalidURL) else "broken"
    found = next((kind for cls, kind in _KINDS if isinstance(error, cls)), found)
    return Fault(kind=found, name=type(error).__name__)


DEFAULT_RETRIES = Retries()
DEFAULT_TIMEOUTS = Timeouts()
