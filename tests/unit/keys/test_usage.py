"""Uses of key versions are counted: numbers, key ids and times, and nothing else."""

import os
import threading
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import tokenkit as tk
from tokenkit.errors import InvalidValues
from tokenkit.keys import Keyring, KeyUse, key_uses, on_use

VALUES = pl.DataFrame({"v": ["123456789", None, "987654321", "x"]})


@pytest.fixture
def ring():
    """Give a keyring of a fresh key."""
    with Keyring.from_secrets({"a": os.urandom(32)}) as opened:
        yield opened


def use_of(ring: Keyring) -> KeyUse | None:
    """Find the counts of the keyring's only version."""
    return next((use for use in key_uses() if use.id == ring["a"].primary.id), None)


def test_values_are_counted_by_direction(ring):
    """Nulls don't count; values that don't fit do, as does a call that fails over them."""
    assert use_of(ring) is None
    made = tk.expr.tokenize("v", "digits", key=ring["a"], on_invalid="null")
    tokens = VALUES.select(made)
    tokens.select(tk.expr.detokenize("v", "digits", key=ring["a"]))
    with pytest.raises(InvalidValues), tk.errors.translated():
        VALUES.select(tk.expr.tokenize("v", "digits", key=ring["a"]))
    use = use_of(ring)
    assert use is not None
    assert (use.tokenized, use.detokenized) == (6, 2)
    assert abs(datetime.now(UTC) - use.last_used) < timedelta(minutes=1)
    assert use.check_value == ring["a"].primary.check_value
    ring.close()
    assert use in key_uses()


def test_a_monitor_is_told_what_was_added(ring):
    """Each look tells the difference; closing tells the rest; what failed is told again."""
    told: list[KeyUse] = []
    first = threading.Event()

    def note(use: KeyUse) -> None:
        if not first.is_set():
            first.set()
            raise RuntimeError
        told.append(use)

    made = tk.expr.tokenize("v", "digits", key=ring["a"], on_invalid="null")
    VALUES.select(made)
    with on_use(note, every=0.01):
        VALUES.select(made)
        assert first.wait(10)
        VALUES.select(made)
    mine = [use for use in told if use.id == ring["a"].primary.id]
    assert sum(use.tokenized for use in mine) == 6
