"""New passwords: what is refused and why; lists of breached ones; the pool that hashes."""

import hashlib
import threading

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.access.breached import HashList, breached_lists, is_common
from tokenkit.access.hashing import PasswordPool
from tokenkit.access.passwords import LONGEST, PasswordRules, normalised
from tokenkit.errors import AccessBusy, InvalidAccess, PasswordRefused

RULES = PasswordRules(lists=(is_common,))


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("fourteen chars", "too_short"),
        ("", "too_short"),
        ("x" * (LONGEST + 1), "too_long"),
        ("kettle paper\x00 otter moss", "characters"),
        ("kettle paper\ud800 otter moss", "characters"),
        ("ann.miller-1234567", "user_name"),
        ("TokenKit12345678", "user_name"),
        ("ann.millerann.miller", "user_name"),
        ("aaaaaaaaaaaaaaaa", "repetition"),
        ("abcabcabcabcabcabc", "repetition"),
        ("123456789012345678", "sequence"),
        ("abcdefghijklmnopq", "sequence"),
        ("zyxwvutsrqponmlkj", "sequence"),
        ("1q2w3e4r5t6y7u8i9o0p", "breached"),
        ("Password1Password1", "breached"),
    ],
)
def test_a_weak_password_is_refused_with_its_reason(password, reason):
    """Each rule has a word of its own, and no message shows the password."""
    with pytest.raises(PasswordRefused) as caught:
        RULES.checked(password, user="ann.miller")
    assert caught.value.reason == reason
    if len(password) > 3:
        assert password not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize(
    "password",
    [
        "kettle paper otter moss",
        "пятнадцать букв тут",
        "   spaces at ends   ",
        "🦦" * 3 + "kettle papers",
    ],
)
def test_a_good_password_passes_as_it_is(password):
    """Any script, spaces and signs; nothing is asked of its characters, and nothing is cut off."""
    assert RULES.checked(password, user="ann") == normalised(password)


def test_the_shortest_length_has_a_floor():
    """Eight characters, which the standard allows beside a second factor, and no fewer."""
    assert PasswordRules(shortest=8).checked("moss&owl", user="ann") == "moss&owl"
    for length in (7, LONGEST + 1):
        with pytest.raises(InvalidAccess):
            PasswordRules(shortest=length)


def test_the_shipped_list_is_there():
    """It holds thousands of passwords, and the ones that everybody knows."""
    assert all(map(is_common, ["12345678", "iloveyou", "Password1", "QWERTYUIOP"]))
    assert not is_common("kettle paper otter moss")


@given(
    st.sets(st.text(min_size=1, max_size=6), min_size=1, max_size=40),
    st.text(min_size=1, max_size=6),
)
def test_a_hash_list_finds_what_it_holds_and_nothing_else(tmp_path_factory, words, other):
    """The search agrees with a set, for lists of every size."""
    words = {word for word in words if word.isprintable()}
    path = tmp_path_factory.mktemp("lists") / "hashes.txt"
    hashes = {hashlib.sha1(word.encode()).hexdigest().upper() for word in words}
    path.write_text("".join(f"{each}:{len(each)}\r\n" for each in sorted(hashes)))
    known = HashList(path)
    assert all(known(word) for word in words)
    if other.isprintable():
        assert known(other) is (other in words)


def test_a_list_that_cannot_be_searched_is_refused(tmp_path, monkeypatch):
    """A missing file, or one of another form, is no list without entries."""
    path = tmp_path / "list.txt"
    with pytest.raises(InvalidAccess, match="can't be read"):
        HashList(path)
    path.write_text("password1\nletmein\n")
    with pytest.raises(InvalidAccess, match="no SHA-1"):
        HashList(path)
    path.write_text(hashlib.sha1(b"moss and kettle and owl").hexdigest().upper() + ":3\n")
    monkeypatch.setenv("TOKENKIT_BREACHED_PASSWORDS", str(path))
    assert len(breached_lists()) == 2
    with pytest.raises(PasswordRefused) as caught:
        PasswordRules().checked("moss and kettle and owl", user="ann")
    assert caught.value.reason == "breached"


def test_hashes_have_the_recommended_parameters(pool):
    """argon2id, 19 MiB, two passes, one lane; the salt differs each time."""
    first, second = (pool.hash("kettle paper otter moss").result() for _ in range(2))
    found = extract_parameters(first)
    assert first.startswith("$argon2id$")
    assert first != second
    assert (found.memory_cost, found.time_cost, found.parallelism) == (19_456, 2, 1)


def test_verifying_takes_one_hash_whoever_it_is(pool, monkeypatch):
    """A right, a wrong and an unknown user's password each cost one call with equal parameters."""
    stored = pool.hash("kettle paper otter moss").result()
    calls = []
    verify = PasswordHasher.verify

    def counted(self, against, password):
        calls.append(extract_parameters(against))
        return verify(self, against, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    assert pool.verify(stored, "kettle paper otter moss").result().right
    assert not pool.verify(stored, "wrong").result().right
    assert not pool.verify(None, "kettle paper otter moss").result().right
    assert not pool.verify(stored, "x" * 10_000_000).result().right
    assert not pool.verify(stored, "\ud800").result().right
    assert len(calls) == 5
    assert len(set(map(str, calls))) == 1


def test_writings_of_one_password_are_one(pool):
    """Composed and decomposed characters verify against each other."""
    stored = pool.hash("caf\u00e9 kettle paper").result()
    assert pool.verify(stored, "cafe\u0301 kettle paper").result().right


def test_a_hash_of_old_parameters_is_renewed(pool):
    """Whoever signs in with one gets one of today's."""
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("kettle paper")
    verified = pool.verify(old, "kettle paper").result()
    assert verified.right
    assert extract_parameters(verified.renewed).memory_cost == 19_456
    assert "argon2" not in repr(verified)


def test_a_damaged_hash_is_a_wrong_password(pool):
    """It neither raises nor lets anybody in."""
    assert not pool.verify("$argon2id$nonsense", "kettle paper").result().right


def test_the_pool_is_bounded():
    """What would wait behind too many others is refused at once; places come back."""
    blocked = threading.Event()
    with PasswordPool(workers=1, waiting=1) as pool:
        first = pool._submit(blocked.wait)
        second = pool.hash("kettle paper")
        with pytest.raises(AccessBusy):
            pool.verify(None, "kettle paper")
        blocked.set()
        assert first.result()
        assert second.result()
        assert not pool.verify(None, "kettle paper").result().right
