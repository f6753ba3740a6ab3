"""Keyrings: made, opened, changed, saved, closed."""

import os
import stat
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tokenkit.errors import (
    InvalidKey,
    KeyConflict,
    KeyExists,
    KeyringChanged,
    KeyringClosed,
    KeyringError,
    KeyringExists,
    KeyringNotFound,
    KeyVersionDisabled,
    KeyVersionUnknown,
    UnknownKey,
)
from tokenkit.keys import Keyring, KeyState, create_keyring, edit_keyring, open_keyring
from tokenkit.keys.key import Key, KeyRecord, KeyVersion, Lease

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = bytes(range(32))


def facts(ring: Keyring) -> list[tuple[object, ...]]:
    """Give everything that a keyring says of its keys."""
    return [
        (
            (key.name, key.primary_number, version.number, version.id),
            (version.check_value, version.state, version.created, version.primary_since),
        )
        for key in (ring[name] for name in ring)
        for version in key.versions
    ]


def test_round_trip(path, kek):
    """A keyring opens as it was made, and again as it was changed and saved."""
    with create_keyring(path, ["payments", "people"], kek) as ring:
        assert ring.names == ("payments", "people")
        assert ring.generation == 1
        made = facts(ring)
    with open_keyring(path, kek) as ring:
        assert facts(ring) == made
        ring.rotate("payments")
        ring.add("more")
        ring.save()
        assert ring.generation == 2
        ring.rotate("payments")
        ring.save()
        changed = facts(ring)
    with open_keyring(path, kek) as ring:
        assert facts(ring) == changed
        assert ring.generation == 3
        assert [version.number for version in ring["payments"].versions] == [1, 2, 3]
        assert ring["payments"].primary.number == 3
        assert ring["payments"].version(2).number == 2
        assert ring.path == path


def test_version_facts(path, kek):
    """Ids are nonzero, 32 bits and unique; check values 16 bytes; dates in UTC."""
    with create_keyring(path, ["a", "b"], kek) as ring:
        for _ in range(5):
            ring.rotate("a")
        versions = [version for name in ring for version in ring[name].versions]
        assert len({version.id for version in versions}) == 7
        assert all(0 < version.id < 2**32 for version in versions)
        assert all(len(version.check_value) == 16 for version in versions)
        assert len({version.check_value for version in versions}) == 7
        for version in versions:
            assert version.state is KeyState.ENABLED
            assert version.created.utcoffset() == timedelta(0)
            assert version.primary_since == version.created


def test_a_key_follows_rotations(path, kek):
    """A key taken before a rotation knows of it."""
    with create_keyring(path, ["payments"], kek) as ring:
        key = ring["payments"]
        version = ring.rotate("payments")
        assert key.primary is version
        assert version.name == "payments"


def test_file_mode_is_0600(path, kek):
    """Only the owner can read the file, whatever the umask and whatever its mode was."""
    before = os.umask(0)
    try:
        create_keyring(path, ["a"], kek).close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        with edit_keyring(path, kek) as ring:
            ring.rotate("a")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_create_never_overwrites(path, kek):
    """What is at the path stays as it is."""
    path.write_bytes(b"something else")
    with pytest.raises(KeyringExists, match="already there"):
        create_keyring(path, ["a"], kek)
    assert path.read_bytes() == b"something else"


def test_create_with_bad_names_leaves_nothing(path, kek):
    """A name that can't be used, or stands there twice, makes no file."""
    bad: list[Any] = ["", "A", "-a", ".a", "a b", "a/b", "a" * 65, "é", "a\n", 7, None]
    for names in [[name] for name in bad] + [["ok", "Bad"]]:
        with pytest.raises(InvalidKey):
            create_keyring(path, names, kek)
    with pytest.raises(KeyExists):
        create_keyring(path, ["a", "a"], kek)
    assert list(path.parent.iterdir()) == []
    create_keyring(path, ["0", "a" * 64, "a.b_c-d"], kek).close()


def test_one_name_is_a_name_not_letters(path, kek):
    """A string given as keys is one key."""
    with create_keyring(path, "payments", kek) as ring:
        assert ring.names == ("payments",)


def test_missing_file_says_how_to_make_one(path, kek):
    """Opening what isn't there names the command that makes it."""
    for open_it in (open_keyring, lambda *given: edit_keyring(*given).__enter__()):
        with pytest.raises(KeyringNotFound) as caught:
            open_it(path, kek)
        assert "tokenkit keys create" in str(caught.value)


def test_unknown_keys_and_versions(path, kek):
    """What isn't there is said together with what is."""
    with create_keyring(path, ["payments"], kek) as ring:
        with pytest.raises(UnknownKey, match="people") as caught:
            ring["people"]
        assert "payments" in str(caught.value)
        with pytest.raises(UnknownKey):
            ring.rotate("people")
        with pytest.raises(KeyVersionUnknown, match="no version 2"):
            ring["payments"].version(2)
        with pytest.raises(KeyExists):
            ring.add("payments")
        assert "people" not in ring
        assert "payments" in ring


