"""The passphrase provider: its sources, its limits, and that it shows nothing."""

import base64
import copy
import getpass
import pickle
import sys

import pytest

from tokenkit.errors import (
    KekNotConfigured,
    KeyNotExportable,
    KeyProviderError,
    KeyringFormatError,
    WrongKek,
)
from tokenkit.keys import Stanza
from tokenkit.keys.providers.passphrase import PassphraseProvider

FILE_KEY = bytes(range(32))


def wrapped_with(monkeypatch: pytest.MonkeyPatch, passphrase: str) -> Stanza:
    """Wrap the file key with a passphrase from the environment."""
    monkeypatch.setenv("P", passphrase)
    return PassphraseProvider("env:P", cost=2).wrap(bytearray(FILE_KEY))


def test_default_cost_is_the_contracts(monkeypatch):
    """Without a lowered cost, N = 2^17, r = 8, p = 1, and the salt has 16 bytes."""
    monkeypatch.setenv("P", "x")
    stanza = PassphraseProvider("env:P").wrap(bytearray(32))
    parameters = dict(stanza.parameters)
    assert len(base64.b64decode(str(parameters.pop("salt")))) == 16
    assert parameters == {"kdf": "scrypt", "n": 2**17, "r": 8, "p": 1}
    assert (stanza.provider, len(stanza.wrapped)) == ("passphrase", 40)


def test_wrap_is_scrypt_and_aes_kwp(monkeypatch):
    """Another implementation of scrypt and of RFC 5649 unwraps what was wrapped."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    stanza = wrapped_with(monkeypatch, "pass")
    salt = base64.b64decode(str(stanza.parameters["salt"]))
    kek = Scrypt(salt=salt, length=32, n=2, r=8, p=1).derive(b"pass")
    decrypt = Cipher(algorithms.AES256(kek), modes.ECB()).decryptor().update
    register, blocks = stanza.wrapped[:8], [stanza.wrapped[i : i + 8] for i in range(8, 40, 8)]
    for step in range(24, 0, -1):
        mixed = (int.from_bytes(register) ^ step).to_bytes(8)
        plain = decrypt(mixed + blocks[(step - 1) % 4])
        register, blocks[(step - 1) % 4] = plain[:8], plain[8:]
    assert register == bytes.fromhex("a65959a600000020")
    assert b"".join(blocks) == FILE_KEY


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b"secret\r", "secret\r"),
        (b" secret ", " secret "),
        ("gehe\u00efm".encode(), "gehe\u00efm"),
    ],
)
def test_file_source(tmp_path, monkeypatch, content, passphrase):
    """A file's content is the passphrase, but for one newline at its end."""
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    provider = PassphraseProvider(f"file:{file}")
    assert provider.unwrap(wrapped_with(monkeypatch, passphrase)) == FILE_KEY


@pytest.mark.parametrize("content", [None, b"", b"\n", b"x" * 65_537])
def test_unusable_files(tmp_path, content):
    """A file that is missing, empty or huge is named in the error."""
    file = tmp_path / "passphrase"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KekNotConfigured, match="passphrase"):
        PassphraseProvider(f"file:{file}", cost=2).wrap(bytearray(32))
    with pytest.raises(KekNotConfigured):
        PassphraseProvider(f"file:{tmp_path}", cost=2).wrap(bytearray(32))
    with pytest.raises(KekNotConfigured):
        PassphraseProvider("file:\0", cost=2).wrap(bytearray(32))


def test_environment_source(monkeypatch):
    """A variable that is missing or empty is named, with what to type."""
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(KekNotConfigured, match="NOT_THERE") as caught:
        PassphraseProvider("env:NOT_THERE").wrap(bytearray(32))
    assert "export NOT_THERE" in str(caught.value)
    monkeypatch.setenv("NOT_THERE", "")
    with pytest.raises(KekNotConfigured, match="empty"):
        PassphraseProvider("env:NOT_THERE").wrap(bytearray(32))


def test_environment_bytes_that_are_no_text(monkeypatch):
    """A passphrase of any bytes works."""
    stanza = wrapped_with(monkeypatch, "\udcff\udc80")
    assert PassphraseProvider("env:P").unwrap(stanza) == FILE_KEY


