"""Which keyring is used where none is named."""

import contextvars
import threading

import pytest

from tokenkit.errors import KekNotConfigured, KeyringClosed, KeyringNotConfigured, WrongKek
from tokenkit.keys import (
    Keyring,
    create_keyring,
    current_keyring,
    forget_keyrings,
    use_keyring,
)


@pytest.fixture(autouse=True)
def isolated(monkeypatch):
    """Start and end without any default."""
    monkeypatch.delenv("TOKENKIT_KEYRING", raising=False)
    monkeypatch.delenv("TOKENKIT_KEK", raising=False)
    forget_keyrings()
    yield
    forget_keyrings()


@pytest.fixture
def rings():
    """Give two open keyrings; one of them is empty, which mustn't count as none."""
    with Keyring.from_secrets({}) as one, Keyring.from_secrets({"b": bytes(32)}) as two:
        yield one, two


def test_nothing_configured():
    """Without any keyring the error says what to call, set or type."""
    with pytest.raises(KeyringNotConfigured) as caught:
        current_keyring()
    for way in ("use_keyring", "keyring=", "TOKENKIT_KEYRING", "tokenkit keys create"):
        assert way in str(caught.value)


def test_process_default(rings):
    """A plain call sets the default for every thread, until the next call."""
    one, two = rings
    use_keyring(one)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(current_keyring()))
    thread.start()
    thread.join()
    assert seen == [one]
    use_keyring(two)
    assert current_keyring() is two


def test_override_is_of_the_context_alone(rings):
    """In a with statement it holds for this context, nests, and ends with the block."""
    one, two = rings
    use_keyring(one)
    seen = []
    with use_keyring(two) as ring:
        assert ring is two
        assert current_keyring() is two
        thread = threading.Thread(target=lambda: seen.append(current_keyring()))
        thread.start()
        thread.join()
        with use_keyring(one):
            assert current_keyring() is one
        assert current_keyring() is two
        assert contextvars.copy_context().run(current_keyring) is two
        assert contextvars.Context().run(current_keyring) is one
    assert seen == [one]
    assert current_keyring() is one


def test_override_leaves_no_default(rings):
    """After the block there is no default, if there was none before."""
    one, _ = rings
    with use_keyring(one):
        pass
    with pytest.raises(KeyringNotConfigured):
        current_keyring()


def test_override_ends_when_the_block_raises(rings):
    """An error in the block ends the override too."""
    one, two = rings
    use_keyring(one)

    def fail() -> None:
        with use_keyring(two):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert current_keyring() is one


def test_a_path_is_opened_and_closed_with_the_block(path, kek):
    """A keyring given by path is closed after the block; one that was given open stays open."""
    create_keyring(path, ["a"], kek).close()
    with use_keyring(path, kek) as ring:
        assert current_keyring() is ring
    assert ring.closed
    with Keyring.from_secrets({}) as mine:
        with use_keyring(mine):
            pass
        assert not mine.closed


def test_closed_keyrings_are_refused(rings):
    """A closed keyring can't become the default, and a default that was closed says so."""
    ring = Keyring.from_secrets({})
    use_keyring(ring)
    ring.close()
    for use in (current_keyring, lambda: use_keyring(ring)):
        with pytest.raises(KeyringClosed):
            use()


def test_a_path_that_cannot_be_opened_changes_nothing(path, kek, rings, monkeypatch):
    """The default stays what it was."""
    one, _ = rings
    use_keyring(one)
    create_keyring(path, ["a"], kek).close()
    monkeypatch.setenv("OTHER", "wrong")
    with pytest.raises(WrongKek):
        use_keyring(path, "passphrase:env:OTHER")
    assert current_keyring() is one


def test_environment(path, kek, monkeypatch, rings):
    """TOKENKIT_KEYRING and TOKENKIT_KEK are opened once, kept, and give way to use_keyring."""
    create_keyring(path, ["a"], kek).close()
    monkeypatch.setenv("TOKENKIT_KEYRING", str(path))
    with pytest.raises(KekNotConfigured):
        current_keyring()
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    ring = current_keyring()
    assert ring.names == ("a",)
    path.unlink()
    assert current_keyring() is ring
    use_keyring(rings[0])
    assert current_keyring() is rings[0]
    forget_keyrings()
    assert ring.closed
