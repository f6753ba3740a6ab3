"""How key providers are found by URI."""

from importlib.metadata import EntryPoint

import pytest

from tokenkit.errors import KekNotConfigured, KeyProviderError
from tokenkit.keys import KeyProvider, Stanza, create_keyring, open_keyring, providers
from tokenkit.keys.providers import resolve
from tokenkit.keys.providers.passphrase import PassphraseProvider


class SealedBox:
    """A provider as another package would offer it."""

    scheme = "box"

    def __init__(self, rest: str) -> None:
        self.rest = rest

    def wrap(self, file_key):
        return Stanza("box", {"label": self.rest}, bytes(byte ^ 1 for byte in file_key))

    def unwrap(self, stanza):
        return bytearray(byte ^ 1 for byte in stanza.wrapped)

    def describe(self):
        return f"box:{self.rest}"


@pytest.fixture
def points(monkeypatch):
    """Give a way to install entry points."""
    found = []

    def install(name, value):
        found.append(EntryPoint(name, value, providers.ENTRY_POINTS))

    def look(*, group, name=None):
        assert group == "tokenkit.key_providers"
        return [point for point in found if name in (None, point.name)]

    monkeypatch.setattr(providers, "entry_points", look)
    return install


def test_the_built_in_scheme():
    """A passphrase URI gives the passphrase provider; a provider passes as it is."""
    provider = resolve("passphrase:file:/run/secrets/a:b")
    assert isinstance(provider, PassphraseProvider)
    assert isinstance(provider, KeyProvider)
    assert provider.describe() == "passphrase:file:/run/secrets/a:b"
    assert resolve(provider) is provider


def test_the_environment_names_the_kek(monkeypatch):
    """TOKENKIT_KEK counts where no KEK is given; without either, the error says what to type."""
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:P")
    assert resolve().describe() == "passphrase:env:P"
    for empty in (True, False):
        if empty:
            monkeypatch.setenv("TOKENKIT_KEK", "")
        else:
            monkeypatch.delenv("TOKENKIT_KEK")
        with pytest.raises(KekNotConfigured) as caught:
            resolve()
        assert "export TOKENKIT_KEK=passphrase:" in str(caught.value)


@pytest.mark.parametrize("uri", ["hunter2", "hunter2:x", ":", "Passphrase:prompt", " "])
def test_unknown_schemes(uri):
    """An unknown scheme says which there are, and doesn't quote what may be a secret."""
    with pytest.raises(KeyProviderError) as caught:
        resolve(uri)
    assert "hunter2" not in str(caught.value)
    assert "passphrase:" in str(caught.value)


def test_providers_of_other_packages(points, path):
    """An entry point's provider wraps and opens keyrings, and is named among the known ones."""
    points("box", f"{__name__}:SealedBox")
    provider = SealedBox("lid")
    assert isinstance(provider, KeyProvider)
    create_keyring(path, ["a"], provider).close()
    open_keyring(path, provider).close()
    with pytest.raises(KeyProviderError) as caught:
        resolve("bax:lid")
    assert "box:..." in str(caught.value)


def test_an_entry_point_is_loaded_by_its_scheme(points):
    """The URI's rest is handed to the entry point's object."""
    points("text", "builtins:str")
    assert str(resolve("text:a:b")) == "a:b"


def test_a_broken_entry_point(points):
    """What another package's import raises is named by class only."""
    points("broken", "tokenkit.no_such_module:x")
    with pytest.raises(KeyProviderError, match="ModuleNotFoundError") as caught:
        resolve("broken:x")
    assert caught.value.__context__ is None


def test_built_in_schemes_cannot_be_replaced(points):
    """Another package can't take the place of a built-in provider."""
    points("passphrase", "builtins:str")
    assert isinstance(resolve("passphrase:prompt"), PassphraseProvider)