class Terminal:
    """Answers getpass from a list, on what claims to be a terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers = list(answers)
        monkeypatch.setattr(sys, "stdin", self)
        monkeypatch.setattr(getpass, "getpass", lambda prompt: self.answers.pop(0))

    def isatty(self):
        return True


def test_prompt(monkeypatch):
    """Opening asks once and remembers for the save; a new passphrase is asked for twice."""
    stanza = wrapped_with(monkeypatch, "typed")
    terminal = Terminal(monkeypatch, "typed")
    provider = PassphraseProvider("prompt", cost=2)
    assert provider.unwrap(stanza) == FILE_KEY
    provider.wrap(bytearray(32))
    assert terminal.answers == []
    Terminal(monkeypatch, "typed", "typed")
    PassphraseProvider("prompt", cost=2).wrap(bytearray(32))
    Terminal(monkeypatch, "typed", "tipped")
    with pytest.raises(KekNotConfigured, match="differ"):
        PassphraseProvider("prompt", cost=2).wrap(bytearray(32))


def test_prompt_asks_again_after_a_wrong_answer(monkeypatch):
    """A wrong passphrase isn't remembered."""
    stanza = wrapped_with(monkeypatch, "right")
    Terminal(monkeypatch, "wrong", "right")
    provider = PassphraseProvider("prompt", cost=2)
    with pytest.raises(WrongKek):
        provider.unwrap(stanza)
    assert provider.unwrap(stanza) == FILE_KEY


def test_prompt_needs_a_terminal(monkeypatch):
    """Without a terminal nothing waits for an answer."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(KekNotConfigured, match="no terminal"):
        PassphraseProvider("prompt").wrap(bytearray(32))


def test_prompt_cut_short(monkeypatch):
    """An end of input at the prompt is an error of ours."""
    Terminal(monkeypatch)

    def end(prompt):
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", end)
    with pytest.raises(KekNotConfigured, match="typed"):
        PassphraseProvider("prompt").wrap(bytearray(32))


@pytest.mark.parametrize("source", ["", "env", "env:", "file:", "prompt:x", "hunter2", "ENV:P"])
def test_other_sources(source):
    """What isn't a source is refused without being quoted: it may be a passphrase."""
    with pytest.raises(KeyProviderError) as caught:
        PassphraseProvider(source)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("cost", [0, 1, 3, -2, 2**20 + 1, 2**21])
def test_other_costs(cost):
    """N is a power of two up to 2^20."""
    with pytest.raises(KeyProviderError):
        PassphraseProvider("prompt", cost=cost)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2**21},
        {"n": 2**62},
        {"n": 3},
        {"n": 0},
        {"n": -2},
        {"n": "2"},
        {"r": 2**20},
        {"p": 2},
        {"kdf": "pbkdf2"},
        {"salt": "AAAA"},
        {"salt": "?"},
        {"salt": 1},
        {"more": 1},
    ],
)
def test_a_file_cannot_ask_for_other_work(monkeypatch, change):
    """Parameters of a file are checked before anything is derived from them."""
    stanza = wrapped_with(monkeypatch, "x")
    changed = Stanza("passphrase", {**stanza.parameters, **change}, stanza.wrapped)
    with pytest.raises(KeyringFormatError):
        PassphraseProvider("env:P").unwrap(changed)


@pytest.mark.parametrize("length", [0, 16, 32, 48])
def test_a_wrapped_key_of_another_length(monkeypatch, length):
    """A wrapped file key has 40 bytes."""
    stanza = wrapped_with(monkeypatch, "x")
    with pytest.raises(KeyringFormatError, match="length"):
        PassphraseProvider("env:P").unwrap(Stanza("passphrase", stanza.parameters, bytes(length)))


def test_the_provider_shows_nothing(monkeypatch):
    """The passphrase that it remembers is in no text of it, and it can't be pickled or copied."""
    monkeypatch.setenv("P", "hunter2")
    provider = PassphraseProvider("env:P", cost=2)
    provider.wrap(bytearray(32))
    assert "hunter2" not in repr(provider) + str(provider) + provider.describe()
    assert provider.describe() == "passphrase:env:P"
    for take in (pickle.dumps, copy.copy, copy.deepcopy, vars):
        with pytest.raises((KeyNotExportable, TypeError)):
            take(provider)
