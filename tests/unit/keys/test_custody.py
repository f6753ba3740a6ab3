"""Key bytes stay where they are: nothing shows, pickles, copies or keeps them."""

import copy
import dataclasses
import gc
import json
import pickle
import traceback

import pytest

from tokenkit import _native
from tokenkit.errors import KeyConflict, KeyNotExportable, KeyringClosed
from tokenkit.keys import Keyring, create_keyring

SECRET = bytes.fromhex("5ec4e7" * 10 + "5ec4")
SPELLINGS = (repr(SECRET)[2:-1], SECRET.hex(), str(list(SECRET))[1:-1])


@pytest.fixture
def ring():
    """Give a keyring of known bytes."""
    with Keyring.from_secrets({"payments": SECRET}) as opened:
        yield opened


@pytest.fixture(params=["ring", "key", "version", "handle", "record"])
def holder(request, ring):
    """Give each kind of object that leads to a key."""
    key = ring["payments"]
    return {
        "ring": ring,
        "key": key,
        "version": key.primary,
        "handle": key.primary.handle,
        "record": key._record,
    }[request.param]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_refused(holder, protocol):
    """No protocol of pickle takes a keyring, key, version or handle, not even inside a list."""
    for thing in (holder, [holder]):
        with pytest.raises((KeyNotExportable, TypeError)):
            pickle.dumps(thing, protocol)


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, json.dumps, vars, bytes])
def test_copies_and_dumps_are_refused(holder, take):
    """Nor do copy, JSON, vars or bytes."""
    with pytest.raises((KeyNotExportable, TypeError)):
        take(holder)


def test_state_cannot_be_taken(ring):
    """The state that pickle would ask for is refused as well, and so are dataclass copies."""
    version = ring["payments"].primary
    for holder in (ring, ring["payments"], version):
        with pytest.raises(KeyNotExportable):
            holder.__getstate__()
        with pytest.raises(KeyNotExportable):
            holder.__reduce__()
    with pytest.raises((KeyNotExportable, TypeError)):
        dataclasses.asdict(version)


def test_texts_show_names_ids_and_states_only(holder):
    """Neither repr nor str nor format shows a byte of the key."""
    for text in (repr(holder), str(holder), f"{holder}"):
        assert not any(spelling in text for spelling in SPELLINGS)
    handle = Keyring.from_secrets({"x": bytes(32)})["x"].primary
    assert repr(handle) == f"<KeyVersion 'x' 1: id {handle.id}, enabled>"


def test_keyring_repr(ring):
    """A keyring shows its keys' names, versions, ids and states."""
    version = ring["payments"].primary
    assert repr(ring) == (f"<Keyring in memory: 'payments' [1: id {version.id} enabled primary]>")
    assert repr(ring["payments"]) == f"<Key 'payments' [1: id {version.id} enabled primary]>"


def test_no_python_object_holds_the_key(ring):
    """Among all objects that can be reached from a keyring there are no bytes of the key."""
    seen, waiting = set(), [ring]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, type) or type(found).__name__ == "module":
            continue
        seen.add(id(found))
        if isinstance(found, bytes | bytearray):
            assert SECRET[:8] not in found
        waiting += gc.get_referents(found)
    assert len(seen) > 10


def test_closing_unloads(path, kek):
    """After close the id is free for another key, so the old one is gone from the registry."""
    with create_keyring(path, ["a"], kek) as ring:
        version = ring["a"].primary
        with pytest.raises(KeyConflict):
            _native.import_key(version.id, bytearray(SECRET))
    _native.import_key(version.id, bytearray(SECRET)).release()
    handle = version.handle
    assert handle is not None
    with pytest.raises(KeyringClosed):
        _native.metadata_mac(handle, b"")


def test_one_of_two_keyrings_keeps_the_key_loaded():
    """The key goes when the last keyring that holds it closes."""
    one, two = (Keyring.from_secrets({"a": SECRET}) for _ in range(2))
    id_ = one["a"].primary.id
    one.close()
    with pytest.raises(KeyConflict):
        _native.import_key(id_, bytearray(32))
    two.close()
    _native.import_key(id_, bytearray(32)).release()


def test_errors_show_nothing(ring):
    """A traceback through the keyring has no byte of the key."""
    try:
        ring["none"]
    except KeyError as error:
        text = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        assert not any(spelling in text for spelling in SPELLINGS)
