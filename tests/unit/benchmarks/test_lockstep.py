"""The peer that the benchmarks bring along themselves is right, so its speed counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lockstep import LockstepFF1
from tests.vectors import reference

KEY = bytes(range(32))


@given(
    rows=st.integers(6, 18).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n), min_size=1)
    ),
    tweak=st.binary(max_size=11),
)
def test_lockstep_agrees_with_the_reference(rows, tweak):
    """All rows at once give what one row at a time gives, and come back."""
    fast = LockstepFF1(KEY, len(rows[0]), tweak)
    digits = np.array(rows, dtype=np.uint8)
    tokens = fast.encrypt(digits)
    assert tokens.tolist() == [reference.ff1_encrypt(KEY, 10, tweak, row) for row in rows]
    assert np.array_equal(fast.decrypt(tokens), digits)


@pytest.mark.parametrize(("length", "tweak"), [(5, b""), (19, b""), (16, bytes(12))])
def test_lockstep_refuses_what_it_was_not_made_for(length, tweak):
    """Halves over 32 bits and tweaks over one block raise instead of giving wrong tokens."""
    with pytest.raises(ValueError, match=r"digits|fit one block"):
        LockstepFF1(KEY, length, tweak)
