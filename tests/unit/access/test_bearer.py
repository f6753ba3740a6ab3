"""API keys and session tokens: their form, and how little of them is kept."""

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.access.bearer import API_KEY, SESSION, bearer_digest, is_bearer, new_bearer
from tokenkit.errors import NotAuthenticated

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_secrets_have_256_bits_and_no_two_are_alike():
    """43 digits in base 62 hold 256 bits; the digest is SHA-256 of the text."""
    made = {new_bearer(API_KEY).text for _ in range(200)}
    assert len(made) == 200
    assert {len(text) for text in made} == {53}
    assert 62**43 > 2**256
    text = made.pop()
    assert bearer_digest(text, API_KEY) == hashlib.sha256(text.encode()).digest()


@given(st.integers(4, 52), st.sampled_from(DIGITS))
def test_a_wrong_character_is_noticed_without_a_database(position, digit):
    """A CRC-32 catches every error of one character."""
    text = new_bearer(API_KEY).text
    wrong = text[:position] + digit + text[position + 1 :]
    assert is_bearer(wrong, API_KEY) is (wrong == text)


@given(st.text(max_size=60))
def test_no_other_text_is_a_key(text):
    """Whatever is sent, the answer is that it is none, and doesn't show it."""
    for prefix in (API_KEY, SESSION):
        with pytest.raises(NotAuthenticated) as caught:
            bearer_digest(prefix + text[: 49 - 4], prefix)
        assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "change",
    [str.lower, lambda t: t + " ", lambda t: " " + t, lambda t: t[:-1], lambda t: t + "\n"],
)
def test_a_key_has_one_spelling(change):
    """Spaces, another case or a line's end make another text."""
    assert not is_bearer(change(new_bearer(API_KEY).text), API_KEY)


def test_a_session_token_is_no_api_key():
    """The prefix says which it is."""
    token = new_bearer(SESSION)
    assert is_bearer(token.text, SESSION)
    assert not is_bearer(token.text, API_KEY)


def test_a_secret_stays_out_of_reprs():
    """Neither the text nor the digest shows."""
    made = new_bearer(API_KEY)
    assert made.text not in repr(made)
    assert made.digest.hex() not in repr(made)
    assert pickle.loads(pickle.dumps(made)) == made
