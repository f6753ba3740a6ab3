"""No key byte gets into a plan, a text, a pickle or an error; plans run only where the key is."""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import pickle
import random
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tokenkit as tk
from tokenkit.errors import KeyNotLoaded, from_polars
from tokenkit.hazmat import AESSIV, FF1, keyring_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME = pl.DataFrame({"card": ["4111111111111111"], "note": ["hello"]})


@pytest.fixture
def secret() -> bytes:
    """Make a random key."""
    return random.randbytes(32)


@pytest.fixture
def ring(secret: bytes) -> Iterator[tk.Keyring]:
    """Open a keyring with the key."""
    with keyring_from_bytes({"payments": secret}) as opened:
        yield opened


def spellings(secret: bytes) -> list[bytes]:
    """Give the ways in which a key's bytes could show, in parts of four bytes and more."""
    parts = [secret, secret[:8], secret[12:20], secret[-8:]]
    found = list(parts)
    for part in parts:
        found += [
            part.hex().encode(),
            part.hex().upper().encode(),
            base64.b64encode(part).rstrip(b"="),
            base64.urlsafe_b64encode(part).rstrip(b"="),
            ",".join(map(str, part)).encode(),
            ", ".join(map(str, part)).encode(),
            repr(part)[2:-1].encode(),
        ]
    return found


def assert_hidden(secret: bytes, *shown: bytes | str) -> None:
    """Look for every spelling of the key."""
    for text in shown:
        data = text.encode() if isinstance(text, str) else text
        for spelling in spellings(secret):
            assert spelling not in data


def test_expressions_and_plans(secret: bytes, ring: tk.Keyring) -> None:
    """Expressions and plans show and serialize names and ids only."""
    for expression in (
        tk.expr.tokenize("card", "credit-card", key="payments", keyring=ring),
        tk.expr.try_detokenize("note", "text", key="payments", keyring=ring),
        pl.col("card").tk.tokenize("digits", key=ring["payments"]),  # type: ignore[attr-defined]
    ):
        lazy = FRAME.lazy().select(expression)
        assert_hidden(
            secret,
            str(expression),
            repr(expression),
            expression.meta.serialize(),
            expression.meta.serialize(format="json"),
            expression.meta.tree_format(return_as_string=True) or "",
            lazy.explain(),
            lazy.explain(optimized=False, format="tree"),
            lazy.serialize(),
            lazy.serialize(format="json"),
            pickle.dumps(lazy),
            pickle.dumps(expression),
        )


def test_objects(secret: bytes, ring: tk.Keyring) -> None:
    """Objects that hold a key show none of it, and can't be copied or pickled."""
    key = ring["payments"]
    handle = key.primary.handle
    for held in (ring, key, key.primary, handle, FF1(secret, radix=10), AESSIV(secret + secret)):
        assert_hidden(secret, str(held), repr(held), json.dumps(repr(held)))
        for copier in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copier(held)


def test_errors_and_logs(secret: bytes, ring: tk.Keyring) -> None:
    """Errors and logs of failing queries hold neither key nor value."""
    stream = io.StringIO()
    root = logging.getLogger()
    handler = logging.StreamHandler(stream)
    root.addHandler(handler)
    previous = root.level
    root.setLevel(logging.DEBUG)
    try:
        for scheme, column in (("digits", "note"), ("us-ssn", "card"), ("credit-card", "note")):
            expression = tk.expr.tokenize(column, scheme, key="payments", keyring=ring)
            with pytest.raises(pl.exceptions.ComputeError) as caught:
                FRAME.select(expression)
            text = "".join(traceback.format_exception(caught.value))
            assert_hidden(secret, text)
            assert "hello" not in str(caught.value)
            assert "4111111111111111" not in str(caught.value)
            assert isinstance(from_polars(caught.value), tk.errors.InvalidValues)
    finally:
        root.removeHandler(handler)
        root.setLevel(previous)
    assert_hidden(secret, stream.getvalue())


CHILD = """
import sys
import polars as pl
import tokenkit as tk
from tokenkit.hazmat import keyring_from_bytes

plan = pl.LazyFrame.deserialize(sys.stdin.buffer)
if len(sys.argv) > 1:
    ring = keyring_from_bytes({"payments": bytes.fromhex(sys.argv[1])})
try:
    print("token", plan.collect().item())
except pl.exceptions.ComputeError as error:
    print("error", repr(tk.errors.from_polars(error)), tk.errors.from_polars(error).hint)
"""


def test_plans_travel(secret: bytes, ring: tk.Keyring) -> None:
    """A plan runs in another process that has the key, and says which one is missing elsewhere."""
    plan = FRAME.lazy().select(
        tk.expr.tokenize("card", "credit-card", key="payments", keyring=ring)
    )

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", CHILD, *arguments],
            input=plan.serialize(),
            capture_output=True,
            check=True,
        ).stdout.decode()

    assert run(secret.hex()).split() == ["token", plan.collect().item()]
    told = run()
    assert told.startswith("error KeyNotLoaded")
    assert '"payments" version 1' in told
    assert "open_keyring" in told
    other = run(random.randbytes(32).hex())
    assert other.startswith("error KeyNotLoaded")


def test_closed_keyring(ring: tk.Keyring) -> None:
    """A plan built before its keyring was closed fails afterwards."""
    plan = FRAME.lazy().select(tk.expr.tokenize("note", "text", key="payments", keyring=ring))
    assert plan.collect().height == 1
    ring.close()
    with pytest.raises(pl.exceptions.ComputeError) as caught:
        plan.collect()
    assert isinstance(from_polars(caught.value), KeyNotLoaded)


def test_two_keys_under_one_id() -> None:
    """Another key under an id that is loaded is refused."""
    from tokenkit import _native

    first = _native.import_key(7_000_001, bytearray(random.randbytes(32)))
    with pytest.raises(tk.errors.KeyConflict):
        _native.import_key(7_000_001, bytearray(random.randbytes(32)))
    first.release()
    second = _native.import_key(7_000_001, bytearray(random.randbytes(32)))
    assert second.check_value != first.check_value
    second.release()


def test_imported_bytes_are_wiped() -> None:
    """The bytearray that a key is imported from holds zeros afterwards."""
    from tokenkit import _native

    secret = bytearray(random.randbytes(32))
    _native.import_key(7_000_002, secret).release()
    assert secret == bytes(32)
