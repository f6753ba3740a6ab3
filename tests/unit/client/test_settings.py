"""Where the API key goes, where it comes from, and where it doesn't show."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import httpx
import pytest

from tokenkit.client import AsyncTokenizationClient, TokenizationClient
from tokenkit.client.settings import ApiKey, find_base_url
from tokenkit.errors import ClientError

KEY = "tkk_CANARYKEY31337"
URL = "https://tokens.example.org"
ANSWER = {"token": "49", "key": "payments", "version": 1}


@pytest.mark.parametrize("client", [TokenizationClient, AsyncTokenizationClient])
def test_both_come_from_the_environment(client, monkeypatch):
    """Where they aren't given; what is given comes first."""
    with pytest.raises(ClientError, match="where the service is"):
        client(KEY)
    with pytest.raises(ClientError, match="no API key"):
        client(base_url=URL)
    monkeypatch.setenv("TOKENKIT_API_KEY", KEY)
    monkeypatch.setenv("TOKENKIT_BASE_URL", URL)
    assert repr(client()) == f"{client.__name__}(base_url='{URL}')"
    assert "other" in repr(client(base_url="https://other.example.org/"))


def test_the_key_and_the_address_are_used():
    """Each request shows the key, under the path that the address has."""
    seen = []

    def answer(request):
        seen.append((str(request.url), request.headers["authorization"]))
        return httpx.Response(200, json=ANSWER)

    transport = httpx.MockTransport(answer)
    with TokenizationClient(KEY, f"{URL}/behind/a/proxy/", transport=transport) as client:
        client.tokenize("45", policy="orders", column="card")
    assert seen == [(f"{URL}/behind/a/proxy/v1/tokenize", f"Bearer {KEY}")]


@pytest.mark.parametrize(
    "url",
    [
        "http://tokens.example.org",
        "http://10.0.0.7:8400",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "ftp://tokens.example.org",
        "tokens.example.org",
        "https://",
        "https://tokens.example.org:port",
        "https://[::1",
        f"https://user:{KEY}@tokens.example.org",
        f"https://tokens.example.org/?key={KEY}",
    ],
)
def test_addresses_that_would_show_the_key_are_refused(url):
    """In clear to another host, or within the address; it isn't quoted."""
    with pytest.raises(ClientError) as caught:
        find_base_url(url, allow_http=False)
    assert KEY not in str(caught.value) + repr(caught.value) + repr(vars(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("host", ["localhost:8400", "127.0.0.1", "127.8.8.8:1", "[::1]:8400"])
def test_the_same_host_needs_no_tls(host):
    """Nor does another one, if that is said."""
    assert find_base_url(f"http://{host}/", allow_http=False) == f"http://{host}"
    assert find_base_url("http://tokens", allow_http=True) == "http://tokens"


def test_what_goes_in_clear_goes_through_no_proxy(monkeypatch):
    """The environment's proxies would see the key; over TLS they don't."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    with (
        TokenizationClient(KEY, "http://127.0.0.1:8400") as plain,
        TokenizationClient(KEY, URL) as tls,
    ):
        assert not [one for one in plain._transmitter._client._mounts.values() if one]
        assert [one for one in tls._transmitter._client._mounts.values() if one]


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} ", f"{KEY}é", "", f"{KEY}\r\nX-A: b"])
def test_what_cannot_stand_in_a_header_is_no_key(key):
    """The library that sends it would quote it in its error."""
    with pytest.raises(ClientError) as caught:
        TokenizationClient(key, URL)
    assert KEY not in str(caught.value) + repr(caught.value)


def test_the_key_does_not_show():
    """In no repr of the client or what it is made of, and it isn't pickled or copied."""
    with TokenizationClient(KEY, URL) as client:
        parts = [client, client.batches, client.records, client._transmitter]
        inner = client._transmitter._client
        parts += [inner, inner.headers, inner.auth, vars(client), vars(inner), vars(inner.auth)]
        assert not any(KEY in f"{part!r}{part!s}" for part in parts)
    key = ApiKey(KEY)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="isn't pickled"):
            attempt(key)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_followed(status):
    """An answer that leads elsewhere is an error: the key and the values stay here."""
    asked = []

    def answer(request):
        asked.append(request.url.host)
        return httpx.Response(status, headers={"location": "https://elsewhere.example.org/"})

    client = TokenizationClient(KEY, URL, transport=httpx.MockTransport(answer))
    with client, pytest.raises(ClientError) as caught:
        client.tokenize("45", policy="orders", column="card")
    assert (caught.value.reason, caught.value.code) == ("redirect", "TK925")
    assert asked == ["tokens.example.org"]
    assert "example.org" not in str(caught.value)


def test_the_client_loads_nothing_of_the_service():
    """Neither the service, nor the store, nor what they need."""
    heavy = ["fastapi", "sqlalchemy", "uvicorn", "argon2"]
    code = (
        "import sys, tokenkit.client\n"
        "ours = ('tokenkit.service', 'tokenkit.store', 'tokenkit.access', 'tokenkit.batches')\n"
        f"print([n for n in sys.modules if n in {heavy} or n.startswith(ours)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_its_packages_it_says_what_to_install():
    """And with which command."""
    code = (
        "import sys\n"
        "sys.modules['httpx'] = None\n"
        "from tokenkit.errors import ClientError\n"
        "try:\n"
        "    import tokenkit.client\n"
        "except ClientError as error:\n"
        "    print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pip install 'tokenkit-vaultless[client]'"