def test_version_by_id_and_check_value(path, kek):
    """Metadata's id finds its version; another key under that id is refused."""
    with create_keyring(path, ["payments"], kek) as ring:
        key = ring["payments"]
        first = key.primary
        ring.rotate("payments")
        assert key.version_with_id(first.id) is first
        assert key.version_with_id(first.id, first.check_value) is first
        with pytest.raises(KeyConflict):
            key.version_with_id(first.id, bytes(16))
        with pytest.raises(KeyVersionUnknown):
            key.version_with_id(0)


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DESTROYED])
def test_versions_out_of_use(state):
    """A disabled or destroyed version is listed, but not given for use."""
    with Keyring.from_secrets({"a": SECRET}) as ring:
        used = ring["a"].primary
        version = KeyVersion(
            name="a",
            number=1,
            id=used.id,
            check_value=used.check_value,
            state=state,
            created=used.created,
        )
        key = Key(KeyRecord("a", [version], 1), Lease())
        assert key.versions == (version,)
        assert key.primary_number == 1
        uses: list[Callable[[], object]] = [
            lambda: key.primary,
            lambda: key.version(1),
            lambda: key.version_with_id(used.id),
        ]
        for use in uses:
            with pytest.raises(KeyVersionDisabled, match=str(state)):
                use()


def test_a_closed_keyring_says_so(path, kek):
    """Every use after close is a clear error; closing again is fine."""
    with create_keyring(path, ["a"], kek) as ring:
        key = ring["a"]
    assert ring.closed
    uses: list[Callable[[], object]] = [
        lambda: ring["a"],
        lambda: ring.add("b"),
        lambda: ring.rotate("a"),
        ring.save,
        ring.__enter__,
        lambda: key.primary,
        lambda: key.version(1),
        lambda: key.versions,
    ]
    for use in uses:
        with pytest.raises(KeyringClosed, match="closed"):
            use()
    ring.close()
    assert "closed" in repr(ring)
    assert "closed" in repr(key)


def test_save_refuses_what_somebody_else_saved(path, kek):
    """A file that was saved in between is not overwritten."""
    create_keyring(path, ["a"], kek).close()
    with open_keyring(path, kek) as mine:
        mine.rotate("a")
        with edit_keyring(path, kek) as theirs:
            theirs.add("b")
        content = path.read_bytes()
        with pytest.raises(KeyringChanged):
            mine.save()
        assert path.read_bytes() == content


def test_edit_saves_only_if_the_block_succeeds(path, kek):
    """A block that raises leaves the file as it was."""
    create_keyring(path, ["a"], kek).close()
    content = path.read_bytes()

    def fail() -> None:
        with edit_keyring(path, kek) as ring:
            ring.rotate("a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == content


def test_saving_within_an_edit_does_not_wait_for_itself(path, kek):
    """Saving early in an edit works, and the lock still holds afterwards."""
    create_keyring(path, ["a"], kek).close()
    with edit_keyring(path, kek) as ring:
        ring.rotate("a")
        ring.save()
        ring.rotate("a")
    with open_keyring(path, kek) as ring:
        assert len(ring["a"].versions) == 3
        assert ring.generation == 3


def test_a_symbolic_link_stays_one(path, kek, tmp_path):
    """Saving through a symbolic link replaces the file behind it, not the link."""
    create_keyring(path, ["a"], kek).close()
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with edit_keyring(link, kek) as ring:
        ring.rotate("a")
    assert link.is_symlink()
    with open_keyring(path, kek) as ring:
        assert len(ring["a"].versions) == 2


def test_a_folder_or_unwritable_place_is_a_clear_error(tmp_path, kek):
    """What the system refuses is said, as an error of tokenkit."""
    with pytest.raises(KeyringError, match="refuses"):
        open_keyring(tmp_path, kek)
    with pytest.raises(KeyringError):
        create_keyring(tmp_path / "no" / "folder.json", ["a"], kek)
    with pytest.raises(KeyringError, match="NUL"):
        open_keyring("a\0b", kek)


def test_from_secrets_is_the_same_everywhere():
    """The same bytes give the same id and check value each time; others give others."""
    with (
        Keyring.from_secrets({"a": SECRET}) as one,
        Keyring.from_secrets({"a": bytearray(SECRET), "b": SECRET, "c": bytes(32)}) as two,
    ):
        first, again = one["a"].primary, two["a"].primary
        assert (first.id, first.check_value) == (again.id, again.check_value)
        assert first.id == int.from_bytes(first.check_value[:4])
        assert two["b"].primary.id == first.id
        assert two["c"].primary.id != first.id
        with pytest.raises(KeyringError, match="memory"):
            one.save()


def test_from_secrets_leaves_the_callers_bytes():
    """A bytearray given stays the caller's own."""
    secret = bytearray(SECRET)
    Keyring.from_secrets({"a": secret}).close()
    assert secret == SECRET


@pytest.mark.parametrize("secret", [b"", bytes(16), bytes(31), bytes(33), "x" * 32, 32, None])
def test_from_secrets_refuses_other_lengths(secret):
    """Only 32 bytes are a key; the error shows none of them."""
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring.from_secrets({"a": secret})


def test_key_check_value_is_the_contracts():
    """The check value is HKDF-SHA-256 with purpose 8 and no domain, computed independently."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    expected = HKDF(SHA256(), 16, salt=None, info=b"tokenkit/1\x00\x08").derive(SECRET)
    with Keyring.from_secrets({"a": SECRET}) as ring:
        assert ring["a"].primary.check_value == expected
